/**
 * Cuts the stream of one connection into frames: int32 size, then so many bytes.
 *
 * Memory grows with the bytes received, never with what a prefix promises: 100 MiB announced and four bytes sent cost 4 KiB. What is
 * kept of a request is a slice of its frame, and keeps all of it in memory, so a frame ends with exactly its size.
 */
import type { BufferPool } from '../base/buffer-pool.ts'
import { Faulted } from '../base/errors.ts'
import { FrameStream } from '../base/frame-stream.ts'
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

export class FrameCutter extends FrameStream {
  readonly #frameBytesMax: number
  #isFirst = true

  constructor(frameBytesMax: number, buffers: BufferPool) {
    super({ prefixBytes, firstBytes, buffers })
    this.#frameBytesMax = frameBytesMax
  }

  /** The next frame, without its prefix, and with a use of its memory; null until it is whole. @throws BadFrame */
  next(): Buffer | null {
    return this.nextFrame()
  }

  protected override sizeIn(bytes: Buffer): number {
    const size = bytes.readInt32BE(0)
    const speaks = this.#isFirst ? foreignProtocol(size) : null
    this.#isFirst = false
    if (speaks !== null) throw new BadFrame('foreign', `the client speaks ${speaks}, this port speaks Kafka`)
    if (size < 0 || size > this.#frameBytesMax) {
      throw new BadFrame(
        'size',
        `a frame of ${size} bytes, where at most ${this.#frameBytesMax} are accepted (socket.request.max.bytes)`,
      )
    }
    return size
  }
}
