/**
 * Leads its epoch: puts units in order, brings them to the followers, and commits what a majority holds durably.
 *
 * It is elected as soon as it exists, and *ready* when the mark that opens its epoch is committed.
 */
import { assert } from '../base/assert.ts'
import type { Event } from './event.ts'
import type { Appended, Conflict, HeartbeatReply, Message } from './message.ts'
import { Progress } from './progress.ts'
import { reached } from './quorum.ts'
import type { Role, Transitions } from './role.ts'
import type { State } from './state.ts'

export class Leader<Entries> implements Role<Entries> {
  readonly name = 'leader'
  readonly #state: State<Entries>
  readonly #transitions: Transitions
  /** Of everybody else. */
  readonly #followers = new Map<number, Progress>()
  /** Position of the mark that opened the epoch. */
  readonly #epochStart: number
  #heartbeatDueMs: number
  #transferTo = -1
  #transferEndsMs = Infinity

  constructor(state: State<Entries>, transitions: Transitions, nowMs: number) {
    this.#state = state
    this.#transitions = transitions
    for (const voter of state.voters) {
      if (voter !== state.id) this.#followers.set(voter, new Progress(state.extents.end, nowMs))
    }
    this.#heartbeatDueMs = nowMs + state.settings.heartbeatMs
    this.#epochStart = state.startEpoch()
    for (const [peer, progress] of this.#followers) this.#probe(peer, progress, nowMs)
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
    const { settings, voters, id, epoch, highWatermark } = this.#state
    if (this.#followers.size === 0 || nowMs < this.#heartbeatDueMs) return
    // Check-quorum: a leader that a majority does not hear would serve old state.  @source thesis 6.2
    const contactMs = reached(voters, (voter) =>
      voter === id ? nowMs : (this.#followers.get(voter)?.contactMs ?? -Infinity),
    )
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
      case 'append':
      case 'heartbeat':
      case 'advance':
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
    else if (progress !== undefined) progress.probeSentMs = -Infinity
  }

  transfer(to: number, nowMs: number): void {
    if (!this.#followers.has(to) || !this.#state.voters.includes(to)) return
    this.#transferTo = to
    this.#transferEndsMs = nowMs + this.#state.settings.electionTimeoutMs
    this.#maybeHandOver()
  }

  /** One read per follower and turn, however many proposals it brought; and the news of a commit, if nothing else carries it. */
  flush(): void {
    const { extents, settings, epoch, highWatermark } = this.#state
    for (const [to, progress] of this.#followers) {
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
    if (!progress.maybeAdvance(said.matched, said.durable, nowMs)) return
    this.#maybeCommit()
    if (from === this.#transferTo) this.#maybeHandOver()
  }

  #conflict(from: number, progress: Progress, said: Conflict, nowMs: number): void {
    // One complaint ends an attempt: a follower that missed one append complains about all that followed.
    if (said.attempt !== progress.attempt || progress.phase === 'behind') return
    // One below what it called durable has lost its disk; nothing here may help it to forget.
    if (said.from <= progress.durable) return
    const { extents } = this.#state
    const next = extents.lastAtMost(said.positionEpoch, Math.min(said.position, said.from))
    assert(next < said.from, 'a conflict leads downwards')
    progress.probe(next)
    this.#probe(from, progress, nowMs)
  }

  /** What was lost on the way is not answered; the heartbeats show it. */
  #unstick(to: number, progress: Progress, matched: number, nowMs: number): void {
    const { extents, settings } = this.#state
    const { electionTimeoutMs, heartbeatMs } = settings
    if (progress.phase === 'behind' && matched >= extents.start) progress.probe(matched)
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
    const { voters, id, extents } = this.#state
    const position = reached(voters, (voter) =>
      voter === id ? extents.durable : (this.#followers.get(voter)?.durable ?? 0),
    )
    if (position > this.#epochStart) this.#state.maybeCommit(position)
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
