/**
 * A leader whose disk is sick and not dead: its heartbeats go on, its syncs take ages, and it is no help to those who lead nothing
 * . It compares itself with its voters and hands over to one that is far faster.
 *
 * One place in the log at a time is followed: when did it become durable here, and when was it heard that it is on the first of the
 * others, whose answer even had to travel? A process that stands still finds both late alike, and so does a cluster on slow disks.
 */
import type { Raft } from '../raft/raft.ts'
import type { Entries } from './entries.ts'

export interface SlowLeaderSettings {
  /** So long a mean time from append to durable is bad, if others are far better. */
  readonly slowMs: number
  readonly windowMs: number
  /** Bad ones, one after the other, until leadership is handed over. */
  readonly windows: number
}

/** Who is to take over, and a sentence that says why. */
type OnSlow = (to: number, message: string) => void

/** Far better: by this factor. */
const factor = 4

interface Place {
  readonly position: number
  readonly sinceMs: number
  first: { readonly voter: number; readonly afterMs: number } | null
}

export class SlowLeader {
  readonly #settings: SlowLeaderSettings
  readonly #raft: Raft<Entries>
  readonly #nowMs: () => number
  #place: Place | null = null
  #epoch = -1
  #windowEndsMs = 0
  #badWindows = 0
  /** Of the voters, when it was last asked. */
  #fastest = -1
  /** In this window. */
  #count = 0
  #ownMs = 0
  #otherMs = 0

  constructor(settings: SlowLeaderSettings, raft: Raft<Entries>, nowMs: () => number) {
    this.#settings = settings
    this.#raft = raft
    this.#nowMs = nowMs
  }

  /** The end of a turn. */
  turn(onSlow: OnSlow): void {
    const raft = this.#raft
    if (!raft.isReady || raft.membership.voters.length === 1) return
    if (raft.epoch !== this.#epoch) this.#begin(raft.epoch)
    const place = this.#place
    if (place === null && raft.durablePosition === raft.endPosition) return
    const now = this.#nowMs()
    if (place === null) this.#place = { position: raft.endPosition, sinceMs: now, first: null }
    else this.#follow(place, now)
    if (now >= this.#windowEndsMs) this.#judge(now, onSlow)
  }

  #begin(epoch: number): void {
    this.#epoch = epoch
    this.#place = null
    this.#badWindows = 0
    this.#windowEndsMs = this.#nowMs() + this.#settings.windowMs
    this.#forget()
  }

  #follow(place: Place, now: number): void {
    const raft = this.#raft
    const afterMs = now - place.sinceMs
    if (place.first === null) {
      const { voters } = raft.membership
      const other = raft
        .progress(now)
        .find(({ id, durable }) => durable >= place.position && voters.includes(id))
      if (other !== undefined) place.first = { voter: other.id, afterMs }
    }
    if (raft.durablePosition < place.position) return
    this.#compared(afterMs, place.first)
    this.#place = null
  }

  /** `first` null: nobody was faster. */
  #compared(ownMs: number, first: Place['first']): void {
    this.#count++
    this.#ownMs += ownMs
    this.#otherMs += first?.afterMs ?? ownMs
    if (first !== null) this.#fastest = first.voter
  }

  #judge(now: number, onSlow: OnSlow): void {
    const settings = this.#settings
    this.#windowEndsMs = now + settings.windowMs
    const place = this.#place
    const first = place?.first ?? null
    // It is under way here for so long already.
    if (place !== null && first !== null) this.#compared(now - place.sinceMs, first)
    if (this.#count === 0) return
    const ownMs = this.#ownMs / this.#count
    const otherMs = this.#otherMs / this.#count
    this.#forget()
    const isBad = ownMs >= settings.slowMs && ownMs >= factor * otherMs
    this.#badWindows = isBad ? this.#badWindows + 1 : 0
    if (this.#badWindows < settings.windows || this.#fastest === -1) return
    this.#badWindows = 0
    const [own, other] = [ownMs, otherMs].map(Math.round)
    onSlow(
      this.#fastest,
      `the disk here takes ${own} ms, ${this.#fastest} ${other} ms: ${this.#fastest} is to lead`,
    )
  }

  #forget(): void {
    this.#count = 0
    this.#ownMs = 0
    this.#otherMs = 0
  }
}
