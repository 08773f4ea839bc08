import type { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Clock, Timer } from '../../src/io/world.ts'

/**
 * The clock in the hands of one process: its wall may be wrong, and when the process ends nothing calls it back any more.
 */
export class ProcessClock implements Clock {
  readonly #shared: VirtualClock
  readonly #wall: { offsetMs: number }
  readonly #timers = new Set<Timer>()
  #isAlive = true

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
      this.#timers.delete(timer)
      if (this.#isAlive) callback()
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
      if (this.#isAlive) callback()
    })
  }

  /** Timers that wait: none after a clean stop. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  end(): void {
    this.#isAlive = false
    for (const timer of this.#timers) timer.cancel()
  }
}
