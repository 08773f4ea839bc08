/** A seeded source of chance for tests: the same seed, the same run. (mulberry32) */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** Uniform in [0, 1). */
  float = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)]
  }
}
