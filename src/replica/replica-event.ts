/** What replicas and executors have to say to the operator. Names are stable: alerts are built on them. */
export interface ReplicaEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: ReplicaEventName
  /** A sentence. */
  readonly message: string
  /** The replica's name. */
  readonly replica: string
  readonly [detail: string]: unknown
}

export type ReplicaEventName =
  /** The disk failed this partition: it is offline until the broker restarts. */
  | 'replica.faulted'
  /** A member of a quorum of several has another role, epoch or leader: thousands at once, when a broker comes or goes. */
  | 'replica.role'
  /** What was acknowledged was cut: others had lost it with their power, where written counts as durable. */
  | 'replica.cut.below.commit'
  /** The disk here is far slower than that of the other voters: leadership is handed over. */
  | 'replica.leader.slow'
  /** Batches from a peer failed their checksum. */
  | 'replica.append.damaged'
  /** A follower that lacks what is gone from the log cannot be helped, or an image came damaged. */
  | 'replica.install.failed'
  /** A follower's log was replaced by one that begins further on. */
  | 'replica.installed'
  /** A voter is here with another disk, or has forgotten what it called durable: it counts no more. */
  | 'replica.voter.estranged'
  /** The voters are others now. */
  | 'replica.voters'
  /** The state of a machine was read from its image and log. */
  | 'machine.loaded'
  /** An image of a machine could not be written; the log is kept, and it is tried again. */
  | 'machine.image.failed'
  /** A machine stopped serving: its log or image cannot be read, or it broke a rule of its own. */
  | 'machine.failed'
