/**
 * xxHash, 32 bits: the checksum inside LZ4 frames.
 * @source https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (XXH32)
 */

const prime1 = 0x9e3779b1 | 0
const prime2 = 0x85ebca77 | 0
const prime3 = 0xc2b2ae3d | 0
const prime4 = 0x27d4eb2f | 0
const prime5 = 0x165667b1 | 0

/** The hash of `bytes` with seed 0, unsigned. */
export function xxh32(bytes: Buffer): number {
  const length = bytes.length
  let i = 0
  let hash: number
  if (length >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2
    let c = 0
    let d = -prime1 | 0
    for (const end = length - 16; i <= end; i += 16) {
      a = round(a, word(bytes, i))
      b = round(b, word(bytes, i + 4))
      c = round(c, word(bytes, i + 8))
      d = round(d, word(bytes, i + 12))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  } else {
    hash = prime5
  }
  hash = (hash + length) | 0
  for (; i + 4 <= length; i += 4) {
    hash = Math.imul(rotate((hash + Math.imul(word(bytes, i), prime3)) | 0, 17), prime4)
  }
  for (; i < length; i++) {
    hash = Math.imul(rotate((hash + Math.imul(bytes[i]!, prime5)) | 0, 11), prime1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, prime2)) | 0, 13), prime1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
