/**
 * The stream of one connection, cut into frames: a prefix that says the size, then so many bytes. What a prefix means is the business of
 * whoever extends this.
 */
import type { BufferPool } from './buffer-pool.ts'
import { Gathering } from './gathering.ts'

const nothing = Buffer.alloc(0)

export interface FrameStreamOptions {
  readonly prefixBytes: number
  /** So much memory at first for a frame that comes in pieces; Infinity: what its prefix says. */
  readonly firstBytes: number
  readonly buffers: BufferPool
}

export abstract class FrameStream {
  readonly #prefixBytes: number
  readonly #firstBytes: number
  readonly #buffers: BufferPool
  /** Received and not looked at. */
  #rest: Buffer = nothing
  /** The frame that comes in pieces. */
  #gathering: Gathering | null = null

  constructor({ prefixBytes, firstBytes, buffers }: FrameStreamOptions) {
    this.#prefixBytes = prefixBytes
    this.#firstBytes = firstBytes
    this.#buffers = buffers
  }

  /** The size of the frame whose prefix these bytes begin with; asked once for each. May throw: then nothing more is cut. */
  protected abstract sizeIn(bytes: Buffer): number

  /** Where the next bytes of the stream are best read to; null: anywhere. */
  get room(): Buffer | null {
    return this.#gathering?.room ?? null
  }

  /** Takes the next bytes of the stream: those that lie in the `room` asked for last, or others, lent until `keep`. */
  push(chunk: Buffer): void {
    if (this.#gathering?.adopt(chunk) === true) return
    // Bytes are left only from a prefix that came in two, or while the connection is held back, when few come.
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** What was pushed and is not cut yet is copied: its memory goes back to who lent it. */
  keep(): void {
    if (this.#rest.length > 0) this.#rest = Buffer.from(this.#rest)
  }

  /** After `nextFrame` has answered null: the bytes of a frame that has begun. */
  get partialBytes(): number {
    return this.#gathering === null ? this.#rest.length : this.#prefixBytes + this.#gathering.gathered
  }

  /** The next frame, without its prefix, of exactly its size, and with a use of its memory; null until it is whole. */
  protected nextFrame(): Buffer | null {
    if (this.#gathering !== null) return this.#gather(this.#gathering)
    const rest = this.#rest
    if (rest.length < this.#prefixBytes) return null
    const size = this.sizeIn(rest)
    const end = this.#prefixBytes + size
    if (end > rest.length) {
      this.#rest = rest.subarray(this.#prefixBytes)
      this.#gathering = new Gathering(size, Math.min(size, this.#firstBytes), this.#buffers)
      return this.#gather(this.#gathering)
    }
    this.#rest = end === rest.length ? nothing : rest.subarray(end)
    const frame = this.#buffers.take(size)
    rest.copy(frame, 0, this.#prefixBytes, end)
    return frame
  }

  #gather(gathering: Gathering): Buffer | null {
    const taken = gathering.take(this.#rest)
    this.#rest = taken === this.#rest.length ? nothing : this.#rest.subarray(taken)
    if (!gathering.isWhole) return null
    this.#gathering = null
    return gathering.frame
  }
}
