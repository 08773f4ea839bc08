/**
 * The outline of zstd frames: how much they expand to at most, from the headers of frames and blocks alone.
 * Decoders are told to allocate that, and not what the sender claims.
 * @source RFC 8878 section 3.1
 */
import { CorruptPayload } from './errors.ts'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const blockSizeMax = 128 * 1024

export interface ZstdOutline {
  /** No correct decoder produces more than this many bytes. */
  bound: number
  /** What the frames declare, or null when one of them does not. */
  declared: number | null
}

/**
 * Walks all frames to the end of `bytes`.
 * @throws CorruptPayload when they do not end there, or are no frames
 */
export function zstdOutline(bytes: Buffer): ZstdOutline {
  const outline: ZstdOutline = { bound: 0, declared: 0 }
  let at = 0
  do {
    if (at + 5 > bytes.length) throw truncated()
    const magic = bytes.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      if (at + 8 > bytes.length) throw truncated()
      at += 8 + bytes.readUInt32LE(at + 4)
    } else if (magic === frameMagic) {
      at = walkFrame(bytes, at + 4, outline)
    } else {
      throw new CorruptPayload('zstd', 'no frame')
    }
    if (at > bytes.length) throw truncated()
  } while (at < bytes.length)
  return outline
}

/** From the byte after the magic to the first byte after the frame, which may lie beyond the end. */
function walkFrame(bytes: Buffer, from: number, outline: ZstdOutline): number {
  const descriptor = bytes[from] ?? 0
  if ((descriptor & 0x08) !== 0) throw new CorruptPayload('zstd', 'a reserved bit is set')
  if ((descriptor & 0x03) !== 0) throw new CorruptPayload('zstd', 'it needs a dictionary')
  const singleSegment = (descriptor & 0x20) !== 0
  const contentAt = from + (singleSegment ? 1 : 2)
  const contentBytes = contentSizeBytes(descriptor >> 6, singleSegment)
  let at = contentAt + contentBytes
  if (at > bytes.length) throw truncated()
  const contentSize = readContentSize(bytes, contentAt, contentBytes)
  outline.declared = outline.declared === null || contentSize === null ? null : outline.declared + contentSize
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) throw truncated()
    const header = bytes.readUIntLE(at, 3)
    const type = (header >> 1) & 3
    const size = header >> 3
    last = (header & 1) === 1
    if (type === 3 || size > blockSizeMax) throw new CorruptPayload('zstd', 'no such block')
    // 0: stored plain; 1: one byte, repeated; 2: compressed, of unknown size
    outline.bound += type === 2 ? blockSizeMax : size
    at += 3 + (type === 1 ? 1 : size)
  }
  return at + ((descriptor & 0x04) !== 0 ? 4 : 0)
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
