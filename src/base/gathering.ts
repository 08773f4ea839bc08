/**
 * A frame that comes in pieces. What is still to come is read to where it is to lie, where that is worth a read of its own: a copy less, and
 * for frames of 1 MB a third of what they cost.
 */
import { type BufferPool, release } from './buffer-pool.ts'

const growth = 4
const slack = 9 / 8
/** Less than that is read together with what follows it. */
const roomBytesMin = 16 * 1024
/** As much as one read may bring. */
const roomBytesMax = 1024 * 1024
const nothing = Buffer.alloc(0)

export class Gathering {
  readonly #size: number
  readonly #firstBytes: number
  readonly #buffers: BufferPool
  #bytes: Buffer = nothing
  #gathered = 0

  /**
   * Memory is taken with the first byte: `firstBytes`, or four times what has come, and so on until it has all of the frame's `size`. So at most a
   * third is copied twice. (A list of pieces, joined at the end, would copy once; sent byte by byte it would cost a hundred times
   * what was received.)
   */
  constructor(size: number, firstBytes: number, buffers: BufferPool) {
    this.#size = size
    this.#firstBytes = firstBytes
    this.#buffers = buffers
  }

  /** How much of it is there. */
  get gathered(): number {
    return this.#gathered
  }

  get isWhole(): boolean {
    return this.#gathered === this.#size
  }

  /** Of a whole one: exactly its size, and with a use of its memory. */
  get frame(): Buffer {
    return this.#bytes
  }

  /** Where the next bytes of the stream are best read to; null: anywhere. */
  get room(): Buffer | null {
    if (this.#size - this.#gathered < roomBytesMin) return null
    this.#makeRoom(1)
    return this.#bytes.subarray(this.#gathered, this.#gathered + roomBytesMax)
  }

  /** Counts what was read to the `room` that was asked for last. False: it lies elsewhere, and is to be `take`n. */
  adopt(chunk: Buffer): boolean {
    const { buffer, byteOffset } = this.#bytes
    if (chunk.buffer !== buffer || chunk.byteOffset !== byteOffset + this.#gathered) return false
    this.#gathered += chunk.length
    return true
  }

  /** Copies what belongs to it from the begin of `rest`; says how much that was. */
  take(rest: Buffer): number {
    const bytes = Math.min(this.#size - this.#gathered, rest.length)
    this.#makeRoom(bytes)
    rest.copy(this.#bytes, this.#gathered, 0, bytes)
    this.#gathered += bytes
    return bytes
  }

  #makeRoom(bytes: number): void {
    const needed = this.#gathered + bytes
    if (needed <= this.#bytes.length) return
    // A power of two: memory of few sizes is used again, that of any size seldom.
    const grown = Math.max(this.#firstBytes, 2 ** Math.floor(Math.log2(growth * needed)))
    // A little more than a power of two, as many are, would be copied once more for the little.
    const into = this.#buffers.take(this.#size <= grown * slack ? this.#size : grown)
    this.#bytes.copy(into, 0, 0, this.#gathered)
    release(this.#bytes)
    this.#bytes = into
  }
}
