/**
 * One member of one quorum: the consensus core (src/raft), its log (src/log) and its vote, driven together. A quorum of
 * one goes through exactly this path too.
 *
 * All members of a broker share one `ReplicaHost`: one ticker, one turn. `propose` and the core's other events stir a
 * member; at the end of the turn the host drains every stirred member: one write per log, one sync per log for all that
 * arrived meanwhile (group commit), messages batched per peer; what became durable goes back into the core as one more
 * event, the high watermark rises, those who waited for it are called.
 */
import type { Faulted, Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'

export interface Replica {
  /** For logs and metrics: '<topic id>-<partition>'. */
  readonly name: string
  readonly log: Log
  readonly role: 'follower' | 'candidate' | 'leader'
  readonly epoch: number
  /** -1 when unknown. */
  readonly leaderId: number
  readonly voters: readonly number[]
  /** On the leader: the voters that keep up with it, itself among them; [] on others, and while it is not ready. */
  readonly inSync: readonly number[]
  /** On the leader: who receives the log and does not count; [] on others. */
  readonly observers: readonly number[]
  /**
   * It leads and the start of its own epoch is committed: only then may it serve. Elected is not ready.
   */
  readonly isReady: boolean
  /** Exclusive offset of what is committed. Never goes back. */
  readonly highWatermark: number
  /** Set when the disk failed this partition: it is offline until the broker restarts. */
  readonly fault: Faulted | null

  /**
   * Takes the next place in the order for one batch: stamps base offset and epoch into `batch` (both outside its CRC) and
   * appends it. Synchronous: when it returns, the order is fixed. The buffer belongs to the replica afterwards.
   * @throws Refused NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR, NOT_ENOUGH_REPLICAS (uncommitted bytes over their bound)
   */
  propose(batch: Buffer): Proposed
  /**
   * Calls back once: null when everything below `endOffset` is committed (and by the `epoch` it was proposed in), else
   * the refusal (leadership lost: the outcome is open, REQUEST_TIMED_OUT or NOT_LEADER_OR_FOLLOWER; never a false success).
   * Calls back at once when it is committed already.
   */
  onCommitted(endOffset: number, epoch: number, callback: (refused: Refused | null) => void): void
  /** Likewise when it is in this member's files, where only a loss of power can still take it: what acks=1 promises. */
  onWritten(endOffset: number, epoch: number, callback: (refused: Refused | null) => void): void
  /**
   * Decides that the log starts at `offset` (DeleteRecords, retention, images): a mark, committed, then files go.
   * Resolves with the new start. @throws Refused OFFSET_OUT_OF_RANGE above the high watermark, POLICY_VIOLATION above what
   * `retainFrom` keeps, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT (leadership lost: it may yet happen)
   */
  raiseStart(offset: number): Promise<number>
  /**
   * Keeps what lies at and above `offset` in this member's log, whatever start is decided, until told otherwise: a machine's
   * own image has not come further yet. Never called: nothing is kept, or everything where the member was opened for a machine.
   */
  retainFrom(offset: number): void
  /**
   * From now on these vote. Newcomers are brought up to date first; then both the old and the new voters have to agree, and when this
   * resolves only the new ones do. Should this leader not be among them, it hands over.
   * @throws Refused NOT_LEADER_OR_FOLLOWER, REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT, KAFKA_STORAGE_ERROR,
   *   REQUEST_TIMED_OUT (leadership lost: it may yet happen), NO_REASSIGNMENT_IN_PROGRESS (`abandonChange`)
   */
  changeVoters(voters: readonly number[]): Promise<void>
  /**
   * Resolves when it is sure that this member led at a moment after the call, so that its high watermark is not older than the call
   * (a read barrier, R-35): a majority has answered what was sent since. At once for a sole voter.
   * @throws Refused NOT_LEADER_OR_FOLLOWER when it does not lead, or no more; within an election time-out. KAFKA_STORAGE_ERROR
   */
  confirmLeadership(): Promise<void>
  /** Gives up a change whose newcomers are not up to date yet; later it goes on, whoever leads. */
  abandonChange(): void
  /** On the leader: these receive the log, too, and do not count. For as long as it leads. */
  observe(observers: readonly number[]): void
  /** Stands for election now. Harmless on a leader, and on who may not. */
  campaign(): void
  /** Hands leadership over to a voter as soon as that has everything; nothing happens on others, and during a change of voters. */
  transferLeadership(to: number): void
  /** On the leader: where everybody stands who receives the log, itself first; [] on others. */
  progress(): readonly ReplicaProgress[]
  /** Resolves when `isReady`; rejects Refused when that is hopeless (closed, faulted). */
  whenReady(): Promise<void>
  /** Called at most once per turn when the high watermark, the start, the role or the epoch has moved. Returns the unsubscriber. */
  onAdvance(listener: (replica: Replica) => void): () => void
  configure(settings: ReplicaSettings): void
  close(): Promise<void>
}

/** One member as the leader knows it. Offsets are exclusive ends; times are of the leader's monotonic clock, -Infinity for never. */
export interface ReplicaProgress {
  readonly id: number
  readonly isVoter: boolean
  /** What it is known to hold. */
  readonly endOffset: number
  /** Of that, what survives a crash: what counts. */
  readonly durableOffset: number
  /** When the newest heartbeat that it has answered was sent. */
  readonly contactMs: number
  /** It holds durably what the leader held then. */
  readonly caughtUpMs: number
}

export interface Proposed {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly epoch: number
}

export interface ReplicaSettings {
  /**
   * 1 (our default): what counts as durable is synced. More: written counts, and a sync follows after so many records
   * (Infinity: never by count). @source Kafka's flush.messages
   */
  readonly flushMessages: number
  /** With flushMessages above 1: the longest time until a sync. Infinity: never by time. @source Kafka's flush.ms */
  readonly flushMs: number
  readonly uncommittedBytesMax: number
  /** So many voters hold durably what `onCommitted` calls committed, on top of the majority. Absent: 1. */
  readonly minInsyncReplicas?: number
}
