import type { Random } from '../io/world.ts'

/** How long to wait before the next attempt: twice as long each time, half of it by chance, so that brokers do not march in step. */
export class BackOff {
  readonly #settings: { readonly backoffMs: number; readonly backoffMaxMs: number }
  readonly #random: Random
  #nextMs: number

  constructor(settings: { readonly backoffMs: number; readonly backoffMaxMs: number }, random: Random) {
    this.#settings = settings
    this.#random = random
    this.#nextMs = settings.backoffMs
  }

  next(): number {
    const { backoffMaxMs } = this.#settings
    const delayMs = Math.min(this.#nextMs, backoffMaxMs)
    this.#nextMs = Math.min(2 * this.#nextMs, backoffMaxMs)
    return delayMs * (0.5 + this.#random.float() / 2)
  }

  reset(): void {
    this.#nextMs = this.#settings.backoffMs
  }
}
