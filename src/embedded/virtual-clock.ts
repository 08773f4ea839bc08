import { NodeClock } from '../io/node-clock.ts'
import type { Clock, Timer } from '../io/world.ts'

interface Pending {
  readonly dueMs: number
  readonly callback: () => void
}

/** Asked for together, they cost one look for real I/O, which is most of what a turn costs. */
const turnsAtOnce = 32

/**
 * Time that passes only in `advance`: an hour in no time, and always the same order, by due time and then by
 * when the timer was set. Between two events the promises that the first has resolved are let run.
 */
export class VirtualClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  /** By due time; among equals the older first. */
  readonly #timers: Pending[] = []
  #soon: (() => void)[] = []
  readonly #real: Pick<Clock, 'soon'>
  /** Turns of the real event loop that were asked for and have not come, and who goes on at the next. */
  #turns = 0
  #waiting: (() => void)[] = []

  /** @param startMs the wall clock to begin with; @param real whose turns promises run in */
  constructor(startMs = 1_700_000_000_000, real: Pick<Clock, 'soon'> = new NodeClock()) {
    this.#wallMs = startMs
    this.#real = real
  }

  now(): number {
    return this.#wallMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), callback }
    let at = this.#timers.length
    while (at > 0 && (this.#timers[at - 1]?.dueMs ?? 0) > timer.dueMs) at--
    this.#timers.splice(at, 0, timer)
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer)
        if (index >= 0) this.#timers.splice(index, 1)
      },
    }
  }

  soon(callback: () => void): void {
    this.#soon.push(callback)
  }

  /** Timers that are set and not yet called. */
  get pendingTimers(): number {
    return this.#timers.length
  }

  /** The wall clock jumps, as when somebody sets it; timers do not notice. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** Lets `ms` pass, calling all that falls due on the way. Time stands still while promises run. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms
    await this.#settle()
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= untilMs; next = this.#timers[0]) {
      this.#timers.shift()
      this.#moveTo(next.dueMs)
      next.callback()
      await this.#settle()
    }
    this.#moveTo(untilMs)
  }

  /** Runs what waits for the end of the turn, and what that leads to. */
  async #settle(): Promise<void> {
    await this.#drain()
    while (this.#soon.length > 0) {
      const callbacks = this.#soon
      this.#soon = []
      for (const callback of callbacks) callback()
      await this.#drain()
    }
  }

  /** All promises that can run have run when the next turn comes. */
  #drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#turns > 0) return
      this.#turns = turnsAtOnce
      for (let i = 0; i < turnsAtOnce; i++) this.#real.soon(() => this.#turn())
    })
  }

  #turn(): void {
    this.#turns--
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}
