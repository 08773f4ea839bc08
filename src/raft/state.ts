/**
 * What a member knows whatever its role, and what it has to say since the last `ready()`. The roles (follower.ts, candidate.ts,
 * leader.ts) hold what only they have and work on this.
 */
import { assert } from '../base/assert.ts'
import type { Extents } from './extents.ts'
import { isSoleVoter, isVoter, Memberships, type PlacedMembership } from './membership.ts'
import type { Envelope, Install, Message, Run } from './message.ts'
import type { Ballot, InstallRequest, Operation, Read, Ready } from './ready.ts'

export interface RaftSettings {
  /** A follower that hears nothing for this long, up to twice this long, campaigns; a leader cut off this long gives up. */
  readonly electionTimeoutMs: number
  /** Well below the election time-out: several may be lost. */
  readonly heartbeatMs: number
  /** About the size of one append. Small enough that a heartbeat behind it is not late. */
  readonly appendBytesMax: number
  /** Sent to one follower and not yet durable there: bandwidth times (round trip + its sync), or the pipe runs dry. */
  readonly inflightBytesMax: number
  readonly inflightAppendsMax: number
}

export interface StateOptions<Entries> {
  readonly id: number
  /** What the log holds of configurations: the one in force at its start, which may lie below it, and all above. */
  readonly memberships: readonly PlacedMembership[]
  /** Finds the configurations in units that are appended; the core itself never looks at them. */
  readonly membershipsIn: (entries: Entries) => readonly PlacedMembership[]
  readonly ballot: Ballot
  readonly highWatermark?: number
  readonly extents: Extents
  readonly settings: RaftSettings
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly pulses?: PeerPulses
  /** See RaftOptions. */
  readonly mayForget?: () => boolean
}

/** What is known of the pulses between this broker and others; see heartbeats.ts. */
export interface PeerPulses {
  /** The session in which a word may be given to that peer; 0: none may. */
  sessionWith(peer: number): number
  /** The newest pulse that it has answered left then. */
  contactMs(peer: number): number
  /** It has said nothing for an election time-out: its broker is down, or cannot be reached. `peerWell` tells when it is back. */
  isMissing(peer: number, nowMs: number): boolean
}

/** None: no quorum is ever quiet. */
const noPulses: PeerPulses = {
  sessionWith: () => 0,
  contactMs: () => -Infinity,
  isMissing: () => false,
}

const nothing: readonly never[] = []
const silence: Ready<never> = {
  operations: nothing,
  ballot: null,
  messages: nothing,
  promises: nothing,
  reads: nothing,
  installs: nothing,
  pieces: nothing,
  confirmed: -1,
  renounced: false,
}

export class State<Entries> {
  readonly id: number
  readonly memberships: Memberships
  readonly settings: RaftSettings
  readonly extents: Extents
  readonly random: () => number
  readonly pulses: PeerPulses
  readonly mayForget: () => boolean
  /** The log is being replaced: until that is done nothing is appended, and nobody is asked to follow. */
  isInstalling = false
  readonly #membershipsIn: (entries: Entries) => readonly PlacedMembership[]
  readonly #estranged = new Set<number>()
  #epoch: number
  #votedFor: number
  #highWatermark: number
  #forgotten = 0
  #ballotChanged = false
  #operations: Operation<Entries>[] = []
  #messages: Envelope<Entries>[] = []
  #promises: Envelope<Entries>[] = []
  #reads: Read[] = []
  #installs: InstallRequest[] = []
  #pieces: Install[] = []
  #confirmed = -1
  #renounced = false

  constructor(options: StateOptions<Entries>) {
    const { ballot, extents } = options
    this.id = options.id
    this.memberships = new Memberships(options.memberships)
    this.#membershipsIn = options.membershipsIn
    this.settings = options.settings
    this.extents = extents
    this.random = options.random
    this.pulses = options.pulses ?? noPulses
    this.mayForget = options.mayForget ?? (() => false)
    // The log may know a newer epoch than the ballot: of a sole voter, who writes none (see raft.ts), or of a leader that
    // was heard just before a crash. Somebody won that epoch, so whoever this member voted for, its vote there is spent.
    const isSpent = extents.lastEpoch > ballot.epoch
    this.#epoch = isSpent ? extents.lastEpoch : ballot.epoch
    this.#votedFor = isSpent ? this.id : ballot.votedFor
    this.#highWatermark = Math.max(extents.start, Math.min(options.highWatermark ?? 0, extents.durable))
  }

  get epoch(): number {
    return this.#epoch
  }
  get votedFor(): number {
    return this.#votedFor
  }
  /**
   * Below, this log equals that of every later leader (Raft 5.4), and is neither compared nor cut. Where what was durable may be gone,
   * that premise was given up: anything may differ.
   */
  get floor(): number {
    return this.mayForget() ? this.extents.start : this.#highWatermark
  }
  /** How often something committed was cut, because others had forgotten it. */
  get forgotten(): number {
    return this.#forgotten
  }
  /** Exclusive end of what is committed. */
  get highWatermark(): number {
    return this.#highWatermark
  }
  get isVoter(): boolean {
    return isVoter(this.membership, this.id)
  }
  get mayCampaign(): boolean {
    return !this.isInstalling && this.memberships.mayCampaign(this.id, this.#highWatermark)
  }
  get isSoleVoter(): boolean {
    return isSoleVoter(this.membership, this.id)
  }
  /** In force. */
  get membership(): PlacedMembership {
    return this.memberships.current
  }

  /** What that voter promised, its disk may have forgotten: it gets the log, and counts for nothing. */
  isEstranged(peer: number): boolean {
    return this.#estranged.has(peer)
  }

  setEstranged(peer: number, isEstranged: boolean): void {
    if (isEstranged) this.#estranged.add(peer)
    else this.#estranged.delete(peer)
  }

  /** Uniform in [time-out, 2 x time-out), so that two rarely campaign at once.  @source Raft 5.2 */
  electionDelayMs(): number {
    // A quorum that never had a leader has none to disturb: its first voter asks at once, and again every heartbeat.
    const isNew = this.#epoch === 0 && this.extents.end === 0
    if (isNew && this.membership.voters[0] === this.id) return this.settings.heartbeatMs
    return this.settings.electionTimeoutMs * (1 + this.random())
  }

  /** A ballot that a sole voter need not write; see raft.ts. */
  openOwnEpoch(): void {
    assert(this.isSoleVoter, 'only a sole voter leads without a ballot')
    this.#epoch++
    this.#votedFor = this.id
  }

  /** A newer epoch, in which this member has voted for nobody yet. */
  enterEpoch(epoch: number): void {
    assert(epoch > this.#epoch, 'epochs rise')
    this.#epoch = epoch
    this.#votedFor = -1
    this.#ballotChanged = true
  }

  vote(candidate: number): void {
    assert(this.#votedFor === -1 || this.#votedFor === candidate, 'a member votes once in an epoch')
    if (this.#votedFor === candidate) return
    this.#votedFor = candidate
    this.#ballotChanged = true
  }

  /** Returns whether it rose. */
  maybeCommit(position: number): boolean {
    if (position <= this.#highWatermark) return false
    assert(position <= this.extents.end, 'only what the log holds is committed')
    this.#highWatermark = position
    return true
  }

  truncate(position: number): void {
    // Whatever a leader says: what is committed stays.
    if (position < this.#highWatermark) this.#forget(position)
    this.extents.truncate(position)
    this.memberships.truncate(position)
    this.#operations.push({ type: 'truncate', position })
  }

  append(from: number, runs: readonly Run[], entries: Entries): void {
    assert(from === this.extents.end, 'an append continues the log')
    for (const { epoch, until } of runs) {
      if (until > this.extents.end) this.extents.append(epoch, until - this.extents.end)
    }
    for (const membership of this.#membershipsIn(entries)) {
      if (membership.position >= from) this.memberships.append(membership)
    }
    this.#operations.push({ type: 'append', from, runs, entries })
  }

  /** Returns the position of the mark. */
  startEpoch(): number {
    const position = this.extents.end
    this.extents.append(this.#epoch, 1)
    this.#operations.push({ type: 'epochStart', epoch: this.#epoch, leaderId: this.id })
    return position
  }

  /** As leader: a configuration, in force from here on. Its disks are the driver's to add. */
  changeVoters(voters: readonly number[], outgoing: readonly number[]): void {
    const position = this.extents.end
    this.extents.append(this.#epoch, 1)
    this.memberships.append({ voters, outgoing, disks: [], position })
    this.#operations.push({ type: 'voters', voters, outgoing })
  }

  /** The log was replaced by one that begins at `position`, durably; all below is committed. */
  reset(position: number, epoch: number, membership: PlacedMembership): void {
    this.extents.reset(position, epoch)
    this.memberships.reset(membership)
    if (position < this.#highWatermark) this.#forget(position)
    else this.maybeCommit(position)
  }

  #forget(position: number): void {
    assert(this.mayForget(), 'nothing committed is ever cut')
    this.#highWatermark = position
    this.#forgotten++
  }

  /** Promises nothing: may leave before anything is durable. */
  send(to: number, message: Message<Entries>): void {
    this.#messages.push({ to, message })
  }

  /** Leaves when the ballot is durable. */
  promise(to: number, message: Message<Entries>): void {
    this.#promises.push({ to, message })
  }

  read(read: Read): void {
    this.#reads.push(read)
  }

  install(request: InstallRequest): void {
    this.#installs.push(request)
  }

  takePiece(piece: Install): void {
    this.#pieces.push(piece)
  }

  confirm(question: number): void {
    this.#confirmed = question
  }

  renounce(): void {
    this.#renounced = true
  }

  takeReady(): Ready<Entries> {
    const said =
      this.#operations.length +
      this.#messages.length +
      this.#promises.length +
      this.#reads.length +
      this.#installs.length +
      this.#pieces.length
    if (said === 0 && !this.#ballotChanged && this.#confirmed < 0 && !this.#renounced) return silence
    const ready: Ready<Entries> = {
      operations: this.#operations,
      ballot: this.#ballotChanged ? { epoch: this.#epoch, votedFor: this.#votedFor } : null,
      messages: this.#messages,
      promises: this.#promises,
      reads: this.#reads,
      installs: this.#installs,
      pieces: this.#pieces,
      confirmed: this.#confirmed,
      renounced: this.#renounced,
    }
    this.#operations = []
    this.#messages = []
    this.#promises = []
    this.#reads = []
    this.#installs = []
    this.#pieces = []
    this.#confirmed = -1
    this.#renounced = false
    this.#ballotChanged = false
    return ready
  }
}
