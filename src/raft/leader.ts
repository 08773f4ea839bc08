/**
 * Leads its epoch: puts units in order, brings them to the followers, and commits what a majority holds durably.
 *
 * It is elected as soon as it exists, and *ready* when the mark that opens its epoch is committed.
 *
 * Voters change by two marks, see membership.ts. The leader appends both: the first when it was told to and all newcomers are up to
 * date, the second, whoever appended the first, as soon as that is committed. Until the last one is committed those who leave are
 * kept up to date, and a leader that leaves goes on leading; then it hands over.
 */
import { assert } from '../base/assert.ts'
import { Change } from './change.ts'
import type { Event } from './event.ts'
import { Heartbeats } from './heartbeats.ts'
import { haveSame, isJoint, isSoleVoter, isVoter, members } from './membership.ts'
import type { Appended, Conflict, HeartbeatReply, Message } from './message.ts'
import { reached } from './quorum.ts'
import { Replication } from './replication.ts'
import type { Role, Transitions } from './role.ts'
import type { State } from './state.ts'

/** Of one follower, as the leader knows it. Positions, and times of its clock: -Infinity for never. */
export interface FollowerProgress {
  readonly id: number
  readonly matched: number
  readonly durable: number
  /** When the newest heartbeat that it has answered was sent. */
  readonly contactMs: number
  /** It has everything that the log held then. */
  readonly caughtUpMs: number
}

export class Leader<Entries> implements Role<Entries> {
  readonly name = 'leader'
  readonly #state: State<Entries>
  readonly #transitions: Transitions
  readonly #replication: Replication<Entries>
  readonly #heartbeats: Heartbeats<Entries>
  /** Position of the mark that opened the epoch. */
  readonly #epochStart: number
  #observers: readonly number[] = []
  #change: Change | null = null
  /** Who receives the log was last made out for this configuration, and whether it was committed then. */
  #known = { position: -2, isCommitted: false }
  /** A sole voter that nobody follows and of whom nothing is asked: there is nobody to be told what a turn has brought. */
  #isAlone = false
  #nowMs: number
  #transferTo = -1
  #transferEndsMs = Infinity

  constructor(state: State<Entries>, transitions: Transitions, nowMs: number) {
    this.#state = state
    this.#transitions = transitions
    this.#replication = new Replication(state)
    this.#heartbeats = new Heartbeats(state, this.#replication, nowMs)
    this.#nowMs = nowMs
    // (Before the epoch's own start is in the log: the followers are asked about what comes before it.)
    this.#replication.follow(members(state.membership), nowMs)
    this.#heartbeats.passed(nowMs)
    this.#epochStart = state.startEpoch()
  }

  get leaderId(): number {
    return this.#state.id
  }
  get deadlineMs(): number {
    return Math.min(this.#heartbeats.dueMs, this.#transferEndsMs)
  }
  get hasPledged(): boolean {
    return this.#heartbeats.hasPledged
  }
  get isReady(): boolean {
    return this.#state.highWatermark > this.#epochStart
  }
  /** False while leadership is being handed over. */
  get acceptsProposals(): boolean {
    return this.#transferTo === -1
  }

  /** Who receives the log beside the voters. */
  get observers(): readonly number[] {
    return [...this.#replication.followers.keys()].filter(
      (follower) => !members(this.#state.membership).includes(follower),
    )
  }
  /** A change of voters that is under way: 'waiting' can be given up, 'joint' goes on whoever leads. */
  get change(): 'none' | 'waiting' | 'joint' {
    if (this.#change !== null) return 'waiting'
    const { membership } = this.#state
    return isJoint(membership) || !this.#isCommitted(membership.position) ? 'joint' : 'none'
  }
  /** The largest position that so many voters hold durably. */
  heldBy(count: number): number {
    const { membership } = this.#state
    const positions = membership.voters
      .map((voter) => this.#replication.durableOf(voter))
      .sort((a, b) => b - a)
    return positions[Math.min(count, positions.length) - 1] ?? 0
  }
  /** Voters that are heard and hold all that was committed an election time-out ago, itself among them. */
  inSync(nowMs: number): readonly number[] {
    return this.#state.membership.voters.filter((voter) => this.#isInSync(voter, nowMs))
  }

  #isInSync(member: number, nowMs: number): boolean {
    const { id, settings, highWatermark } = this.#state
    const progress = this.#replication.followers.get(member)
    if (progress === undefined) return member === id
    if (progress.isQuiet) return !this.#state.isEstranged(member)
    const isHeard = nowMs - progress.contactMs < settings.electionTimeoutMs
    const isNear =
      progress.durable >= highWatermark || nowMs - progress.caughtUpMs < settings.electionTimeoutMs
    return isHeard && isNear && progress.phase === 'stream' && !this.#state.isEstranged(member)
  }

  /** Where everybody else who receives the log stands. */
  progress(nowMs: number): readonly FollowerProgress[] {
    return [...this.#replication.followers].map(([id, progress]) => {
      const { matched, durable, isQuiet } = progress
      const contactMs = isQuiet ? nowMs : Math.min(nowMs, progress.contactMs)
      const caughtUpMs = isQuiet ? nowMs : progress.caughtUpMs
      return { id, matched, durable, contactMs, caughtUpMs }
    })
  }

  /** As long as it leads it has one: `tick` ends a leadership that has lost its majority. */
  hasLeader(): boolean {
    return true
  }

  proposed(units: number): void {
    assert(this.acceptsProposals, 'nothing is proposed while leadership is handed over')
    this.#state.extents.append(this.#state.epoch, units)
  }

  durable(): void {
    this.#maybeCommit()
  }

  tick(nowMs: number): void {
    const { settings, epoch } = this.#state
    this.#nowMs = nowMs
    if (nowMs < this.deadlineMs) return
    this.#heartbeats.passed(nowMs)
    // A leader that a majority does not hear would serve old state.
    if (nowMs - this.#heartbeats.contactMs(nowMs) >= settings.electionTimeoutMs) {
      this.#transitions.follow(epoch, -1, nowMs)
      return
    }
    if (nowMs >= this.#transferEndsMs) this.#endTransfer()
    this.#heartbeats.beat(nowMs)
  }

  peerWell(peer: number): void {
    this.#heartbeats.peerWell(peer)
  }

  peerUnwell(peer: number, _heardMs: number, contactMs: number): void {
    this.#heartbeats.peerUnwell(peer, contactMs)
  }

  renounced(): void {
    this.#heartbeats.renounced()
  }

  /** Is it still the leader? Answered by `Ready.confirmed`, or never. */
  confirm(question: number, nowMs: number): void {
    this.#nowMs = nowMs
    this.#isAlone = false
    if (this.isReady) this.#heartbeats.ask(question)
  }

  receive(from: number, message: Message<Entries>, nowMs: number): void {
    const progress = this.#replication.followers.get(from)
    this.#nowMs = nowMs
    if (progress === undefined) return
    switch (message.type) {
      case 'appended':
        this.#appended(from, message, nowMs)
        break
      case 'conflict':
        this.#conflict(from, message, nowMs)
        break
      case 'heartbeatReply':
        this.#appended(from, message, nowMs)
        this.#heartbeats.answered(from, message)
        this.#replication.unstick(from, message.matched, nowMs)
        break
      case 'installed':
        progress.installed(message.position, message.received, nowMs)
        break
      case 'append':
      case 'heartbeat':
      case 'advance':
      case 'install':
        assert(false, 'an epoch has one leader')
        break
      default:
      // Late votes.
    }
  }

  read(read: Extract<Event<Entries>, { type: 'read' }>): void {
    this.#replication.read(read)
  }

  peerLost(peer: number): void {
    this.#replication.peerLost(peer)
  }

  /** A turn has added up to this. */
  flush(): void {
    if (this.#isAlone) return
    if (!this.#maybeChange()) return
    this.#maybeFollowOthers()
    this.#heartbeats.flush(this.#nowMs)
    this.#replication.flush(this.#nowMs)
    this.#isAlone =
      isSoleVoter(this.#state.membership, this.#state.id) &&
      this.#known.isCommitted &&
      this.#change === null &&
      this.#replication.followers.size === 0
  }

  observe(observers: readonly number[], nowMs: number): void {
    this.#nowMs = nowMs
    this.#isAlone = false
    this.#observers = observers
    this.#known = { position: -2, isCommitted: false }
  }

  changeVoters(voters: readonly number[], nowMs: number): void {
    this.#nowMs = nowMs
    this.#isAlone = false
    const { membership, extents, settings } = this.#state
    assert(voters.length > 0, 'a quorum has a voter')
    if (this.change !== 'none' || haveSame(voters, membership.voters)) return
    const newcomers = voters.filter((voter) => !membership.voters.includes(voter))
    const { end } = extents
    const roundMsMax = settings.electionTimeoutMs
    this.#change = new Change({ voters, newcomers, end, nowMs: this.#nowMs, roundMsMax })
    // An observer may have everything already, and then nothing more to say.
    for (const [newcomer, { durable }] of this.#replication.followers) {
      this.#change.advanced(newcomer, durable, end, this.#nowMs)
    }
    this.#known = { position: -2, isCommitted: false }
  }

  abandonChange(): void {
    this.#change = null
    this.#known = { position: -2, isCommitted: false }
  }

  /** Another disk, or the right one again. */
  estranged(peer: number): void {
    this.#replication.estranged(peer, this.#nowMs)
  }

  transfer(to: number, nowMs: number): void {
    if (!this.#replication.followers.has(to) || !this.#state.membership.voters.includes(to)) return
    // Never in the middle of a change: the next leader would have to finish what this one knows better.
    if (this.change !== 'none') return
    this.#transferTo = to
    this.#transferEndsMs = nowMs + this.#state.settings.electionTimeoutMs
    this.#maybeHandOver()
  }

  #appended(from: number, said: Appended | HeartbeatReply, nowMs: number): void {
    const hasAdvanced = this.#replication.appended(from, said, nowMs)
    // Any answer may end a newcomer's round: where nothing is written it has nowhere to advance to.
    this.#change?.advanced(from, said.durable, this.#state.extents.end, nowMs)
    if (!hasAdvanced) return
    this.#maybeCommit()
    if (from === this.#transferTo) this.#maybeHandOver()
  }

  #conflict(from: number, said: Conflict, nowMs: number): void {
    if (!this.#replication.conflict(from, said, nowMs)) return
    // It has forgotten what it called durable, and begins anew. A voter's word counts no more; who does not vote yet has
    // promised nothing, and may only have been taken away and put there again.
    if (isVoter(this.#state.membership, from)) this.#state.setEstranged(from, true)
    this.estranged(from)
  }

  /** Counts replicas only for units of its own epoch: older ones are committed by what follows them.  @source Raft 5.4.2 */
  #maybeCommit(): void {
    const position = reached(this.#state.membership, (voter) => this.#replication.durableOf(voter))
    if (position > this.#epochStart) this.#state.maybeCommit(position)
  }

  #isCommitted(position: number): boolean {
    return position < this.#state.highWatermark
  }

  /** Takes a change of voters one step further. Returns whether it still leads. */
  #maybeChange(): boolean {
    const state = this.#state
    const { membership } = state
    // One at a time, and none before an entry of this epoch is committed: else two leaders of different epochs could each have
    // a configuration that the other does not know.
    if (!this.isReady || !this.#isCommitted(membership.position)) return true
    if (isJoint(membership)) state.changeVoters(membership.voters, [])
    else if (
      this.#change?.isCaughtUp === true &&
      this.acceptsProposals &&
      this.#carries(this.#change.voters)
    ) {
      state.changeVoters(this.#change.voters, membership.voters)
      this.#change = null
    } else if (!state.isVoter) {
      this.#leave()
      return false
    }
    return true
  }

  /** A majority of them is there: the change, once it is in the log, comes to an end. One that waits for a voter who is gone costs nobody anything. */
  #carries(voters: readonly number[]): boolean {
    return voters.filter((voter) => this.#isInSync(voter, this.#nowMs)).length > voters.length / 2
  }

  /** A leader that is no voter any more: whoever has everything takes over at once. */
  #leave(): void {
    const { extents, epoch, membership } = this.#state
    const heir = membership.voters.find(
      (voter) => this.#replication.followers.get(voter)?.durable === extents.end,
    )
    for (const to of this.#replication.followers.keys()) {
      this.#state.send(to, { type: 'advance', epoch, highWatermark: this.#state.highWatermark })
    }
    if (heir !== undefined) this.#state.send(heir, { type: 'timeoutNow', epoch })
    this.#transitions.follow(epoch, -1, this.#nowMs)
  }

  /** Who receives the log follows from the configuration, and shrinks only when that is committed. */
  #maybeFollowOthers(): void {
    const { membership, highWatermark, epoch } = this.#state
    const isCommitted = this.#isCommitted(membership.position)
    if (this.#known.position === membership.position && this.#known.isCommitted === isCommitted) return
    this.#known = { position: membership.position, isCommitted }
    const wanted = new Set([...members(membership), ...this.#observers, ...(this.#change?.voters ?? [])])
    this.#replication.follow([...wanted], this.#nowMs)
    if (!isCommitted) return
    for (const [to, progress] of this.#replication.followers) {
      if (wanted.has(to)) continue
      this.#replication.unfollow(to)
      // So that it knows that it is out.
      if (progress.phase === 'stream') this.#state.send(to, { type: 'advance', epoch, highWatermark })
    }
  }

  #maybeHandOver(): void {
    const progress = this.#replication.followers.get(this.#transferTo)
    if (progress?.durable !== this.#state.extents.end) return
    this.#state.send(this.#transferTo, { type: 'timeoutNow', epoch: this.#state.epoch })
  }

  #endTransfer(): void {
    this.#transferTo = -1
    this.#transferEndsMs = Infinity
  }
}
