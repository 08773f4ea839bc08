/**
 * Follows the leader of its epoch, or waits for one.
 *
 *     floor <= verified             what is known to equal the leader's log; floor: the high watermark, see State#floor
 *     acknowledged  <= verified     of that, what is durable, and said so
 */
import { assert } from '../base/assert.ts'
import type { Append, Heartbeat, Install, Message } from './message.ts'
import type { Role, Transitions } from './role.ts'
import type { State } from './state.ts'

export class Follower<Entries> implements Role<Entries> {
  readonly name = 'follower'
  readonly #state: State<Entries>
  readonly #transitions: Transitions
  #leaderId: number
  #heardMs: number
  #deadlineMs: number
  /** What is committed equals every later leader's log, so each stay begins there.  @source Raft 5.4, leader completeness */
  #verified: number
  #acknowledged: number
  #acknowledgeDue = false
  #leaderHighWatermark = 0
  /** The word of the leader: the session in which it was given (0: none), in which heartbeat, and whether it is kept alive. */
  #session = 0
  #saidMs = -Infinity
  #isQuiet = false
  #hasPledged = false

  /** `heardMs`: when a leader was last heard, -Infinity if never. `deadlineMs`: when to campaign. */
  constructor(
    state: State<Entries>,
    transitions: Transitions,
    options: { leaderId: number; heardMs: number; deadlineMs: number },
  ) {
    this.#state = state
    this.#transitions = transitions
    this.#leaderId = options.leaderId
    this.#heardMs = options.heardMs
    this.#deadlineMs = options.deadlineMs
    this.#verified = state.floor
    this.#acknowledged = state.floor
  }

  get leaderId(): number {
    return this.#leaderId
  }
  get heardMs(): number {
    return this.#heardMs
  }
  get deadlineMs(): number {
    return this.#state.mayCampaign && !this.#isQuiet ? this.#deadlineMs : Infinity
  }
  get hasPledged(): boolean {
    return this.#hasPledged
  }

  /** When it would campaign, were nothing more heard. */
  electionDueMs(nowMs: number): number {
    return this.#isQuiet ? nowMs + this.#state.electionDelayMs() : this.#deadlineMs
  }

  hasLeader(nowMs: number): boolean {
    return this.#isQuiet || nowMs - this.#heardMs < this.#state.settings.electionTimeoutMs
  }

  tick(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#transitions.campaign('preVote', nowMs)
  }

  /** A vote was given: the candidate gets its time. (Never for a pre-vote, R-02.) */
  postponeElection(nowMs: number): void {
    this.#deadlineMs = nowMs + this.#state.electionDelayMs()
  }

  receive(from: number, message: Message<Entries>, nowMs: number): void {
    switch (message.type) {
      case 'append':
        this.#hear(from, nowMs)
        this.#append(from, message)
        break
      case 'heartbeat':
        this.#hear(from, nowMs)
        this.#learn(message.highWatermark)
        this.#believe(message)
        this.#state.promise(from, {
          type: 'heartbeatReply',
          epoch: message.epoch,
          sentMs: message.sentMs,
          matched: this.#verified,
          durable: this.#durable(),
          session: message.session === 0 ? 0 : this.#pledge(from),
        })
        break
      case 'advance':
        this.#hear(from, nowMs)
        this.#learn(message.highWatermark)
        break
      case 'install':
        this.#hear(from, nowMs)
        this.#install(message)
        break
      case 'timeoutNow':
        if (from === this.#leaderId && this.#state.mayCampaign) this.#transitions.campaign('transfer', nowMs)
        break
      default:
      // Replies to what this member asked in another role.
    }
  }

  peerWell(peer: number, session: number): void {
    if (peer === this.#leaderId && session === this.#session) this.#isQuiet = true
  }

  /** From here on it waits by itself again, as if a heartbeat had come when the leader's broker was last heard. */
  peerUnwell(peer: number, heardMs: number): void {
    if (peer !== this.#leaderId || !this.#isQuiet) return
    this.#isQuiet = false
    this.#heardMs = Math.max(this.#heardMs, heardMs)
    this.#deadlineMs = this.#heardMs + this.#state.electionDelayMs()
  }

  /**
   * A leader whose process has ended is not waited for: neither by its followers, who stand for election at once (spread over a
   * quarter of a time-out, so that two rarely do together), nor by those who are asked for their vote. Was it a mistake, the pre-vote of
   * the others ends it.
   */
  peerGone(peer: number, nowMs: number): void {
    if (peer !== this.#leaderId) return
    this.#isQuiet = false
    this.#heardMs = -Infinity
    const { electionTimeoutMs } = this.#state.settings
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + (this.#state.random() * electionTimeoutMs) / 4)
  }

  renounced(): void {
    this.#hasPledged = false
  }

  durable(): void {
    this.#raise()
    if (this.#durable() > this.#acknowledged) this.#acknowledgeDue = true
  }

  flush(): void {
    if (!this.#acknowledgeDue || this.#leaderId === -1) return
    this.#acknowledgeDue = false
    this.#acknowledged = this.#durable()
    this.#state.promise(this.#leaderId, {
      type: 'appended',
      epoch: this.#state.epoch,
      matched: this.#verified,
      durable: this.#acknowledged,
    })
  }

  #hear(from: number, nowMs: number): void {
    if (this.#leaderId === -1) this.#leaderId = from
    assert(this.#leaderId === from, 'an epoch has one leader')
    this.#heardMs = nowMs
    this.#deadlineMs = nowMs + this.#state.electionDelayMs()
  }

  /** Heartbeats that overtake each other: the newest is true. */
  #believe({ session, sentMs }: Heartbeat): void {
    if (sentMs < this.#saidMs) return
    this.#saidMs = sentMs
    this.#session = session
    this.#isQuiet = session !== 0
  }

  /** Gives its word, if it has everything, and may: returns the session. */
  #pledge(leader: number): number {
    const { extents, highWatermark } = this.#state
    if (this.#verified !== extents.end || highWatermark !== extents.end) return 0
    const session = this.#state.pulses.sessionWith(leader)
    if (session !== 0) this.#hasPledged = true
    return session
  }

  #append(from: number, message: Append<Entries>): void {
    const state = this.#state
    const { extents, floor } = state
    // Said for the log that is going.
    if (state.isInstalling) return
    // Below the high watermark the logs agree by leader completeness, also where this log has forgotten its epochs.
    if (message.from > floor && !this.#agrees(message.from, message.fromEpoch)) {
      this.#refuse(from, message)
      return
    }
    const until = message.runs.at(-1)?.until ?? message.from
    if (until > floor) {
      const fresh = extents.firstDifference(Math.max(message.from, floor), message.runs)
      if (fresh < until) {
        assert(message.entries !== null, 'an append with runs carries their units')
        // Only a real difference cuts: an old append that ends earlier says nothing about what follows it.
        if (fresh < extents.end) state.truncate(fresh)
        state.append(fresh, message.runs, message.entries)
      }
      this.#verified = Math.max(this.#verified, until)
    }
    this.#learn(message.highWatermark)
    // Said when durable; at once when there is nothing to wait for, or the leader asks where the logs agree.
    if (message.runs.length === 0 || extents.durable >= until) this.#acknowledgeDue = true
  }

  #refuse(from: number, message: Append<Entries>): void {
    const { extents, floor } = this.#state
    const bound = Math.min(message.from, extents.end)
    const position = Math.max(floor, extents.lastAtMost(message.fromEpoch, bound))
    this.#state.promise(from, {
      type: 'conflict',
      epoch: message.epoch,
      from: message.from,
      position,
      positionEpoch: extents.epochBefore(position),
      attempt: message.attempt,
    })
  }

  /** Only what lies ahead is installed: an old image, or one that came twice, changes nothing. */
  #install(message: Install): void {
    const state = this.#state
    const { position, positionEpoch } = message
    if (state.isInstalling) return
    if (position <= state.floor || this.#agrees(position, positionEpoch)) {
      this.#verified = Math.max(this.#verified, position)
      this.#acknowledgeDue = true
      this.#learn(position)
    } else {
      state.takePiece(message)
    }
  }

  /** The log was replaced; all below its start is committed. */
  reset(): void {
    this.#verified = this.#state.highWatermark
    this.#acknowledgeDue = true
  }

  #agrees(position: number, epoch: number): boolean {
    const { extents } = this.#state
    return position <= extents.end && extents.epochBefore(position) === epoch
  }

  #durable(): number {
    return Math.min(this.#verified, this.#state.extents.durable)
  }

  #learn(highWatermark: number): void {
    this.#leaderHighWatermark = Math.max(this.#leaderHighWatermark, highWatermark)
    this.#raise()
  }

  /** Never beyond what is known to be the leader's, nor beyond what this member itself could still serve after a crash. */
  #raise(): void {
    this.#state.maybeCommit(Math.min(this.#leaderHighWatermark, this.#durable()))
  }
}
