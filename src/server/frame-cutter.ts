/**
 * Cuts the stream of one connection into frames: int32 size, then so many bytes.
 *
 * Memory grows with the bytes received, never with what a prefix promises: 100 MiB announced and four bytes sent cost 4 KiB.
 * A frame that comes in pieces is gathered in a buffer that grows fourfold, so at most a third of it is copied twice, and
 * ends with exactly the frame's size: what is kept of a request is a slice of its frame, and keeps all of it in memory.
 * (A list of chunks, joined at the end, would copy once; sent byte by byte it would cost a hundred times what was received.)
 */
import { type BufferPool, release } from '../base/buffer-pool.ts'
import { Faulted } from '../base/errors.ts'
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
const growth = 4
const nothing = Buffer.alloc(0)

export class FrameCutter {
  readonly #frameBytesMax: number
  readonly #buffers: BufferPool
  /** Received and not looked at. */
  #rest: Buffer = nothing
  /** The frame that is being gathered, its size, and how much of it is there. */
  #gathering: Buffer | null = null
  #size = 0
  #gathered = 0
  #isFirst = true

  constructor(frameBytesMax: number, buffers: BufferPool) {
    this.#frameBytesMax = frameBytesMax
    this.#buffers = buffers
  }

  /** Takes the next bytes of the stream: lent until `keep`. */
  push(chunk: Buffer): void {
    // Bytes are left only from a prefix that came in two, or while the connection is held back, when few come.
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** What was pushed and is not cut yet is copied: its memory goes back to who lent it. */
  keep(): void {
    if (this.#rest.length > 0) this.#rest = Buffer.from(this.#rest)
  }

  /** After `next` has answered null: the bytes of a frame that has begun. */
  get partialBytes(): number {
    return this.#gathering === null ? this.#rest.length : prefixBytes + this.#gathered
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
      this.#size = size
      this.#gathered = 0
      this.#rest = rest.subarray(prefixBytes)
      this.#gathering = nothing
      return this.#gather(nothing)
    }
    this.#rest = end === rest.length ? nothing : rest.subarray(end)
    const frame = this.#buffers.take(size)
    rest.copy(frame, 0, prefixBytes, end)
    return frame
  }

  #gather(into: Buffer): Buffer | null {
    const missing = this.#size - this.#gathered
    const available = Math.min(missing, this.#rest.length)
    let buffer = into
    if (this.#gathered + available > buffer.length) {
      const capacity = Math.min(this.#size, Math.max(firstBytes, growth * (this.#gathered + available)))
      buffer = this.#buffers.take(capacity)
      into.copy(buffer, 0, 0, this.#gathered)
      release(into)
      this.#gathering = buffer
    }
    this.#rest.copy(buffer, this.#gathered, 0, available)
    this.#gathered += available
    this.#rest = available === this.#rest.length ? nothing : this.#rest.subarray(available)
    if (this.#gathered < this.#size) return null
    this.#gathering = null
    return buffer
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
