/**
 * Cuts the stream of one connection into frames: int32 size, then so many bytes.
 *
 * Memory grows with the bytes received, never with what a prefix promises: 100 MiB announced and four bytes sent cost 4 KiB. What is
 * kept of a request is a slice of its frame, and keeps all of it in memory, so a frame ends with exactly its size.
 */
import type { BufferPool } from '../base/buffer-pool.ts'
import { Faulted } from '../base/errors.ts'
import { Gathering } from '../base/gathering.ts'
import { foreignProtocol } from './foreign.ts'

/** The stream makes no sense from here on. */
export class BadFrame extends Faulted {
  override name = 'BadFrame'
  constructor(
    readonly reason: 'foreign' | 'size',
    sentence: string,
  ) {
    super('bytes', sentence)
  }
}

const prefixBytes = 4
const firstBytes = 4096
const nothing = Buffer.alloc(0)

export class FrameCutter {
  readonly #frameBytesMax: number
  readonly #buffers: BufferPool
  /** Received and not looked at. */
  #rest: Buffer = nothing
  /** The frame that comes in pieces. */
  #gathering: Gathering | null = null
  #isFirst = true

  constructor(frameBytesMax: number, buffers: BufferPool) {
    this.#frameBytesMax = frameBytesMax
    this.#buffers = buffers
  }

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

  /** After `next` has answered null: the bytes of a frame that has begun. */
  get partialBytes(): number {
    return this.#gathering === null ? this.#rest.length : prefixBytes + this.#gathering.gathered
  }

  /** The next frame, without its prefix, and with a use of its memory; null until it is whole. @throws BadFrame */
  next(): Buffer | null {
    if (this.#gathering !== null) return this.#gather(this.#gathering)
    const rest = this.#rest
    if (rest.length < prefixBytes) return null
    const size = rest.readInt32BE(0)
    this.#check(size)
    const end = prefixBytes + size
    if (end > rest.length) {
      this.#rest = rest.subarray(prefixBytes)
      this.#gathering = new Gathering(size, firstBytes, this.#buffers)
      return this.#gather(this.#gathering)
    }
    this.#rest = end === rest.length ? nothing : rest.subarray(end)
    const frame = this.#buffers.take(size)
    rest.copy(frame, 0, prefixBytes, end)
    return frame
  }

  #gather(gathering: Gathering): Buffer | null {
    const taken = gathering.take(this.#rest)
    this.#rest = taken === this.#rest.length ? nothing : this.#rest.subarray(taken)
    if (!gathering.isWhole) return null
    this.#gathering = null
    return gathering.frame
  }

  #check(size: number): void {
    const speaks = this.#isFirst ? foreignProtocol(size) : null
    this.#isFirst = false
    if (speaks !== null) throw new BadFrame('foreign', `the client speaks ${speaks}, this port speaks Kafka`)
    if (size < 0 || size > this.#frameBytesMax) {
      throw new BadFrame(
        'size',
        `a frame of ${size} bytes, where at most ${this.#frameBytesMax} are accepted (socket.request.max.bytes)`,
      )
    }
  }
}
