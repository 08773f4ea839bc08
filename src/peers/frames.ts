/** Frames between brokers, made and cut; drawn in protocol/peer/frame.ts. */
import type { BufferPool } from '../base/buffer-pool.ts'
import { sizeOf } from '../base/buffers.ts'
import { Writer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { Faulted } from '../base/errors.ts'
import { FrameStream } from '../base/frame-stream.ts'
import { prefixBytes } from '../protocol/peer/frame.ts'

/** What leaves: the prefix and head in the first piece, the payload as it came, with a use of each of its buffers. */
export interface Frame {
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  readonly payload: readonly Buffer[]
}

/** What arrived. The head begins with its kind. */
export interface CutFrame {
  readonly head: Buffer
  readonly payload: Buffer
}

/** The stream makes no sense from here on. */
export class BadFrame extends Faulted {
  override name = 'BadFrame'
  constructor(sentence: string) {
    super('bytes', sentence)
  }
}

/** Of a frame with one large thing in it, for all that is around that. */
export const headBytesMax = 65_536

const prefix = Buffer.alloc(prefixBytes)
/** Bytes of the prefix that its checksum covers. */
const summedBytes = 12

/** Begins a frame: its fields are written next, and nothing is spliced in. */
export function beginFrame(kind: number): Writer {
  const writer = new Writer()
  writer.raw(prefix)
  writer.int8(kind)
  return writer
}

/** Whole batches follow the head. They must not change until they are sent. */
export function endFrame(writer: Writer, payload: readonly Buffer[] = []): Frame {
  const head = writer.toBuffer()
  const size = head.length - prefixBytes + sizeOf(payload)
  head.writeInt32BE(size, 0)
  head.writeInt32BE(head.length - prefixBytes, 4)
  head.writeUInt32BE(crc32c(head.subarray(prefixBytes)), 8)
  head.writeUInt32BE(crc32c(head.subarray(0, summedBytes)), summedBytes)
  return { pieces: [head, ...payload], bytes: prefixBytes + size, payload }
}

/** A frame without fields. */
export function emptyFrame(kind: number): Frame {
  return endFrame(beginFrame(kind))
}

/** Cuts the stream of one connection into frames. */
export class FrameCutter extends FrameStream {
  /** Rises when the other side has shown who it is: memory for a frame is taken when its prefix has come. */
  frameBytesMax: number
  #headBytes = 0
  #headSum = 0

  constructor(frameBytesMax: number, buffers: BufferPool) {
    super({ prefixBytes, firstBytes: Infinity, buffers })
    this.frameBytesMax = frameBytesMax
  }

  /** The next frame, with a use of its memory; null until it is whole. @throws BadFrame */
  next(): CutFrame | null {
    const frame = this.nextFrame()
    return frame === null ? null : this.#cut(frame)
  }

  protected override sizeIn(bytes: Buffer): number {
    if (crc32c(bytes.subarray(0, summedBytes)) !== bytes.readUInt32BE(summedBytes)) {
      throw new BadFrame('a damaged frame, or no frame of a broker at all')
    }
    const size = bytes.readInt32BE(0)
    this.#headBytes = bytes.readInt32BE(4)
    this.#headSum = bytes.readUInt32BE(8)
    if (this.#headBytes < 1 || this.#headBytes > size) throw new BadFrame('a frame without a head')
    if (size > this.frameBytesMax) {
      throw new BadFrame(`a frame of ${size} bytes, where at most ${this.frameBytesMax} are accepted`)
    }
    return size
  }

  #cut(frame: Buffer): CutFrame {
    const head = frame.subarray(0, this.#headBytes)
    if (crc32c(head) !== this.#headSum) throw new BadFrame('a damaged frame')
    return { head, payload: frame.subarray(this.#headBytes) }
  }
}
