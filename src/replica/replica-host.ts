/**
 * All quorum members of one broker: one ticker, one drain per turn, one queue of syncs, one outbox (MultiRaft).
 *
 * What happens in a turn stirs members; at its end (`Clock.soon`) each stirred member is drained once, and what they have to say
 * leaves as one list per peer. A member that nothing happens to costs nothing: the ticker looks only at those that wait for
 * something, never at a sole voter, nor at the members of a quiet quorum (see pulses.ts).
 */
import { assert } from '../base/assert.ts'
import { retainAll } from '../base/buffer-pool.ts'
import type { Clock, Disk, Random, Timer } from '../io/world.ts'
import { FilePool } from '../log/file-pool.ts'
import type { Log } from '../log/log.ts'
import type { EpochStart } from '../raft/extents.ts'
import type { Message } from '../raft/message.ts'
import { Raft } from '../raft/raft.ts'
import type { PeerPulses, RaftSettings } from '../raft/state.ts'
import { BallotFile } from './ballot-file.ts'
import { membershipsIn, membershipsOf } from './configurations.ts'
import { Deadlines } from './deadlines.ts'
import { EarlyVotes } from './early-votes.ts'
import type { Entries } from './entries.ts'
import { Identities } from './identities.ts'
import { Member } from './member.ts'
import type { Outbox, PeerMessage } from './outbox.ts'
import { type Pulse, Pulses } from './pulses.ts'
import type { ReplicaSettings } from './replica.ts'
import type { ReplicaEvent } from './replica-event.ts'
import type { SlowLeaderSettings } from './slow-leader.ts'
import type { HostEvent, PulseEvent, Surroundings } from './surroundings.ts'
import { SyncQueue } from './sync-queue.ts'
import { WatermarkFile } from './watermark-file.ts'

export interface HostSettings {
  /** How often time is looked at. A fraction of `heartbeatMs`. */
  readonly tickMs: number
  readonly electionTimeoutMs: number
  readonly heartbeatMs: number
  /** Logs and ballots that are synced at the same time. */
  readonly syncsInFlightMax: number
  /** About the size of one append to a follower. Absent: 1 MiB. */
  readonly appendBytesMax?: number
  /** Sent to one follower of one partition and not acknowledged. Absent: 8 MiB. */
  readonly inflightBytesMax?: number
  /** The largest image of a machine that a follower takes. Absent: 1 GiB. */
  readonly imageBytesMax?: number
  /** Absent: 64. */
  readonly inflightAppendsMax?: number
  /** Absent: a broker leads however slow its disk is. */
  readonly slowLeader?: SlowLeaderSettings
  /** Replicas that are not here yet and for which vote requests are kept. Absent: 10,000. */
  readonly earlyVotesMax?: number
}

export interface HostOptions {
  readonly world: { readonly clock: Clock; readonly disk: Disk; readonly random: Random }
  readonly nodeId: number
  /** Of this broker, minted with its data folder. Absent: disks are not looked at. */
  readonly diskId?: string
  readonly outbox: Outbox
  readonly settings: HostSettings
  readonly onEvent: (event: ReplicaEvent) => void
}

export interface OpenOptions {
  /** The same on every member. */
  readonly name: string
  /** Of the log; the ballot lies beside it. */
  readonly folder: string
  /** Opened. It belongs to the replica from now on, which closes it. */
  readonly log: Log
  /**
   * Those that the quorum began with, the same on every member; [] on a member that was added later and does not know. Marks in
   * the log know better. The first one stands for election at once when the quorum is new.
   */
  readonly voters: readonly number[]
  /** Disks of these voters when the quorum was decided on; whoever is missing is not checked. */
  readonly disks?: ReadonlyMap<number, string>
  /** A machine grows from this log: nothing goes from it before the machine has said what it has an image of. Absent: false. */
  readonly hasMachine?: boolean
  readonly settings: ReplicaSettings
}

/** Ballots are written at elections only: a few descriptors do for all. */
const ballotFilesOpenMax = 8

export class ReplicaHost {
  readonly #options: HostOptions
  readonly #raftSettings: RaftSettings
  readonly #files: FilePool
  readonly #members = new Map<string, Member>()
  /** Those that wait for a time to come. */
  readonly #ticking = new Set<Member>()
  readonly #surroundings: Surroundings
  readonly #flushes: Deadlines<Member>
  /** The disk that each broker has, as far as it was met. */
  readonly #disks = new Map<number, string>()
  readonly #earlyVotes: EarlyVotes
  #stirred: Member[] = []
  #isDraining = false
  readonly #outgoing = new Map<number, PeerMessage[]>()
  #timer: Timer | null = null
  #tickDueMs = 0
  readonly #pulses: Pulses
  readonly #peerPulses: PeerPulses
  /** Somebody's word is void: the session ends with the next tick. */
  #isRenouncing = false
  #isClosed = false

  constructor(options: HostOptions) {
    const { world, settings } = options
    this.#options = options
    this.#raftSettings = {
      electionTimeoutMs: settings.electionTimeoutMs,
      heartbeatMs: settings.heartbeatMs,
      appendBytesMax: settings.appendBytesMax ?? 1_048_576,
      inflightBytesMax: settings.inflightBytesMax ?? 8_388_608,
      inflightAppendsMax: settings.inflightAppendsMax ?? 64,
    }
    this.#files = new FilePool({ disk: world.disk, openMax: ballotFilesOpenMax })
    this.#earlyVotes = new EarlyVotes({
      replicasMax: settings.earlyVotesMax ?? 10_000,
      keepMs: settings.electionTimeoutMs,
    })
    if (options.diskId !== undefined) this.#disks.set(options.nodeId, options.diskId)
    this.#flushes = new Deadlines({
      clock: world.clock,
      grainMs: settings.tickMs,
      due: (member) => member.flushDue(),
    })
    this.#pulses = new Pulses({
      random: world.random,
      everyMs: settings.heartbeatMs,
      silenceMs: settings.electionTimeoutMs / 2,
      send: (peer, pulse) => options.outbox.pulse?.(peer, pulse),
      onWell: (peer, session) => this.#pulsed({ type: 'peerWell', peer, session }),
      onUnwell: (peer, heardMs, contactMs) => this.#pulsed({ type: 'peerUnwell', peer, heardMs, contactMs }),
    })
    this.#peerPulses = {
      sessionWith: (peer) => (this.#isRenouncing ? 0 : this.#pulses.sessionWith(peer)),
      contactMs: (peer) => this.#pulses.contactMs(peer),
      isMissing: (peer, nowMs) => this.#pulses.isMissing(peer, nowMs),
    }
    this.#surroundings = {
      syncs: new SyncQueue(settings.syncsInFlightMax),
      nowMs: () => world.clock.monotonic(),
      stir: (member) => this.#stir(member),
      flushIn: (member, delayMs) => this.#flushes.set(member, delayMs),
      post: (to, replica, message) => this.#post(to, { replica, message }),
      turned: (member) => this.#follow(member),
      renounce: () => {
        this.#isRenouncing = true
      },
      forget: (member) => this.#forget(member),
      onEvent: options.onEvent,
    }
  }

  /**
   * Opens a member. A sole voter leads when this resolves, and is ready a sync later (`whenReady`).
   * @throws Faulted when the ballot cannot be read
   */
  open(options: OpenOptions): Promise<Member> {
    // Nothing here waits today; reading ballots in the background would.
    return new Promise((resolve) => resolve(this.#open(options)))
  }

  #open({ name, folder, log, voters, disks, hasMachine = false, settings }: OpenOptions): Member {
    assert(!this.#isClosed, 'members are opened before their host closes')
    assert(!this.#members.has(name), `'${name}' is opened once`)
    const { world, nodeId } = this.#options
    const ballotFile = new BallotFile({ disk: world.disk, files: this.#files, folder })
    const watermarkFile = new WatermarkFile({ disk: world.disk, files: this.#files, folder })
    let opened: Member | null = null
    const raft = new Raft<Entries>({
      id: nodeId,
      memberships: membershipsOf(log, { voters, outgoing: [], disks: [] }),
      membershipsIn: ({ marks }) => membershipsIn(marks),
      ballot: ballotFile.read(),
      extents: extentsOf(log),
      // Where written counts as durable, what was committed may be gone.
      highWatermark: settings.flushMessages > 1 ? 0 : watermarkFile.read(),
      settings: this.#raftSettings,
      random: () => world.random.float(),
      mayForget: () => opened?.isWrittenDurable ?? settings.flushMessages > 1,
      pulses: this.#peerPulses,
      nowMs: world.clock.monotonic(),
    })
    const member = new Member({
      name,
      log,
      raft,
      ballotFile,
      watermarkFile,
      identities: new Identities(disks ?? new Map(), this.#disks),
      images: {
        pieceBytes: this.#raftSettings.appendBytesMax,
        bytesMax: this.#options.settings.imageBytesMax ?? 1_073_741_824,
      },
      hasMachine,
      settings,
      slowLeader: this.#options.settings.slowLeader ?? null,
      surroundings: this.#surroundings,
    })
    opened = member
    this.#members.set(name, member)
    this.#follow(member)
    const nowMs = world.clock.monotonic()
    for (const { from, request } of this.#earlyVotes.take(name, nowMs)) member.receive(from, request)
    return member
  }

  /** A message from a peer. For a replica that is not here: dropped (vote requests after a moment), and false. */
  receive(from: number, replica: string, message: Message<Entries>): boolean {
    const member = this.#members.get(replica)
    if (member !== undefined) {
      // Appended at the end of the turn, see Loop; dropped, if at all, with its memory.
      if (message.type === 'append' && message.entries !== null) retainAll(message.entries.batches)
      member.receive(from, this.#checked(from, message))
    } else if (message.type === 'voteRequest') {
      this.#earlyVotes.keep(replica, from, message, this.#options.world.clock.monotonic())
    }
    return member !== undefined
  }

  /** A peer was met, and has this disk. The transport says so before it hands over what the peer says. */
  identify(peer: number, diskId: string): void {
    if (this.#disks.get(peer) === diskId) return
    this.#disks.set(peer, diskId)
    for (const member of this.#members.values()) member.identified()
  }

  /** The connection to a peer broke: what was sent may be lost. */
  peerLost(peer: number): void {
    this.#stepAll({ type: 'peerLost', peer })
  }

  /** A peer shows that it lives, for all quiet quorums that this broker has with it. */
  pulse(from: number, pulse: Pulse): void {
    this.#pulses.receive(from, pulse, this.#options.world.clock.monotonic())
  }

  /** Nobody listens where the peer did: its process has ended. */
  peerGone(peer: number): void {
    this.#pulsed({ type: 'peerGone', peer, nowMs: this.#options.world.clock.monotonic() })
  }

  /** Closes every member that is still open, and the ticker. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#members.values()].map((member) => member.close()))
    this.#timer?.cancel()
    this.#flushes.close()
  }

  /** A word counts only if it was given in the session whose pulses are heard. */
  #checked(from: number, message: Message<Entries>): Message<Entries> {
    if (message.type !== 'heartbeat' && message.type !== 'heartbeatReply') return message
    if (message.session === 0 || this.#pulses.keeps(from, message.session)) return message
    return { ...message, session: 0 }
  }

  #stir(member: Member): void {
    if (member.isStirred) return
    member.isStirred = true
    this.#stirred.push(member)
    if (this.#stirred.length === 1) this.#options.world.clock.soon(() => this.#drain())
  }

  #drain(): void {
    const stirred = this.#stirred
    this.#stirred = []
    this.#isDraining = true
    let done = 0
    try {
      for (; done < stirred.length; done++) {
        const member = stirred[done] as Member
        member.isStirred = false
        member.drain()
      }
    } finally {
      this.#isDraining = false
      // Should a callback have thrown, the others still get their turn.
      for (const member of stirred.slice(done + 1)) {
        member.isStirred = false
        this.#stir(member)
      }
      this.#sendAll()
    }
  }

  #post(to: number, message: PeerMessage): void {
    const messages = this.#outgoing.get(to)
    if (messages !== undefined) messages.push(message)
    else {
      // Promises are released when a ballot is durable, outside of a drain: those leave at the end of their turn, too.
      if (this.#outgoing.size === 0 && !this.#isDraining)
        this.#options.world.clock.soon(() => this.#sendAll())
      this.#outgoing.set(to, [message])
      this.#pulses.meet(to, this.#options.world.clock.monotonic())
      this.#maybeTick()
    }
  }

  #sendAll(): void {
    if (this.#outgoing.size === 0) return
    const outgoing = [...this.#outgoing]
    this.#outgoing.clear()
    for (const [to, messages] of outgoing) this.#options.outbox.send(to, messages)
  }

  #follow(member: Member): void {
    if (member.deadlineMs === Infinity) {
      if (this.#ticking.size > 0) this.#ticking.delete(member)
    } else if (!this.#ticking.has(member) && this.#members.has(member.name)) {
      this.#ticking.add(member)
      this.#maybeTick()
    }
  }

  #forget(member: Member): void {
    this.#members.delete(member.name)
    this.#ticking.delete(member)
    this.#flushes.delete(member)
  }

  #maybeTick(): void {
    const isNeeded = this.#ticking.size > 0 || this.#pulses.hasPeers
    if (this.#timer !== null || !isNeeded || this.#isClosed) return
    const { world, settings } = this.#options
    this.#tickDueMs = world.clock.monotonic() + settings.tickMs
    this.#timer = world.clock.setTimer(settings.tickMs, () => this.#tick())
  }

  #tick(): void {
    const { clock } = this.#options.world
    const lateMs = clock.monotonic() - this.#tickDueMs
    if (lateMs < this.#raftSettings.electionTimeoutMs / 2) this.#tickAll()
    // The event loop stood still: what the others said meanwhile waits in the sockets. Hear them before judging them.
    else clock.soon(() => clock.soon(() => this.#tickAll()))
  }

  #maybeRenounce(): void {
    if (!this.#isRenouncing) return
    this.#isRenouncing = false
    this.#pulses.renounce()
    this.#pulsed({ type: 'renounced' })
  }

  #pulsed(event: PulseEvent): void {
    for (const member of this.#members.values()) member.pulsed(event)
  }

  #stepAll(event: HostEvent): void {
    for (const member of this.#members.values()) member.step(event)
  }

  #tickAll(): void {
    const nowMs = this.#options.world.clock.monotonic()
    // A pulse speaks for what all members are now: none of them is in the middle of a turn.
    if (this.#stirred.length > 0) this.#drain()
    this.#maybeRenounce()
    this.#pulses.tick(nowMs)
    for (const member of this.#ticking) if (member.deadlineMs <= nowMs) member.step({ type: 'tick', nowMs })
    this.#timer = null
    this.#maybeTick()
  }
}

/** What the core must know of a log that was just opened. */
function extentsOf(log: Log): ConstructorParameters<typeof Raft<Entries>>[0]['extents'] {
  const { position: start } = log.base
  const epochs: EpochStart[] = []
  for (const { mark, epoch, position } of log.marks(start, log.endPosition)) {
    if (mark.kind === 'epochStart') epochs.push({ epoch, from: position })
  }
  return {
    start,
    startEpoch: log.epochBefore(start),
    end: log.endPosition,
    durable: log.durablePosition,
    epochs,
  }
}
