import type { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Clock, Timer } from '../../src/io/world.ts'

/**
 * The clock in the hands of one process: its wall may be wrong; while the process stands still nothing calls it back, and when it
 * ends nothing does any more.
 */
export class ProcessClock implements Clock {
  readonly #shared: VirtualClock
  readonly #wall: { offsetMs: number }
  readonly #timers = new Set<Timer>()
  #isAlive = true
  #isPaused = false
  /** Due while it stood still. */
  #late: { readonly timer: Timer; readonly callback: () => void }[] = []
  #lateSoon: (() => void)[] = []

  /** `wall` belongs to the machine: who sets its clock is still wrong after a restart. */
  constructor(shared: VirtualClock, wall: { offsetMs: number } = { offsetMs: 0 }) {
    this.#shared = shared
    this.#wall = wall
  }

  now(): number {
    return Math.round(this.#shared.now() + this.#wall.offsetMs)
  }

  monotonic(): number {
    return this.#shared.monotonic()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const shared = this.#shared.setTimer(delayMs, () => {
      if (this.#isPaused) this.#late.push({ timer, callback })
      else this.#fire(timer, callback)
    })
    const timer = {
      cancel: () => {
        this.#timers.delete(timer)
        shared.cancel()
      },
    }
    this.#timers.add(timer)
    return timer
  }

  soon(callback: () => void): void {
    this.#shared.soon(() => {
      if (this.#isPaused) this.#lateSoon.push(callback)
      else if (this.#isAlive) callback()
    })
  }

  /** Timers that wait: none after a clean stop. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Every callback waits from now on. */
  pause(): void {
    this.#isPaused = true
  }

  /** As an event loop that was stopped: first the timers that are late, what they and others want soon afterwards. */
  resume(): void {
    this.#isPaused = false
    for (const { timer, callback } of this.#late.splice(0)) this.#fire(timer, callback)
    for (const callback of this.#lateSoon.splice(0)) this.soon(callback)
  }

  end(): void {
    this.#isAlive = false
    for (const timer of this.#timers) timer.cancel()
  }

  /** One that was cancelled meanwhile is not called. */
  #fire(timer: Timer, callback: () => void): void {
    if (this.#timers.delete(timer) && this.#isAlive) callback()
  }
}
