/**
 * A leader's log on its way to everybody else: where each follower stands, what is read and sent for it, where the logs part.
 *
 * Nothing is decided here: what counts, who counts and who leads is the leader's business (leader.ts).
 */
import { assert } from '../base/assert.ts'
import type { Event } from './event.ts'
import type { Appended, Conflict, HeartbeatReply } from './message.ts'
import { Progress } from './progress.ts'
import type { State } from './state.ts'

export class Replication<Entries> {
  readonly #state: State<Entries>
  /** Of everybody else who receives the log. */
  readonly #followers = new Map<number, Progress>()

  constructor(state: State<Entries>) {
    this.#state = state
  }

  get followers(): ReadonlyMap<number, Progress> {
    return this.#followers
  }

  /** Those that are not followed yet are asked where their logs agree with this one. */
  follow(peers: readonly number[], nowMs: number): void {
    const { id, extents } = this.#state
    for (const peer of peers) {
      if (peer === id || this.#followers.has(peer)) continue
      const progress = new Progress(extents.end)
      this.#followers.set(peer, progress)
      this.#probe(peer, progress, nowMs)
    }
  }

  unfollow(peer: number): void {
    this.#followers.delete(peer)
  }

  /** Its word counts for nothing, or for something again: what was said before is void. */
  estranged(peer: number, nowMs: number): void {
    if (this.#followers.delete(peer)) this.follow([peer], nowMs)
  }

  /** Everything below is durable on that voter, as far as is known here. */
  durableOf(voter: number): number {
    const { id, extents } = this.#state
    if (voter === id) return extents.durable
    return this.#state.isEstranged(voter) ? 0 : (this.#followers.get(voter)?.durable ?? 0)
  }

  /** Returns whether more is durable there. */
  appended(from: number, said: Appended | HeartbeatReply, nowMs: number): boolean {
    const progress = this.#followers.get(from)
    const { extents } = this.#state
    if (said.matched > extents.end) {
      assert(this.#state.mayForget(), 'a follower holds no more than its leader')
      return false
    }
    if (progress === undefined) return false
    if (progress.phase === 'behind' && said.matched >= extents.start) progress.probe(said.matched)
    const hasAdvanced = progress.maybeAdvance(said.matched, said.durable, nowMs)
    progress.compare(extents.end, nowMs)
    return hasAdvanced
  }

  /** Their logs part. Returns whether the follower has forgotten what it had called durable. */
  conflict(from: number, said: Conflict, nowMs: number): boolean {
    const progress = this.#followers.get(from)
    // One complaint ends an attempt: a follower that missed one append complains about all that followed.
    if (progress === undefined || said.attempt !== progress.attempt || progress.phase === 'behind')
      return false
    if (said.from <= progress.durableBefore) return true
    if (said.from <= progress.durable) return false
    const { extents } = this.#state
    const next = extents.lastAtMost(said.positionEpoch, Math.min(said.position, said.from))
    assert(next < said.from, 'a conflict leads downwards')
    progress.probe(next)
    this.#probe(from, progress, nowMs)
    return false
  }

  /** What was lost on the way is not answered; the heartbeats show it. */
  unstick(to: number, matched: number, nowMs: number): void {
    const progress = this.#followers.get(to)
    if (progress === undefined) return
    const { electionTimeoutMs, heartbeatMs } = this.#state.settings
    if (progress.isInstallLost(nowMs, electionTimeoutMs)) progress.beginInstall()
    if (progress.phase === 'stream' && nowMs - progress.movedMs >= electionTimeoutMs) progress.probe(matched)
    if (progress.phase === 'probe' && nowMs - progress.probeSentMs >= 2 * heartbeatMs) {
      this.#probe(to, progress, nowMs)
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

  /** One read per follower and turn, however many proposals it brought; and the news of a commit, if nothing else carries it. */
  flush(nowMs: number): void {
    const { extents, settings, epoch, highWatermark } = this.#state
    for (const [to, progress] of this.#followers) {
      if (!progress.isSettled(extents.end, highWatermark)) {
        progress.wake(this.#state.pulses.contactMs(to))
      }
      if (progress.next < extents.start) progress.fallBehind()
      const install = progress.takeInstall(nowMs)
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
}
