/**
 * What a member knows whatever its role, and what it has to say since the last `ready()`. The roles (follower.ts, candidate.ts,
 * leader.ts) hold what only they have and work on this.
 */
import { assert } from '../base/assert.ts'
import type { Extents } from './extents.ts'
import type { Envelope, Message, Run } from './message.ts'
import type { Ballot, Operation, Read, Ready } from './ready.ts'

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

export interface StateOptions {
  readonly id: number
  /** Who counts. (Observers, who receive and do not count, will stand beside them.) */
  readonly voters: readonly number[]
  readonly ballot: Ballot
  readonly extents: Extents
  readonly settings: RaftSettings
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const nothing: readonly never[] = []
const silence: Ready<never> = {
  operations: nothing,
  ballot: null,
  messages: nothing,
  promises: nothing,
  reads: nothing,
}

export class State<Entries> {
  readonly id: number
  readonly voters: readonly number[]
  readonly settings: RaftSettings
  readonly extents: Extents
  readonly random: () => number
  #epoch: number
  #votedFor: number
  #highWatermark: number
  #ballotChanged = false
  #operations: Operation<Entries>[] = []
  #messages: Envelope<Entries>[] = []
  #promises: Envelope<Entries>[] = []
  #reads: Read[] = []

  constructor(options: StateOptions) {
    const { ballot, extents } = options
    this.id = options.id
    this.voters = options.voters
    this.settings = options.settings
    this.extents = extents
    this.random = options.random
    // The log may know a newer epoch than the ballot: of a sole voter, who writes none (see raft.ts), or of a leader that
    // was heard just before a crash. Somebody won that epoch, so whoever this member voted for, its vote there is spent.
    const isSpent = extents.lastEpoch > ballot.epoch
    this.#epoch = isSpent ? extents.lastEpoch : ballot.epoch
    this.#votedFor = isSpent ? this.id : ballot.votedFor
    this.#highWatermark = extents.start
  }

  get epoch(): number {
    return this.#epoch
  }
  get votedFor(): number {
    return this.#votedFor
  }
  /** Exclusive end of what is committed. */
  get highWatermark(): number {
    return this.#highWatermark
  }
  get isVoter(): boolean {
    return this.voters.includes(this.id)
  }
  get isSoleVoter(): boolean {
    return this.voters.length === 1 && this.isVoter
  }

  /** Uniform in [time-out, 2 x time-out), so that two rarely campaign at once.  @source Raft 5.2 */
  electionDelayMs(): number {
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
    assert(position >= this.#highWatermark, 'nothing committed is ever cut')
    this.extents.truncate(position)
    this.#operations.push({ type: 'truncate', position })
  }

  append(from: number, runs: readonly Run[], entries: Entries): void {
    assert(from === this.extents.end, 'an append continues the log')
    for (const { epoch, until } of runs) {
      if (until > this.extents.end) this.extents.append(epoch, until - this.extents.end)
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

  takeReady(): Ready<Entries> {
    const said = this.#operations.length + this.#messages.length + this.#promises.length + this.#reads.length
    if (said === 0 && !this.#ballotChanged) return silence
    const ready: Ready<Entries> = {
      operations: this.#operations,
      ballot: this.#ballotChanged ? { epoch: this.#epoch, votedFor: this.#votedFor } : null,
      messages: this.#messages,
      promises: this.#promises,
      reads: this.#reads,
    }
    this.#operations = []
    this.#messages = []
    this.#promises = []
    this.#reads = []
    this.#ballotChanged = false
    return ready
  }
}
