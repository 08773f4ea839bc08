/**
 * What the leader knows of one follower.
 *
 *     probe   where do the logs agree? One empty append at a time
 *     stream  they agree up to `next`: appends are pipelined within a window
 *     behind  `next` lies below this log's start: an image, or the start itself, is brought to it
 *
 *     durable <= next      durable: counted; next: the first unit that was not sent
 */
import type { RaftSettings } from './state.ts'

export class Progress {
  #phase: 'probe' | 'stream' | 'behind' = 'probe'
  #durable = 0
  #next: number
  /** Ends and sizes of the appends that are under way, oldest first. */
  readonly #ends: number[] = []
  readonly #sizes: number[] = []
  #inflightBytes = 0
  /** When the leader sent the newest heartbeat that was answered; until then, when the follower was first followed (see `passed`). */
  #contactMs = Infinity
  #answeredMs = -Infinity
  /** The pulses between the brokers stand for its heartbeats and answers. */
  #isQuiet = false
  /** The heartbeat that gives it the leader's word; NaN: none. */
  #pledgedMs = Number.NaN
  /** When the follower last got further, or had nothing to get. */
  movedMs = Infinity
  /** It holds durably what the leader's log held then; -Infinity: never yet. */
  caughtUpMs = -Infinity
  /** What the log held a moment ago, until the follower has it. */
  #mark: { readonly end: number; readonly atMs: number } | null = null
  /** When the probe that is under way left; -Infinity for none. */
  probeSentMs = -Infinity
  #matched = 0
  #attempt = 0
  #durableBefore = 0
  /** What it has of the image that it is brought; position -1: nothing is known. */
  #install = { position: -1, received: 0, isDue: false, sentMs: -Infinity }
  /** The driver is reading for it. */
  isReading = false
  toldHighWatermark = -1
  /** Its broker is missing: the next heartbeat need not leave before then. -Infinity: it is not. */
  nextBeatMs = -Infinity

  constructor(next: number) {
    this.#next = next
  }

  get phase(): 'probe' | 'stream' | 'behind' {
    return this.#phase
  }
  get durable(): number {
    return this.#durable
  }
  get next(): number {
    return this.#next
  }
  get contactMs(): number {
    return this.#contactMs
  }
  /** As `contactMs`; -Infinity as long as none was answered. */
  get answeredMs(): number {
    return this.#answeredMs
  }
  /** As far as it has said, its log is the leader's. */
  get matched(): number {
    return this.#matched
  }
  /** How often this follower was probed anew: what answers an earlier attempt says nothing about this one. */
  get attempt(): number {
    return this.#attempt
  }

  /**
   * What it had called durable before this attempt began. A complaint about a place below comes from a disk that has forgotten; one
   * that is only late belongs to an earlier attempt, or is about a later place.
   */
  get durableBefore(): number {
    return this.#durableBefore
  }

  get isQuiet(): boolean {
    return this.#isQuiet
  }

  /** Nothing is under way for it, and nothing will be until the log grows. */
  isSettled(end: number, highWatermark: number): boolean {
    return this.#phase === 'stream' && !this.isReading && this.#durable === end && highWatermark === end
  }

  /** A heartbeat is sent; it gives the leader's word if `isPledge`. */
  told(sentMs: number, isPledge: boolean): void {
    this.#pledgedMs = isPledge ? sentMs : Number.NaN
  }

  /** It gives its word, in answer to that heartbeat. */
  rest(sentMs: number): void {
    if (sentMs !== this.#pledgedMs) return
    this.#isQuiet = true
    this.#contactMs = sentMs
  }

  /** It was in contact until then, and needs heartbeats of its own again. What it may yet answer gives no word any more. */
  wake(contactMs: number): void {
    this.#pledgedMs = Number.NaN
    if (!this.#isQuiet) return
    this.#isQuiet = false
    this.#contactMs = Math.max(this.#contactMs, contactMs)
    this.movedMs = Math.max(this.movedMs, contactMs)
  }

  /** That it is followed from just now on is dated at the next tick. */
  passed(nowMs: number): void {
    this.#contactMs = Math.min(this.#contactMs, nowMs)
    this.movedMs = Math.min(this.movedMs, nowMs)
  }

  /** It has answered the heartbeat that was sent then. */
  answered(sentMs: number): void {
    this.nextBeatMs = -Infinity
    this.#answeredMs = Math.max(this.#answeredMs, sentMs)
    this.#contactMs = Math.max(this.#contactMs, sentMs)
  }

  hasRoom(settings: RaftSettings): boolean {
    return this.#ends.length < settings.inflightAppendsMax && this.#inflightBytes < settings.inflightBytesMax
  }

  sent(until: number, bytes: number): void {
    this.#next = until
    this.#ends.push(until)
    this.#sizes.push(bytes)
    this.#inflightBytes += bytes
  }

  /**
   * Its log is the leader's up to `matched`, durably up to `durable`. Both only grow within an epoch, so an old answer changes
   * nothing. Returns whether more is durable.
   */
  maybeAdvance(matched: number, durable: number, nowMs: number): boolean {
    // Who says less, and nothing is on its way to it, has begun anew: it has to be told up to where its log is the leader's.
    const hasNothingToGet = this.#ends.length === 0 && matched === this.#matched
    if (matched > this.#matched || hasNothingToGet) this.movedMs = nowMs
    this.#matched = Math.max(this.#matched, matched)
    while ((this.#ends[0] ?? Infinity) <= durable) {
      this.#ends.shift()
      this.#inflightBytes -= this.#sizes.shift() ?? 0
    }
    if (this.#phase === 'probe' && matched >= this.#next) {
      this.#phase = 'stream'
      this.#next = matched
      this.movedMs = nowMs
    }
    if (durable <= this.#durable) return false
    this.#durable = durable
    return true
  }

  /** The log ends there now: one such place at a time is remembered, so that a busy follower is measured, too. */
  mark(end: number, nowMs: number): void {
    this.#mark ??= { end, atMs: nowMs }
  }

  /** It has said how far it is, and the log ends at `end` now. */
  compare(end: number, nowMs: number): void {
    if (this.#durable >= end) this.caughtUpMs = nowMs
    else if (this.#mark !== null && this.#durable >= this.#mark.end) this.caughtUpMs = this.#mark.atMs
    else return
    this.#mark = null
  }

  /** Looks again for where the logs agree, from `next` downwards. What was under way is forgotten. */
  probe(next: number): void {
    this.#phase = 'probe'
    this.#attempt++
    this.#durableBefore = this.#durable
    this.#next = Math.max(next, this.#durable)
    this.#ends.length = 0
    this.#sizes.length = 0
    this.#inflightBytes = 0
    this.#matched = this.#durable
    this.probeSentMs = -Infinity
    this.isReading = false
  }

  /** It may have lost what it had: the answer to the first piece says how far it is. */
  beginInstall(): void {
    this.#install = { position: -1, received: 0, isDue: true, sentMs: -Infinity }
  }

  /** It has taken a piece. An answer that comes twice changes nothing: one piece is under way at a time. */
  installed(position: number, received: number, nowMs: number): void {
    const { position: before, received: receivedBefore } = this.#install
    if (this.#phase !== 'behind' || (position === before && received <= receivedBefore)) return
    this.#install = { position, received, isDue: true, sentMs: nowMs }
  }

  /** The piece that is to be sent now, if there is one. */
  takeInstall(nowMs: number): { position: number; received: number } | null {
    const install = this.#install
    if (this.#phase !== 'behind' || !install.isDue) return null
    this.#install = { ...install, isDue: false, sentMs: nowMs }
    return { position: install.position, received: install.received }
  }

  isInstallLost(nowMs: number, timeoutMs: number): boolean {
    return this.#phase === 'behind' && !this.#install.isDue && nowMs - this.#install.sentMs >= timeoutMs
  }

  fallBehind(): void {
    if (this.#phase !== 'behind') this.beginInstall()
    this.#phase = 'behind'
    this.isReading = false
  }
}
