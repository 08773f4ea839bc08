/**
 * The zig-zag varints of records. Not the protocol's: those are unsigned and read through its Reader; here every
 * record has six or more of them, so they are read straight from the buffer.
 */
import { MalformedRecords } from './errors.ts'

/** A place in `buffer` that moves on as fields are read. Nothing is read at or beyond `end`. */
export class RecordCursor {
  constructor(
    readonly buffer: Buffer,
    public at: number,
    public end: number,
  ) {}

  /** int32: five bytes at most. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    throw new MalformedRecords('a varint is longer than 32 bits')
  }

  /** int64: ten bytes at most; beyond 2^53 the nearest number. */
  varlong(): number {
    const first = this.byte()
    // The lowest bit is the sign, the others are the magnitude (one less when negative).
    let magnitude = (first & 0x7f) >>> 1
    let byte = first
    for (let scale = 64; byte >= 0x80; scale *= 128) {
      byte = this.byte()
      if (scale === 2 ** 62 && byte > 1) throw new MalformedRecords('a varint is longer than 64 bits')
      magnitude += (byte & 0x7f) * scale
    }
    return (first & 1) === 0 ? magnitude : -magnitude - 1
  }

  /** Length-prefixed bytes; -1 is null. A slice, not a copy. */
  nullableBytes(): Buffer | null {
    const length = this.varint()
    return length === -1 ? null : this.bytes(length)
  }

  bytes(length: number): Buffer {
    const from = this.at
    if (length < 0 || length > this.end - from) {
      throw new MalformedRecords(`${length} bytes where ${this.end - from} follow`)
    }
    this.at = from + length
    return this.buffer.subarray(from, this.at)
  }

  byte(): number {
    if (this.at >= this.end) throw new MalformedRecords('a record ends inside a field')
    return this.buffer[this.at++]!
  }
}

/** Bytes that `varint` takes, 1 to 5. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes an int32 and returns the place after it. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  let to = at
  for (; zigzag >= 0x80; zigzag >>>= 7) buffer[to++] = (zigzag & 0x7f) | 0x80
  buffer[to++] = zigzag
  return to
}

/** Bytes that `varlong` takes, 1 to 10. */
export function varlongSize(value: number): number {
  let size = 1
  for (let magnitude = Math.floor(zigzagHalf(value) / 64); magnitude > 0; size++) {
    magnitude = Math.floor(magnitude / 128)
  }
  return size
}

/** Writes an int64 (exact up to 2^53) and returns the place after it. */
export function writeVarlong(buffer: Buffer, at: number, value: number): number {
  const half = zigzagHalf(value)
  let rest = Math.floor(half / 64)
  let to = at
  buffer[to++] = ((half % 64) << 1) | (value < 0 ? 1 : 0) | (rest > 0 ? 0x80 : 0)
  while (rest > 0) {
    const next = Math.floor(rest / 128)
    buffer[to++] = (rest % 128) | (next > 0 ? 0x80 : 0)
    rest = next
  }
  return to
}

/** The zig-zag form without its lowest bit, the sign: 0, 1, 2 for both 0, 1, 2 and -1, -2, -3. */
function zigzagHalf(value: number): number {
  return value < 0 ? -value - 1 : value
}
