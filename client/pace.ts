/**
 * Lets others have their turn. A loop over records that are at hand would run to their end without the event loop: promises
 * that are resolved already never wait for it. Meanwhile nothing is read from sockets, no timer fires, nobody else is served.
 */
import type { Clock } from './transport.ts'

const turnMs = 10

export class Pace {
  readonly #clock: Clock
  readonly #stepsPerLook: number
  #steps = 0
  #since = -Infinity

  /** @param stepsPerLook how often the clock is worth a look */
  constructor(clock: Clock, stepsPerLook: number) {
    this.#clock = clock
    this.#stepsPerLook = stepsPerLook
  }

  /** One more step is about to be taken: has the turn been long enough? */
  isDue(): boolean {
    if (++this.#steps < this.#stepsPerLook) return false
    this.#steps = 0
    return this.#clock.monotonic() - this.#since >= turnMs
  }

  /** Resolves when the event loop has been round. */
  rest(): Promise<void> {
    return new Promise((resolve) =>
      this.#clock.soon(() => {
        this.#since = this.#clock.monotonic()
        resolve()
      }),
    )
  }
}
