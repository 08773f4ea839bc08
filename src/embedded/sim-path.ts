/** The way from one simulated machine to another: slow, clogged or cut, in this direction alone. */
import type { Clock } from '../io/world.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface PathShape {
  /** Of everything on the way: at least, and by chance up to so much more. */
  readonly delayMs: number
  readonly jitterMs: number
  /** All connections of the path share it. */
  readonly bytesPerMs: number
  /** Bytes come in pieces of any size up to this. */
  readonly chunkBytesMax: number
  /** What is written at once comes in pieces with this probability, and as it was written otherwise. */
  readonly splitChance: number
  /** What one connection has on the way, or unread at its end, until it must wait. */
  readonly windowBytes: number
  /** Of each piece: that the connection is reset just after it. */
  readonly resetChance: number
}

export const quickPath: PathShape = {
  delayMs: 0.1,
  jitterMs: 0.1,
  bytesPerMs: Infinity,
  chunkBytesMax: 65_536,
  splitChance: 1,
  windowBytes: 262_144,
  resetChance: 0,
}

export class SimPath {
  shape: PathShape
  readonly #clock: Clock
  readonly #random: SeededRandom
  #isCut = false
  #clogs = 0
  /** What came to the block: it goes on when the path is free, as what TCP sends again does. */
  readonly #held: (() => void)[] = []
  /** When the last byte given to the path has left. */
  #freeMs = 0

  constructor(clock: Clock, random: SeededRandom, shape: PathShape) {
    this.#clock = clock
    this.#random = random
    this.shape = shape
  }

  /** Takes so many bytes: when they arrive, unless something is in the way then. */
  arrivalMs(bytes: number): number {
    const { delayMs, jitterMs, bytesPerMs } = this.shape
    this.#freeMs = Math.max(this.#freeMs, this.#clock.monotonic()) + bytes / bytesPerMs
    return this.#freeMs + delayMs + this.#random.float() * jitterMs
  }

  /** Calls at that time, or when the path is free again. */
  at(dueMs: number, arrive: () => void): void {
    this.#clock.setTimer(dueMs - this.#clock.monotonic(), () => {
      if (this.#isCut || this.#clogs > 0) this.#held.push(arrive)
      else arrive()
    })
  }

  /** Something small. */
  carry(arrive: () => void): void {
    this.at(this.arrivalMs(0), arrive)
  }

  /** The size of the next piece of so many bytes: often all that fit, now and then a single one. */
  chunkBytes(bytes: number): number {
    const { chunkBytesMax, splitChance } = this.shape
    if (splitChance < 1 && !this.#random.chance(splitChance)) return bytes
    const bounds = [1, 16, 1460, chunkBytesMax, chunkBytesMax]
    const bound = bounds[this.#random.below(bounds.length)] ?? 1
    return Math.min(bytes, bound === chunkBytesMax ? bound : 1 + this.#random.below(bound))
  }

  isReset(): boolean {
    return this.shape.resetChance > 0 && this.#random.chance(this.shape.resetChance)
  }

  cut(): void {
    this.#isCut = true
  }

  heal(): void {
    this.#isCut = false
    this.#release()
  }

  clog(forMs: number): void {
    this.#clogs++
    this.#clock.setTimer(forMs, () => {
      this.#clogs--
      this.#release()
    })
  }

  #release(): void {
    if (this.#isCut || this.#clogs > 0) return
    for (const arrive of this.#held.splice(0)) this.carry(arrive)
  }
}
