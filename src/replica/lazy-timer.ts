/**
 * One timer for a deadline that is mostly put off before it comes (sessions, with every heartbeat): it is only ever moved
 * forward in time when it has fired. A firing too early costs less than a timer for each move.
 */
import type { Clock, Timer } from '../io/world.ts'

export class LazyTimer {
  readonly #clock: Clock
  readonly #fire: () => void
  #timer: Timer | null = null
  #dueMs = Infinity

  /** `fire` looks itself whether the deadline has come, and sets the next. */
  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock
    this.#fire = fire
  }

  /** Fires at `deadlineMs` (monotonic) or earlier; 1 ms from now at the soonest. Infinity: not before it is set again. */
  set(deadlineMs: number): void {
    if (this.#dueMs <= deadlineMs) return
    this.#timer?.cancel()
    this.#dueMs = deadlineMs
    this.#timer = this.#clock.setTimer(Math.max(1, deadlineMs - this.#clock.monotonic()), () => {
      this.#dueMs = Infinity
      this.#fire()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#dueMs = Infinity
  }
}
