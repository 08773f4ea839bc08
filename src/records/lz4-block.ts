/**
 * One LZ4 block in TypeScript, for machines where the native package does not load, and for linked blocks, which
 * the native call cannot expand.
 * @source https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */

/** How blocks are coded: natively or by the twin below. */
export interface Lz4Blocks {
  /** Compresses `bytes` into `out`; returns the bytes written, 0 when they do not fit. */
  compress(bytes: Buffer, out: Buffer): number
  /** Expands `block` into `out`; returns the bytes written, negative when malformed or when they do not fit. */
  expand(block: Buffer, out: Buffer): number
}

/** What `expandBlock` returns when the bytes are no LZ4 block. */
export const malformed = -1
/** What `expandBlock` returns when the output is full before the block ends. */
export const overflow = -2

export const typescriptLz4: Lz4Blocks = {
  compress: compressBlock,
  expand: (block, out) => expandBlock(block, out, 0, out.length, 0),
}

const hashBitsMax = 13
const hashTable = new Int32Array(1 << hashBitsMax)

/** The format's own rules: the last match starts 12 bytes before the end, the last 5 bytes are literals. */
const matchStartMargin = 12
const lastLiterals = 5

/**
 * Expands `block` into `out` from `from`, up to `end` at most. A match may reach back to `floor`: to `from` for an
 * independent block, further for a linked one.
 */
export function expandBlock(block: Buffer, out: Buffer, from: number, end: number, floor: number): number {
  const size = block.length
  let i = 0
  let to = from
  while (i < size) {
    const token = block[i++]!
    let literals = token >> 4
    if (literals === 15) {
      let byte = 255
      while (byte === 255) {
        if (i >= size) return malformed
        byte = block[i++]!
        literals += byte
      }
    }
    if (literals > 0) {
      if (i + literals > size) return malformed
      if (to + literals > end) return overflow
      to = putLiterals(block, i, i + literals, out, to)
      i += literals
    }
    // A block ends with literals; nothing else may end it.
    if (i === size) return to - from
    if (i + 2 > size) return malformed
    const distance = block[i]! | (block[i + 1]! << 8)
    i += 2
    if (distance === 0 || distance > to - floor) return malformed
    let length = (token & 15) + 4
    if (length === 19) {
      let byte = 255
      while (byte === 255) {
        if (i >= size) return malformed
        byte = block[i++]!
        length += byte
      }
    }
    if (to + length > end) return overflow
    to = copyMatch(out, to, distance, length)
  }
  return malformed
}

/** Overlapping matches (distance < length) repeat what they have just written. */
function copyMatch(out: Buffer, at: number, distance: number, length: number): number {
  const end = at + length
  if (length < 48) {
    for (let to = at; to < end; to++) out[to] = out[to - distance]!
    return end
  }
  // Each copy doubles what may be copied next, so a run of one byte takes log2 steps and not one per byte.
  const from = at - distance
  let to = at
  while (to < end) {
    const piece = Math.min(to - from, end - to)
    out.copyWithin(to, from, from + piece)
    to += piece
  }
  return end
}

/** `bytes` at most 64 KiB, so that every distance fits in two bytes. */
function compressBlock(bytes: Buffer, out: Buffer): number {
  const size = bytes.length
  const room = out.length
  let to = 0
  let literalsFrom = 0
  const last = size - matchStartMargin
  if (last >= 0) {
    const bits = size < 8192 ? 10 : hashBitsMax
    const shift = 32 - bits
    hashTable.fill(-1, 0, 1 << bits)
    const matchEnd = size - lastLiterals
    let misses = 0
    let i = 0
    while (i <= last) {
      const four = word(bytes, i)
      const slot = Math.imul(four, 0x9e3779b1) >>> shift
      let candidate = hashTable[slot]!
      hashTable[slot] = i
      if (candidate < 0 || word(bytes, candidate) !== four) {
        // Data that does not compress is skipped over in growing steps.
        i += 1 + (misses++ >> 6)
        continue
      }
      misses = 0
      let end = i + 4
      for (let from = candidate + 4; end < matchEnd && bytes[end] === bytes[from]; from++) end++
      while (i > literalsFrom && candidate > 0 && bytes[i - 1] === bytes[candidate - 1]) {
        i--
        candidate--
      }
      const literals = i - literalsFrom
      const length = end - i - 4
      // Token, both lengths, literals, distance; the closing literals are checked after the loop.
      if (to + 1 + literals + lengthBytes(literals) + 2 + lengthBytes(length) > room) return 0
      const token = to++
      out[token] = (Math.min(literals, 15) << 4) | Math.min(length, 15)
      if (literals >= 15) to = putLength(out, to, literals - 15)
      to = putLiterals(bytes, literalsFrom, i, out, to)
      const distance = i - candidate
      out[to++] = distance & 0xff
      out[to++] = distance >> 8
      if (length >= 15) to = putLength(out, to, length - 15)
      i = literalsFrom = end
    }
  }
  const literals = size - literalsFrom
  if (to + 1 + literals + lengthBytes(literals) > room) return 0
  out[to++] = Math.min(literals, 15) << 4
  if (literals >= 15) to = putLength(out, to, literals - 15)
  return putLiterals(bytes, literalsFrom, size, out, to)
}

/** A loop up to 32 bytes: a call to copy costs as much as that. */
function putLiterals(bytes: Buffer, from: number, end: number, out: Buffer, at: number): number {
  const length = end - from
  if (length < 32) for (let n = 0; n < length; n++) out[at + n] = bytes[from + n]!
  else bytes.copy(out, at, from, end)
  return at + length
}

function putLength(out: Buffer, at: number, length: number): number {
  let to = at
  let rest = length
  for (; rest >= 255; rest -= 255) out[to++] = 255
  out[to++] = rest
  return to
}

function lengthBytes(length: number): number {
  return length < 15 ? 0 : 1 + Math.floor((length - 15) / 255)
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
