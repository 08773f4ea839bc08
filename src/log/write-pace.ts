/**
 * Which writes leave the event loop. A write of some KiB is a copy into the page cache, 20-30 us, and a trip through the thread
 * pool costs more; but large ones keep the one thread busy while another core could copy, and where dirty pages have piled up
 * the kernel makes whoever writes wait, up to 200 ms (balance_dirty_pages).
 *
 * So large runs leave, and all others in the shadow of a write that was slow: until it has been quick for a while, and for
 * twice as long each time it is slow again soon afterwards. One for all logs of a broker, as the kernel makes no difference either.
 */
import type { Clock } from '../io/world.ts'

export interface WritePaceOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Runs that are at least so large leave. */
  readonly bytesMin: number
  /** A write on the loop that took so long was made to wait. */
  readonly slowMs: number
  /** After that all leave for so long, */
  readonly shadowMs: number
  /** and for no longer than this, however often it is slow. */
  readonly shadowMaxMs: number
}

/** What a write off the loop takes beside the device: its way through the pool, and the turn that its end has to wait for. */
const awayMs = 20

export class WritePace {
  readonly #options: WritePaceOptions
  #shadowMs: number
  #shadowEndMs = -Infinity

  constructor(options: WritePaceOptions) {
    this.#options = options
    this.#shadowMs = options.shadowMs
  }

  /** Whether a run of so many bytes leaves the loop. */
  leaves(bytes: number): boolean {
    return bytes >= this.#options.bytesMin || this.nowMs() < this.#shadowEndMs
  }

  /** Monotonic: give it to `wrote` or `wroteAway`. */
  nowMs(): number {
    return this.#options.clock.monotonic()
  }

  /** A write on the loop is done. */
  wrote(sinceMs: number): void {
    const { slowMs, shadowMs, shadowMaxMs } = this.#options
    const nowMs = this.nowMs()
    if (nowMs - sinceMs < slowMs) return
    const isAgain = nowMs - this.#shadowEndMs < this.#shadowMs
    this.#shadowMs = isAgain ? Math.min(2 * this.#shadowMs, shadowMaxMs) : shadowMs
    this.#shadowEndMs = nowMs + this.#shadowMs
  }

  /** Likewise off the loop: says only whether it is slow still, as it has to wait for more than the disk. */
  wroteAway(sinceMs: number): void {
    const nowMs = this.nowMs()
    const isSlow = nowMs - sinceMs >= this.#options.slowMs + awayMs
    if (isSlow && nowMs < this.#shadowEndMs) this.#shadowEndMs = nowMs + this.#shadowMs
  }
}
