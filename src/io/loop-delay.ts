/**
 * How late the event loop is. A timer that was due then and comes now is late by what the loop was busy with, or could not do; whatever
 * else was due (an answer, a heartbeat) was as late. A stall is seen short by at most `everyMs`, and not at all below that.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Clock, Timer } from './world.ts'

/** ms. */
export interface Delay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface LoopWindow extends Delay {
  /** What all threads of this process computed during the longest, CPU ms: little says that it was waiting. */
  readonly cpuMs: number
}

export interface LoopDelayOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'setTimer'>
  readonly everyMs: number
  readonly windowMs: number
  /** CPU time of this process so far, ms. */
  readonly cpuMs: () => number
  /** A window has ended. */
  readonly onWindow: (window: LoopWindow) => void
}

export class LoopDelay {
  readonly #options: LoopDelayOptions
  readonly #all = createHistogram()
  readonly #window = createHistogram()
  #cpuOfLongest = 0
  #last: LoopWindow | null = null
  #endsMs: number
  #timer: Timer

  constructor(options: LoopDelayOptions) {
    this.#options = options
    this.#endsMs = options.clock.monotonic() + options.windowMs
    this.#timer = this.#arm()
  }

  /** Of the window that ended last; while there is none, of the one that has begun. */
  get recent(): Delay {
    return this.#last ?? delayOf(this.#window)
  }

  get sinceStart(): Delay {
    return delayOf(this.#all)
  }

  stop(): void {
    this.#timer.cancel()
  }

  #arm(): Timer {
    const { clock, everyMs, cpuMs } = this.#options
    const dueMs = clock.monotonic() + everyMs
    const cpuBefore = cpuMs()
    return clock.setTimer(everyMs, () => {
      const nowMs = clock.monotonic()
      this.#record(nowMs - dueMs, cpuMs() - cpuBefore)
      if (nowMs >= this.#endsMs) this.#end(nowMs)
      this.#timer = this.#arm()
    })
  }

  #record(lateMs: number, cpuMs: number): void {
    const late = Math.max(1, Math.round(lateMs * 1e6))
    if (late > this.#window.max || this.#window.count === 0) this.#cpuOfLongest = cpuMs
    this.#window.record(late)
    this.#all.record(late)
  }

  #end(nowMs: number): void {
    const window = { ...delayOf(this.#window), cpuMs: this.#cpuOfLongest }
    this.#last = window
    this.#window.reset()
    this.#endsMs = nowMs + this.#options.windowMs
    this.#options.onWindow(window)
  }
}

function delayOf(histogram: RecordableHistogram): Delay {
  if (histogram.count === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 }
  const of = (nanoseconds: number): number => Math.round(nanoseconds / 1e5) / 10
  return {
    p50Ms: of(histogram.percentile(50)),
    p99Ms: of(histogram.percentile(99)),
    maxMs: of(histogram.max),
  }
}
