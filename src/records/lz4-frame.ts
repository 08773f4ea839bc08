/**
 * LZ4 frames, our own layer over blocks. The frame functions of the native package are not used: a truncated frame
 * makes them raise an error outside the call, which ends the process, and they write wrong block checksums.
 *
 *    0  0x184d2204 (little-endian)   4  flags   5  block size   [8 content size]  xxh32 of these, second byte
 *       any number of:  uint32 size (top bit: stored plain), block, [xxh32 of the block]
 *       uint32 0, [xxh32 of the content]
 *
 * @source https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
import { loadNative } from '../base/native.ts'
import { xxh32 } from '../base/xxh32.ts'
import { CorruptPayload, ExpandedTooLarge } from './errors.ts'
import { expandBlock, type Lz4Blocks, overflow, typescriptLz4 } from './lz4-block.ts'

type NativeLz4 = {
  encodeBlock(bytes: Buffer, out: Buffer): number
  decodeBlock(block: Buffer, out: Buffer): number
}

interface Frame {
  independent: boolean
  blockChecksums: boolean
  contentChecksum: boolean
  contentSize: number | null
  blockSizeMax: number
  /** Where the first block's size stands. */
  blocksAt: number
}

const frameMagic = 0x184d2204
const storedPlain = 0x80000000
/** Version 1, independent blocks of 64 KiB, no checksums: what librdkafka and Kafka's Java client write. */
const header = Buffer.from('04224d18604082', 'hex')
const blockSizeWritten = 64 * 1024
/** One byte of a block stands for 255 at most. */
const ratioMax = 255

let native: Lz4Blocks | null | undefined

export function lz4Implementation(): 'native' | 'typescript' {
  return nativeBlocks() === null ? 'typescript' : 'native'
}

export function compressLz4(bytes: Buffer, blocks: Lz4Blocks = nativeBlocks() ?? typescriptLz4): Buffer {
  const count = Math.ceil(bytes.length / blockSizeWritten)
  const out = Buffer.allocUnsafe(header.length + bytes.length + 4 * count + 4)
  header.copy(out)
  let to = header.length
  for (let from = 0; from < bytes.length; from += blockSizeWritten) {
    const plain = bytes.subarray(from, from + blockSizeWritten)
    // A block that does not shrink does not fit here, and is stored plain.
    const size = blocks.compress(plain, out.subarray(to + 4, to + 4 + plain.length - 1))
    if (size > 0) {
      out.writeUInt32LE(size, to)
      to += 4 + size
    } else {
      out.writeUInt32LE((storedPlain | plain.length) >>> 0, to)
      plain.copy(out, to + 4)
      to += 4 + plain.length
    }
  }
  out.writeUInt32LE(0, to)
  return out.subarray(0, to + 4)
}

/** One whole frame and nothing after it. All checksums that it has are checked; linked blocks are accepted. */
export function expandLz4(
  bytes: Buffer,
  maxBytes: number,
  blocks: Lz4Blocks = nativeBlocks() ?? typescriptLz4,
): Buffer {
  const frame = readFrameHeader(bytes)
  if (frame.contentSize !== null && frame.contentSize > maxBytes) throw new ExpandedTooLarge('lz4', maxBytes)
  const bound = Math.min(maxBytes, sizeBound(bytes, frame))
  // Zeroed, for the native decoder takes a match at distance 0 and leaves there what was in memory: other people's bytes.
  const out = Buffer.alloc(bound)
  let at = frame.blocksAt
  let to = 0
  for (let word = bytes.readUInt32LE(at); word !== 0; word = bytes.readUInt32LE(at)) {
    const block = bytes.subarray(at + 4, at + 4 + (word & ~storedPlain))
    at += 4 + block.length
    if (frame.blockChecksums) {
      if (bytes.readUInt32LE(at) !== xxh32(block)) throw corrupt('a block fails its checksum')
      at += 4
    }
    if (word >= storedPlain) {
      if (to + block.length > bound) throw new ExpandedTooLarge('lz4', maxBytes)
      to += block.copy(out, to)
    } else {
      to += expandInto(out, to, block, frame, maxBytes, blocks)
    }
  }
  const expanded = out.subarray(0, to)
  if (frame.contentSize !== null && frame.contentSize !== to) {
    throw corrupt(`${to} bytes where it declares ${frame.contentSize}`)
  }
  if (frame.contentChecksum && bytes.readUInt32LE(at + 4) !== xxh32(expanded)) {
    throw corrupt('the content fails its checksum')
  }
  // Slices of the result live on in the caller: they must not hold a much larger allocation.
  return to * 2 < bound ? Buffer.from(expanded) : expanded
}

function expandInto(
  out: Buffer,
  to: number,
  block: Buffer,
  frame: Frame,
  maxBytes: number,
  blocks: Lz4Blocks,
): number {
  const end = Math.min(to + frame.blockSizeMax, out.length)
  if (frame.independent) {
    // The native call knows no bounds but those of the buffers: both are cut to size.
    const size = blocks.expand(block, out.subarray(to, end))
    if (size >= 0) return size
  }
  // Linked, or failed: in the latter case this says whether the bytes are wrong or only too many.
  const size = expandBlock(block, out, to, end, frame.independent ? to : 0)
  if (size >= 0) return size
  if (size === overflow && end === maxBytes) throw new ExpandedTooLarge('lz4', maxBytes)
  throw corrupt(size === overflow ? 'a block is larger than the frame allows' : 'a block is malformed')
}

function readFrameHeader(bytes: Buffer): Frame {
  if (bytes.length < header.length || bytes.readUInt32LE(0) !== frameMagic) throw corrupt('no frame')
  const flags = bytes[4] ?? 0
  const descriptor = bytes[5] ?? 0
  if (flags >> 6 !== 1) throw corrupt(`version ${flags >> 6}`)
  if ((flags & 0x02) !== 0 || (descriptor & 0x8f) !== 0) throw corrupt('a reserved bit is set')
  if ((flags & 0x01) !== 0) throw corrupt('it needs a dictionary')
  const sizeCode = descriptor >> 4
  if (sizeCode < 4) throw corrupt(`block size code ${sizeCode}`)
  const checksumAt = 6 + ((flags & 0x08) !== 0 ? 8 : 0)
  if (bytes.length <= checksumAt) throw truncated()
  if (bytes[checksumAt] !== ((xxh32(bytes.subarray(4, checksumAt)) >>> 8) & 0xff)) {
    throw corrupt('the header fails its checksum')
  }
  return {
    independent: (flags & 0x20) !== 0,
    blockChecksums: (flags & 0x10) !== 0,
    contentChecksum: (flags & 0x04) !== 0,
    contentSize: (flags & 0x08) !== 0 ? bytes.readUInt32LE(6) + bytes.readUInt32LE(10) * 2 ** 32 : null,
    blockSizeMax: 1 << (8 + 2 * sizeCode),
    blocksAt: checksumAt + 1,
  }
}

/** Walks the sizes of the blocks once: they must end exactly at the end, and they bound the output. */
function sizeBound(bytes: Buffer, frame: Frame): number {
  const end = bytes.length - (frame.contentChecksum ? 8 : 4)
  let bound = 0
  let at = frame.blocksAt
  for (; at < end; at += frame.blockChecksums ? 8 : 4) {
    const word = bytes.readUInt32LE(at)
    const size = word & ~storedPlain
    // A plain block may be of the full size, a compressed one is smaller or it would be plain.
    if (size === 0 || size > frame.blockSizeMax) throw corrupt(`a block of ${size} bytes`)
    bound += word >= storedPlain ? size : Math.min(frame.blockSizeMax, size * ratioMax)
    at += size
  }
  if (at !== end || bytes.readUInt32LE(at) !== 0) throw truncated()
  return bound
}

/** The native coder behind the face of the twin, or null where it does not load. */
export function nativeBlocks(): Lz4Blocks | null {
  if (native !== undefined) return native
  const exports = loadNative<NativeLz4>(
    'lz4',
    (l) => typeof l.encodeBlock === 'function' && typeof l.decodeBlock === 'function',
  )
  native =
    exports === null
      ? null
      : {
          compress: (bytes, out) => exports.encodeBlock(bytes, out),
          expand: (block, out) => exports.decodeBlock(block, out),
        }
  return native
}

function corrupt(detail: string): CorruptPayload {
  return new CorruptPayload('lz4', detail)
}

function truncated(): CorruptPayload {
  return corrupt('its blocks do not end where it ends')
}
