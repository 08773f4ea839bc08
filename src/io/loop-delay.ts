/**
 * How late the event loop is. A timer that was due then and comes now is late by what the loop was busy with, or could not do; whatever
 * else was due (an answer, a heartbeat) was as late. A stall is seen short by at most `everyMs`, and not at all below that.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { CpuTime } from './node-cpu.ts'
import type { Clock, Timer } from './world.ts'

/** ms. */
export interface Delay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** The longest when the time without a CPU is taken off, which others on this machine had. */
  readonly ownMaxMs: number
}

export interface LoopWindow extends Delay {
  /** During the longest, and up to `everyMs` before. */
  readonly cpu: CpuTime
}

export interface LoopDelayOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'setTimer'>
  readonly everyMs: number
  readonly windowMs: number
  readonly cpu: () => CpuTime
  /** A window has ended. */
  readonly onWindow: (window: LoopWindow) => void
}

export class LoopDelay {
  readonly #options: LoopDelayOptions
  readonly #all = new Delays()
  #window = new Delays()
  #last: Delay | null = null
  #endsMs: number
  #cpu: CpuTime
  #timer: Timer

  constructor(options: LoopDelayOptions) {
    this.#options = options
    this.#endsMs = options.clock.monotonic() + options.windowMs
    this.#cpu = options.cpu()
    this.#timer = this.#arm()
  }

  /** Of the window that ended last; while there is none, of the one that has begun. */
  get recent(): Delay {
    return this.#last ?? this.#window.delay
  }

  get sinceStart(): Delay {
    return this.#all.delay
  }

  stop(): void {
    this.#timer.cancel()
  }

  #arm(): Timer {
    const { clock, everyMs } = this.#options
    const dueMs = clock.monotonic() + everyMs
    return clock.setTimer(everyMs, () => {
      const nowMs = clock.monotonic()
      this.#record(nowMs - dueMs)
      if (nowMs >= this.#endsMs) this.#end(nowMs)
      this.#timer = this.#arm()
    })
  }

  #record(lateMs: number): void {
    const now = this.#options.cpu()
    const usedMs = now.usedMs - this.#cpu.usedMs
    const waitedMs = now.waitedMs - this.#cpu.waitedMs
    this.#cpu = now
    this.#window.record(lateMs, { usedMs, waitedMs })
    this.#all.record(lateMs, { usedMs, waitedMs })
  }

  #end(nowMs: number): void {
    const { delay, cpuOfLongest: cpu } = this.#window
    this.#last = delay
    this.#window = new Delays()
    this.#endsMs = nowMs + this.#options.windowMs
    this.#options.onWindow({ ...delay, cpu })
  }
}

class Delays {
  readonly #histogram: RecordableHistogram = createHistogram()
  #maxMs = 0
  #ownMaxMs = 0
  cpuOfLongest: CpuTime = { usedMs: 0, waitedMs: 0 }

  record(lateMs: number, cpu: CpuTime): void {
    this.#histogram.record(Math.max(1, Math.round(lateMs * 1e6)))
    this.#ownMaxMs = Math.max(this.#ownMaxMs, lateMs - cpu.waitedMs)
    if (lateMs < this.#maxMs) return
    this.#maxMs = lateMs
    this.cpuOfLongest = cpu
  }

  get delay(): Delay {
    const at = (percentile: number): number =>
      this.#histogram.count === 0 ? 0 : rounded(this.#histogram.percentile(percentile) / 1e6)
    return { p50Ms: at(50), p99Ms: at(99), maxMs: rounded(this.#maxMs), ownMaxMs: rounded(this.#ownMaxMs) }
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}
