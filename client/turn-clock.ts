/** The time, for those who ask for it with every record: looking costs as much as the rest of a small record. */
import type { Clock } from './transport.ts'

/** A turn that goes on for long sees the time again after so many questions. */
const answersPerLook = 64

export class TurnClock {
  readonly #clock: Clock
  #now = 0
  #monotonic = 0
  #answersLeft = 0
  #isInTurn = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Looks, unless this turn has looked already. Ask first, then read. */
  look(): void {
    if (this.#answersLeft-- > 0) return
    this.#answersLeft = answersPerLook - 1
    this.#now = this.#clock.now()
    this.#monotonic = this.#clock.monotonic()
    if (this.#isInTurn) return
    this.#isInTurn = true
    this.#clock.soon(() => {
      this.#isInTurn = false
      this.#answersLeft = 0
    })
  }

  /** ms since 1970, as of the last look. */
  get now(): number {
    return this.#now
  }

  /** Monotonic ms, as of the last look. */
  get monotonic(): number {
    return this.#monotonic
  }
}
