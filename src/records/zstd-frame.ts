/**
 * The outline of zstd frames: where they end and what they expand to at most, from the headers of frames and blocks
 * alone. Decoders are given that much room, and not what the sender claims.
 * @source RFC 8878 section 3.1
 */
import { CorruptPayload } from './errors.ts'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const blockSizeMax = 128 * 1024

/** One frame, `[from, end)`; skippable frames are left out. */
export interface ZstdFrame {
  from: number
  end: number
  /** What it declares to expand to; null when it does not, as frames written by a stream. */
  declared: number | null
  /** No decoder produces more than this many bytes: what it declares, or what its blocks can hold. */
  bound: number
}

/**
 * The frames of `bytes`, to its end.
 * @throws CorruptPayload when they do not end there, or are no frames
 */
export function zstdFrames(bytes: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = []
  let at = 0
  do {
    if (at + 5 > bytes.length) throw truncated()
    const magic = bytes.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      if (at + 8 > bytes.length) throw truncated()
      at += 8 + bytes.readUInt32LE(at + 4)
    } else if (magic === frameMagic) {
      const frame = walkFrame(bytes, at)
      frames.push(frame)
      at = frame.end
    } else {
      throw new CorruptPayload('zstd', 'no frame')
    }
    if (at > bytes.length) throw truncated()
  } while (at < bytes.length)
  return frames
}

/** The frame at `from`; its end may lie beyond the end of `bytes`. */
function walkFrame(bytes: Buffer, from: number): ZstdFrame {
  const descriptor = bytes[from + 4] ?? 0
  if ((descriptor & 0x08) !== 0) throw new CorruptPayload('zstd', 'a reserved bit is set')
  if ((descriptor & 0x03) !== 0) throw new CorruptPayload('zstd', 'it needs a dictionary')
  const singleSegment = (descriptor & 0x20) !== 0
  const contentAt = from + (singleSegment ? 5 : 6)
  const contentBytes = contentSizeBytes(descriptor >> 6, singleSegment)
  let at = contentAt + contentBytes
  if (at > bytes.length) throw truncated()
  const declared = readContentSize(bytes, contentAt, contentBytes)
  let bound = 0
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) throw truncated()
    const header = bytes.readUIntLE(at, 3)
    const type = (header >> 1) & 3
    const size = header >> 3
    last = (header & 1) === 1
    if (type === 3 || size > blockSizeMax) throw new CorruptPayload('zstd', 'no such block')
    // 0: stored plain; 1: one byte, repeated; 2: compressed, of unknown size
    bound += type === 2 ? blockSizeMax : size
    at += 3 + (type === 1 ? 1 : size)
  }
  if (declared !== null && declared > bound) {
    throw new CorruptPayload('zstd', `it declares ${declared} bytes where its blocks hold ${bound}`)
  }
  return { from, end: at + ((descriptor & 0x04) !== 0 ? 4 : 0), declared, bound: declared ?? bound }
}

function contentSizeBytes(code: number, singleSegment: boolean): number {
  if (code === 0) return singleSegment ? 1 : 0
  return 1 << code
}

function readContentSize(bytes: Buffer, at: number, width: number): number | null {
  switch (width) {
    case 0:
      return null
    case 8:
      return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
    case 2:
      return bytes.readUInt16LE(at) + 256
    default:
      return bytes.readUIntLE(at, width)
  }
}

function truncated(): CorruptPayload {
  return new CorruptPayload('zstd', 'its frames do not end where it ends')
}
