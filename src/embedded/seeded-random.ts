import type { Random } from '../io/world.ts'

/**
 * Chance that a seed decides: the same seed gives the same draws, on every machine. Not for secrets.
 *
 * Give each component its own stream with `fork`, so that one more draw here does not change what happens
 * there.
 * @source sfc32 of PractRand (Chris Doty-Humphrey)
 */
export class SeededRandom implements Random {
  readonly seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.seed = seed
    this.#a = seed >>> 0
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0
    this.#c = 0x9e3779b9
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** A stream of its own, which depends on this seed and the name and on nothing that was drawn. */
  fork(name: string): SeededRandom {
    let hash = (0x811c9dc5 ^ this.seed) >>> 0
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0
    return new SeededRandom((this.seed % 0x20_0000) * 0x1_0000_0000 + hash)
  }

  float(): number {
    return this.#next() / 0x1_0000_0000
  }

  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.float() < probability
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size)
    for (let i = 0; i < size; i++) bytes[i] = this.#next() & 0xff
    return bytes
  }

  #next(): number {
    const sum = (((this.#a + this.#b) >>> 0) + this.#counter) >>> 0
    this.#counter = (this.#counter + 1) >>> 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) >>> 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0
    return sum
  }
}
