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
import { haveSame, isJoint, members } from './membership.ts'
import type { Appended, Conflict, HeartbeatReply, Message } from './message.ts'
import { Progress } from './progress.ts'
import { reached } from './quorum.ts'
import type { Role, Transitions } from './role.ts'
import type { State } from './state.ts'

export class Leader<Entries> implements Role<Entries> {
  readonly name = 'leader'
  readonly #state: State<Entries>
  readonly #transitions: Transitions
  /** Of everybody else who receives the log. */
  readonly #followers = new Map<number, Progress>()
  /** Position of the mark that opened the epoch. */
  readonly #epochStart: number
  #observers: readonly number[] = []
  #change: Change | null = null
  /** Who receives the log was last made out for this configuration, and whether it was committed then. */
  #known = { position: -2, isCommitted: false }
  #nowMs: number
  #heartbeatDueMs: number
  #transferTo = -1
  #transferEndsMs = Infinity

  constructor(state: State<Entries>, transitions: Transitions, nowMs: number) {
    this.#state = state
    this.#transitions = transitions
    this.#nowMs = nowMs
    this.#heartbeatDueMs = nowMs + state.settings.heartbeatMs
    const end = state.extents.end
    this.#epochStart = state.startEpoch()
    this.#follow(members(state.membership), end)
  }

  get leaderId(): number {
    return this.#state.id
  }
  get deadlineMs(): number {
    return this.#followers.size === 0 ? Infinity : this.#heartbeatDueMs
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
    return [...this.#followers.keys()].filter(
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
    const positions = membership.voters.map((voter) => this.#durableOf(voter)).sort((a, b) => b - a)
    return positions[Math.min(count, positions.length) - 1] ?? 0
  }
  /** Voters that are heard and hold all that was committed an election time-out ago, itself among them. */
  inSync(nowMs: number): readonly number[] {
    const { membership, id, settings, highWatermark } = this.#state
    return membership.voters.filter((voter) => {
      const progress = this.#followers.get(voter)
      if (progress === undefined) return voter === id
      const isHeard = nowMs - progress.contactMs < settings.electionTimeoutMs
      const isNear =
        progress.durable >= highWatermark || nowMs - progress.movedMs < settings.electionTimeoutMs
      return isHeard && isNear && progress.phase === 'stream' && !this.#state.isEstranged(voter)
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
    const { settings, membership, id, epoch, highWatermark } = this.#state
    this.#nowMs = nowMs
    if (this.#followers.size === 0 || nowMs < this.#heartbeatDueMs) return
    // Check-quorum: a leader that a majority does not hear would serve old state.  @source thesis 6.2
    const contactMs = reached(membership, (voter) => {
      if (voter === id) return nowMs
      return this.#state.isEstranged(voter) ? -Infinity : (this.#followers.get(voter)?.contactMs ?? -Infinity)
    })
    if (nowMs - contactMs >= settings.electionTimeoutMs) {
      this.#transitions.follow(epoch, -1, nowMs)
      return
    }
    if (nowMs >= this.#transferEndsMs) this.#endTransfer()
    this.#heartbeatDueMs = nowMs + settings.heartbeatMs
    for (const [peer, progress] of this.#followers) {
      progress.toldHighWatermark = highWatermark
      this.#state.send(peer, { type: 'heartbeat', epoch, sentMs: nowMs, highWatermark })
    }
  }

  receive(from: number, message: Message<Entries>, nowMs: number): void {
    const progress = this.#followers.get(from)
    this.#nowMs = nowMs
    if (progress === undefined) return
    switch (message.type) {
      case 'appended':
        this.#appended(from, progress, message, nowMs)
        break
      case 'conflict':
        this.#conflict(from, progress, message, nowMs)
        break
      case 'heartbeatReply':
        progress.contactMs = Math.max(progress.contactMs, message.sentMs)
        this.#appended(from, progress, message, nowMs)
        this.#unstick(from, progress, message.matched, nowMs)
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

  /** The driver has read for a follower. */
  read(read: Extract<Event<Entries>, { type: 'read' }>): void {
    const { extents, epoch, highWatermark } = this.#state
    const progress = this.#followers.get(read.to)
    // Since the read began the follower may have had to be probed again, or another leadership of ours has begun.
    if (epoch !== read.epoch || progress?.phase !== 'stream' || progress.next !== read.from) return
    progress.isReading = false
    if (read.from < extents.start) {
      // Trimmed meanwhile.
      progress.probe(progress.durable)
      return
    }
    assert(read.until > read.from && read.until <= extents.end, 'a read gives units that are there')
    progress.toldHighWatermark = highWatermark
    this.#state.send(read.to, {
      type: 'append',
      epoch,
      from: read.from,
      fromEpoch: extents.epochBefore(read.from),
      runs: extents.runs(read.from, read.until),
      entries: read.entries,
      highWatermark,
      attempt: progress.attempt,
    })
    progress.sent(read.until, read.bytes)
  }

  peerLost(peer: number): void {
    const progress = this.#followers.get(peer)
    if (progress?.phase === 'stream') progress.probe(progress.durable)
    else if (progress?.phase === 'behind') progress.beginInstall()
    else if (progress !== undefined) progress.probeSentMs = -Infinity
  }

  observe(observers: readonly number[], nowMs: number): void {
    this.#nowMs = nowMs
    this.#observers = observers
    this.#known = { position: -2, isCommitted: false }
  }

  changeVoters(voters: readonly number[]): void {
    const { membership, extents, settings } = this.#state
    assert(voters.length > 0, 'a quorum has a voter')
    if (this.change !== 'none' || haveSame(voters, membership.voters)) return
    const newcomers = voters.filter((voter) => !membership.voters.includes(voter))
    const { end } = extents
    const roundMsMax = settings.electionTimeoutMs
    this.#change = new Change({ voters, newcomers, end, nowMs: this.#nowMs, roundMsMax })
    this.#known = { position: -2, isCommitted: false }
  }

  abandonChange(): void {
    this.#change = null
    this.#known = { position: -2, isCommitted: false }
  }

  /** Another disk, or the right one again: what was said before is void. */
  estranged(peer: number): void {
    if (!this.#followers.has(peer)) return
    const { end } = this.#state.extents
    this.#followers.delete(peer)
    this.#follow([peer], end)
  }

  transfer(to: number, nowMs: number): void {
    if (!this.#followers.has(to) || !this.#state.membership.voters.includes(to)) return
    // Never in the middle of a change: the next leader would have to finish what this one knows better.
    if (this.change !== 'none') return
    this.#transferTo = to
    this.#transferEndsMs = nowMs + this.#state.settings.electionTimeoutMs
    this.#maybeHandOver()
  }

  /** One read per follower and turn, however many proposals it brought; and the news of a commit, if nothing else carries it. */
  flush(): void {
    if (!this.#maybeChange()) return
    this.#maybeFollowOthers()
    const { extents, settings, epoch, highWatermark } = this.#state
    for (const [to, progress] of this.#followers) {
      if (progress.next < extents.start) progress.fallBehind()
      const install = progress.takeInstall(this.#nowMs)
      if (install !== null) this.#state.install({ to, ...install, epoch })
      if (progress.phase !== 'stream' || progress.isReading) continue
      if (progress.next < extents.end) {
        if (!progress.hasRoom(settings)) continue
        progress.isReading = true
        this.#state.read({ to, from: progress.next, bytesMax: settings.appendBytesMax, epoch })
      } else if (progress.toldHighWatermark < highWatermark) {
        progress.toldHighWatermark = highWatermark
        this.#state.send(to, { type: 'advance', epoch, highWatermark })
      }
    }
  }

  #appended(from: number, progress: Progress, said: Appended | HeartbeatReply, nowMs: number): void {
    assert(said.matched <= this.#state.extents.end, 'a follower holds no more than its leader')
    if (progress.phase === 'behind' && said.matched >= this.#state.extents.start) progress.probe(said.matched)
    if (!progress.maybeAdvance(said.matched, said.durable, nowMs)) return
    this.#maybeCommit()
    this.#change?.advanced(from, said.durable, this.#state.extents.end, nowMs)
    if (from === this.#transferTo) this.#maybeHandOver()
  }

  #conflict(from: number, progress: Progress, said: Conflict, nowMs: number): void {
    // One complaint ends an attempt: a follower that missed one append complains about all that followed.
    if (said.attempt !== progress.attempt || progress.phase === 'behind') return
    // It has forgotten what it called durable: its word counts no more, and it begins anew.
    if (said.from <= progress.durableBefore) {
      this.#state.setEstranged(from, true)
      this.estranged(from)
      return
    }
    if (said.from <= progress.durable) return
    const { extents } = this.#state
    const next = extents.lastAtMost(said.positionEpoch, Math.min(said.position, said.from))
    assert(next < said.from, 'a conflict leads downwards')
    progress.probe(next)
    this.#probe(from, progress, nowMs)
  }

  /** What was lost on the way is not answered; the heartbeats show it. */
  #unstick(to: number, progress: Progress, matched: number, nowMs: number): void {
    const { settings } = this.#state
    const { electionTimeoutMs, heartbeatMs } = settings
    if (progress.isInstallLost(nowMs, electionTimeoutMs)) progress.beginInstall()
    if (progress.phase === 'stream' && nowMs - progress.movedMs >= electionTimeoutMs) progress.probe(matched)
    if (progress.phase === 'probe' && nowMs - progress.probeSentMs >= 2 * heartbeatMs) {
      this.#probe(to, progress, nowMs)
    }
  }

  #probe(to: number, progress: Progress, nowMs: number): void {
    const { extents, epoch, highWatermark } = this.#state
    if (progress.next < extents.start) {
      progress.fallBehind()
      return
    }
    progress.probeSentMs = nowMs
    this.#state.send(to, {
      type: 'append',
      epoch,
      from: progress.next,
      fromEpoch: extents.epochBefore(progress.next),
      runs: [],
      entries: null,
      highWatermark,
      attempt: progress.attempt,
    })
  }

  /** Counts replicas only for units of its own epoch: older ones are committed by what follows them.  @source Raft 5.4.2 */
  #maybeCommit(): void {
    const position = reached(this.#state.membership, (voter) => this.#durableOf(voter))
    if (position > this.#epochStart) this.#state.maybeCommit(position)
  }

  #durableOf(voter: number): number {
    const { id, extents } = this.#state
    if (voter === id) return extents.durable
    return this.#state.isEstranged(voter) ? 0 : (this.#followers.get(voter)?.durable ?? 0)
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
    else if (this.#change?.isCaughtUp === true && this.acceptsProposals) {
      state.changeVoters(this.#change.voters, membership.voters)
      this.#change = null
    } else if (!state.isVoter) {
      this.#leave()
      return false
    }
    return true
  }

  /** A leader that is no voter any more: whoever has everything takes over at once. */
  #leave(): void {
    const { extents, epoch, membership } = this.#state
    const heir = membership.voters.find((voter) => this.#followers.get(voter)?.durable === extents.end)
    for (const to of this.#followers.keys()) {
      this.#state.send(to, { type: 'advance', epoch, highWatermark: this.#state.highWatermark })
    }
    if (heir !== undefined) this.#state.send(heir, { type: 'timeoutNow', epoch })
    this.#transitions.follow(epoch, -1, this.#nowMs)
  }

  /** Who receives the log follows from the configuration, and shrinks only when that is committed. */
  #maybeFollowOthers(): void {
    const { membership, highWatermark, epoch, extents } = this.#state
    const isCommitted = this.#isCommitted(membership.position)
    if (this.#known.position === membership.position && this.#known.isCommitted === isCommitted) return
    this.#known = { position: membership.position, isCommitted }
    const wanted = new Set([...members(membership), ...this.#observers, ...(this.#change?.voters ?? [])])
    this.#follow([...wanted], extents.end)
    if (!isCommitted) return
    for (const [to, progress] of this.#followers) {
      if (wanted.has(to)) continue
      this.#followers.delete(to)
      // So that it knows that it is out.
      if (progress.phase === 'stream') this.#state.send(to, { type: 'advance', epoch, highWatermark })
    }
  }

  #follow(peers: readonly number[], end: number): void {
    for (const peer of peers) {
      if (peer === this.#state.id || this.#followers.has(peer)) continue
      const progress = new Progress(end, this.#nowMs)
      this.#followers.set(peer, progress)
      this.#probe(peer, progress, this.#nowMs)
    }
  }

  #maybeHandOver(): void {
    const progress = this.#followers.get(this.#transferTo)
    if (progress?.durable !== this.#state.extents.end) return
    this.#state.send(this.#transferTo, { type: 'timeoutNow', epoch: this.#state.epoch })
  }

  #endTransfer(): void {
    this.#transferTo = -1
    this.#transferEndsMs = Infinity
  }
}
