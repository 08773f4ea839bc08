/**
 * One raw Snappy block in TypeScript, for machines where the native package does not load.
 * @source https://github.com/google/snappy/blob/main/format_description.txt
 */
import { CorruptPayload } from './errors.ts'

/** How blocks are coded: natively or by the twin below. */
export interface SnappyBlocks {
  compress(bytes: Buffer): Buffer
  /** `size` is the length that the block declares, already checked against the bound. */
  expand(block: Buffer, size: number): Buffer
}

export const typescriptSnappy: SnappyBlocks = { compress: compressBlock, expand: expandBlock }

/** The densest element is a copy: 3 bytes that stand for 64. A block that declares more lies. */
const ratioMax = 22

const hashBits = 12
const hashTable = new Int32Array(1 << hashBits)

/**
 * The length that a block declares in its first bytes.
 * @throws CorruptPayload when there is none, or more than the block could hold
 */
export function declaredSize(block: Buffer): number {
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      if (size > block.length * ratioMax)
        throw new CorruptPayload('snappy', 'it declares an impossible length')
      return size
    }
  }
  throw new CorruptPayload('snappy', 'no length')
}

function expandBlock(block: Buffer, size: number): Buffer {
  const out = Buffer.allocUnsafe(size)
  const end = block.length
  let i = 0
  while (block[i]! >= 0x80) i++
  i++
  let to = 0
  while (i < end) {
    const tag = block[i++]!
    let length: number
    let distance: number
    if ((tag & 3) === 0) {
      length = (tag >> 2) + 1
      if (length > 60) {
        const extra = length - 60
        if (i + extra > end) throw truncated()
        length = block.readUIntLE(i, extra) + 1
        i += extra
      }
      if (i + length > end) throw truncated()
      if (to + length > size) throw overlong()
      to = copyLiterals(block, i, i + length, out, to)
      i += length
      continue
    }
    if ((tag & 3) === 1) {
      if (i + 1 > end) throw truncated()
      length = ((tag >> 2) & 7) + 4
      distance = ((tag >> 5) << 8) | block[i++]!
    } else {
      const width = (tag & 3) === 2 ? 2 : 4
      if (i + width > end) throw truncated()
      length = (tag >> 2) + 1
      distance = block.readUIntLE(i, width)
      i += width
    }
    if (distance === 0 || distance > to) throw new CorruptPayload('snappy', 'a copy from before the start')
    if (to + length > size) throw overlong()
    // At most 64 bytes: a loop is right for overlapping copies too, and beats a call.
    for (let n = 0; n < length; n++) out[to + n] = out[to - distance + n]!
    to += length
  }
  if (to !== size) throw new CorruptPayload('snappy', `${to} bytes where it declares ${size}`)
  return out
}

/** `bytes` at most 64 KiB, so that a copy's distance fits in two bytes. */
function compressBlock(bytes: Buffer): Buffer {
  const size = bytes.length
  const out = Buffer.allocUnsafe(32 + size + Math.floor(size / 6))
  let to = 0
  let rest = size
  for (; rest >= 0x80; rest >>>= 7) out[to++] = (rest & 0x7f) | 0x80
  out[to++] = rest
  let literalsFrom = 0
  let i = 0
  if (size >= 15) {
    hashTable.fill(-1)
    const last = size - 4
    let misses = 0
    while (i <= last) {
      const four = word(bytes, i)
      const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - hashBits)
      const candidate = hashTable[slot]!
      hashTable[slot] = i
      if (candidate < 0 || word(bytes, candidate) !== four) {
        // Data that does not compress is skipped over in growing steps.
        i += 1 + (misses++ >> 5)
        continue
      }
      misses = 0
      let end = i + 4
      for (let from = candidate + 4; end < size && bytes[end] === bytes[from]; from++) end++
      to = putLiterals(bytes, literalsFrom, i, out, to)
      to = putCopies(i - candidate, end - i, out, to)
      i = literalsFrom = end
    }
  }
  to = putLiterals(bytes, literalsFrom, size, out, to)
  return out.subarray(0, to)
}

function putLiterals(bytes: Buffer, from: number, end: number, out: Buffer, at: number): number {
  const length = end - from
  if (length === 0) return at
  let to = at
  if (length <= 60) {
    out[to++] = (length - 1) << 2
  } else if (length <= 256) {
    out[to++] = 60 << 2
    out[to++] = length - 1
  } else {
    out[to++] = 61 << 2
    out[to++] = (length - 1) & 0xff
    out[to++] = (length - 1) >> 8
  }
  return copyLiterals(bytes, from, end, out, to)
}

/** A loop up to 32 bytes: a call to copy costs as much as that. */
function copyLiterals(bytes: Buffer, from: number, end: number, out: Buffer, at: number): number {
  const length = end - from
  if (length < 32) for (let n = 0; n < length; n++) out[at + n] = bytes[from + n]!
  else bytes.copy(out, at, from, end)
  return at + length
}

function putCopies(distance: number, total: number, out: Buffer, at: number): number {
  let to = at
  let length = total
  while (length > 0) {
    const piece = Math.min(length, 64)
    if (piece < 12 && piece >= 4 && distance < 2048) {
      out[to++] = 1 | ((piece - 4) << 2) | ((distance >> 8) << 5)
      out[to++] = distance & 0xff
    } else {
      out[to++] = 2 | ((piece - 1) << 2)
      out[to++] = distance & 0xff
      out[to++] = distance >> 8
    }
    length -= piece
  }
  return to
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

function truncated(): CorruptPayload {
  return new CorruptPayload('snappy', 'it ends inside an element')
}

function overlong(): CorruptPayload {
  return new CorruptPayload('snappy', 'it is longer than it declares')
}
