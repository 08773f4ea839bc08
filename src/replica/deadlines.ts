/**
 * One timer for the deadlines of many: nobody has a timer of his own. Deadlines that lie close to each other are met together, up
 * to `grainMs` late.
 */
import type { Clock, Timer } from '../io/world.ts'

export class Deadlines<Item> {
  readonly #clock: Clock
  readonly #grainMs: number
  readonly #due: (item: Item) => void
  readonly #deadlines = new Map<Item, number>()
  #timer: Timer | null = null
  #timerMs = Infinity

  constructor(options: { clock: Clock; grainMs: number; due: (item: Item) => void }) {
    this.#clock = options.clock
    this.#grainMs = options.grainMs
    this.#due = options.due
  }

  /** Replaces the deadline that the item has. */
  set(item: Item, delayMs: number): void {
    const deadlineMs = this.#clock.monotonic() + delayMs
    this.#deadlines.set(item, deadlineMs)
    if (deadlineMs < this.#timerMs - this.#grainMs || this.#timer === null) this.#arm(deadlineMs, delayMs)
  }

  delete(item: Item): void {
    this.#deadlines.delete(item)
  }

  close(): void {
    this.#deadlines.clear()
    this.#timer?.cancel()
  }

  #arm(deadlineMs: number, delayMs: number): void {
    this.#timer?.cancel()
    this.#timerMs = deadlineMs
    this.#timer = this.#clock.setTimer(Math.max(delayMs, this.#grainMs), () => this.#fire())
  }

  #fire(): void {
    this.#timer = null
    const nowMs = this.#clock.monotonic()
    let nextMs = Infinity
    for (const [item, deadlineMs] of this.#deadlines) {
      if (deadlineMs > nowMs) {
        nextMs = Math.min(nextMs, deadlineMs)
        continue
      }
      this.#deadlines.delete(item)
      this.#due(item)
    }
    if (nextMs < Infinity && this.#timer === null) this.#arm(nextMs, nextMs - nowMs)
  }
}
