/**
 * Reading bytes that nobody vouches for, and writing bytes for the wire and the disk. Big-endian, Kafka's
 * encodings.
 *
 * Strings and bytes come in two encodings: classic (a fixed length, int16 or int32, -1 for null) and compact
 * (an unsigned varint that holds length + 1, 0 for null), which flexible versions use (KIP-482).
 */
import { assert } from './assert.ts'
import { int16At, int32At, int64At, putInt16, putInt32, putInt64 } from './big-endian.ts'
import { Faulted } from './errors.ts'
import { Pieces } from './pieces.ts'
import { putUuid, uuidAt } from './uuid.ts'

/** Bytes that are not what they claim to be. The sentence names the field and the position in the frame. */
export class Malformed extends Faulted {
  override name = 'Malformed'
  constructor(sentence: string) {
    super('bytes', sentence)
  }
}

/** Kafka's limit for a string in either encoding: what an int16 length can say. */
export const stringSizeMax = 0x7fff

const asciiLoopMax = 64
const nothing = Buffer.alloc(0)

/**
 * Walks over a Buffer. Every method takes the name of the field for the sentence of the `Malformed` that it
 * throws when the bytes are short or wrong; names are constants, so a good read costs nothing for them.
 *
 * `bytes`, `records` and `take` answer slices of the frame: no copy, so whoever keeps one keeps the whole
 * frame in memory.
 */
export class Reader {
  /** @param position the first byte to read; @param end the byte after the last. */
  constructor(
    readonly buffer: Buffer,
    public position = 0,
    readonly end = buffer.length,
  ) {
    assert(position >= 0 && position <= end && end <= buffer.length, 'a Reader stays inside its Buffer')
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `size` bytes and answers where they start. */
  skip(size: number, field: string): number {
    const at = this.position
    if (size < 0 || size > this.end - at) this.failShort(size, field)
    this.position = at + size
    return at
  }

  /** A slice of the frame: no copy. */
  take(size: number, field: string): Buffer {
    const at = this.skip(size, field)
    return size === 0 ? nothing : this.buffer.subarray(at, at + size)
  }

  /** @throws Malformed when bytes are left: whoever sent them meant something else by what came before. */
  expectEnd(what: string): void {
    if (this.position !== this.end) this.fail(`${this.remaining} bytes are left after`, what)
  }

  int8(field: string): number {
    return (this.buffer[this.skip(1, field)]! << 24) >> 24
  }

  int16(field: string): number {
    return int16At(this.buffer, this.skip(2, field))
  }

  int32(field: string): number {
    return int32At(this.buffer, this.skip(4, field))
  }

  uint16(field: string): number {
    return int16At(this.buffer, this.skip(2, field)) & 0xffff
  }

  uint32(field: string): number {
    return int32At(this.buffer, this.skip(4, field)) >>> 0
  }

  float64(field: string): number {
    return this.buffer.readDoubleBE(this.skip(8, field))
  }

  /** As Kafka: any byte but 0 is true. */
  bool(field: string): boolean {
    return this.buffer[this.skip(1, field)] !== 0
  }

  /** @throws Malformed when the number is no safe integer: that it became another would be worse. */
  int64(field: string): number {
    const value = this.nearest64(field)
    if (!Number.isSafeInteger(value)) this.fail('a number beyond 2^53 in', field)
    return value
  }

  /** The nearest double: exact up to 2^53. */
  nearest64(field: string): number {
    return int64At(this.buffer, this.skip(8, field))
  }

  bigint64(field: string): bigint {
    return this.buffer.readBigInt64BE(this.skip(8, field))
  }

  /** Canonical form, lower case: 8-4-4-4-12 hexadecimal digits. */
  uuid(field: string): string {
    return uuidAt(this.buffer, this.skip(16, field))
  }

  /** Unsigned. @throws Malformed when it is longer than five bytes or than 32 bits. */
  uvarint(field: string): number {
    let value = this.uint8(field)
    if (value < 0x80) return value
    value &= 0x7f
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.uint8(field)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const last = this.uint8(field)
    if (last > 0x0f) this.fail('a varint that is too long in', field)
    return ((last << 28) | value) >>> 0
  }

  string(field: string): string {
    return this.stringOf(this.int16(field), field)
  }

  nullableString(field: string): string | null {
    const size = this.int16(field)
    return size === -1 ? null : this.stringOf(size, field)
  }

  compactString(field: string): string {
    return this.stringOf(this.uvarint(field) - 1, field)
  }

  compactNullableString(field: string): string | null {
    const size = this.uvarint(field) - 1
    return size === -1 ? null : this.stringOf(size, field)
  }

  bytes(field: string): Buffer {
    return this.bytesOf(this.int32(field), field)
  }

  nullableBytes(field: string): Buffer | null {
    const size = this.int32(field)
    return size === -1 ? null : this.bytesOf(size, field)
  }

  compactBytes(field: string): Buffer {
    return this.bytesOf(this.uvarint(field) - 1, field)
  }

  compactNullableBytes(field: string): Buffer | null {
    const size = this.uvarint(field) - 1
    return size === -1 ? null : this.bytesOf(size, field)
  }

  /**
   * The number of elements of an array, -1 for null when `isNullable`.
   * @param elementSizeMin what an element takes at least: a count that cannot fit into the rest of the frame
   * is refused before anything is allocated for it.
   */
  count(elementSizeMin: number, isNullable: boolean, field: string): number {
    return this.countOf(this.int32(field), elementSizeMin, isNullable, field)
  }

  compactCount(elementSizeMin: number, isNullable: boolean, field: string): number {
    return this.countOf(this.uvarint(field) - 1, elementSizeMin, isNullable, field)
  }

  /** Skips a section of tagged fields of which none is known. */
  skipTags(field: string): void {
    for (let count = this.tagCount(field); count > 0; count--) {
      this.uvarint(field)
      this.skip(this.uvarint(field), field)
    }
  }

  /** How many tagged fields follow. Each takes two bytes at least: its tag and its size. */
  tagCount(field: string): number {
    return this.countOf(this.uvarint(field), 2, false, field)
  }

  fail(what: string, field: string): never {
    throw new Malformed(`${what} ${field} at byte ${this.position} of ${this.end}`)
  }

  private uint8(field: string): number {
    return this.buffer[this.skip(1, field)]!
  }

  private stringOf(size: number, field: string): string {
    if (size < 0 || size > stringSizeMax) this.fail(`a string of ${size} bytes in`, field)
    const at = this.skip(size, field)
    // As Kafka: bytes that are not UTF-8 become U+FFFD rather than an error; but each takes three bytes when it is sent back.
    const text = this.buffer.toString('utf8', at, at + size)
    if (size > stringSizeMax / 3 && Buffer.byteLength(text) > stringSizeMax)
      this.fail('text that is not UTF-8 in', field)
    return text
  }

  private bytesOf(size: number, field: string): Buffer {
    if (size < 0) this.fail(`${size} bytes in`, field)
    return this.take(size, field)
  }

  private countOf(count: number, elementSizeMin: number, isNullable: boolean, field: string): number {
    if (count < 0 && !(count === -1 && isNullable)) this.fail(`a count of ${count} in`, field)
    if (count * elementSizeMin > this.end - this.position) {
      this.fail(`a count of ${count}, more than the frame can hold, in`, field)
    }
    return count
  }

  private failShort(size: number, field: string): never {
    return this.fail(`${size} bytes are needed where ${this.remaining} are left, for`, field)
  }
}

/** Writes the same encodings. A value that its type cannot hold breaks an assertion. */
export class Writer extends Pieces {
  int8(value: number): void {
    if ((value << 24) >> 24 !== value) this.refuse(value, 'int8')
    this.byte(value)
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) this.refuse(value, 'int16')
    const at = this.reserve(2)
    putInt16(this.buffer, at, value)
  }

  int32(value: number): void {
    if ((value | 0) !== value) this.refuse(value, 'int32')
    const at = this.reserve(4)
    putInt32(this.buffer, at, value)
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) this.refuse(value, 'uint16')
    const at = this.reserve(2)
    putInt16(this.buffer, at, value)
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) this.refuse(value, 'uint32')
    const at = this.reserve(4)
    putInt32(this.buffer, at, value)
  }

  float64(value: number): void {
    const at = this.reserve(8)
    this.buffer.writeDoubleBE(value, at)
  }

  bool(value: boolean): void {
    this.byte(value ? 1 : 0)
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) this.refuse(value, 'safe int64')
    const at = this.reserve(8)
    putInt64(this.buffer, at, value)
  }

  /** The nearest int64: what lies beyond its bounds is written as the bound. */
  nearest64(value: number): void {
    if (Number.isSafeInteger(value)) {
      this.int64(value)
      return
    }
    if (!Number.isInteger(value)) this.refuse(value, 'integer')
    const bounded = value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.max(value, -(2 ** 63)))
    const at = this.reserve(8)
    this.buffer.writeBigInt64BE(bounded, at)
  }

  bigint64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) this.refuse(value, 'int64')
    const at = this.reserve(8)
    this.buffer.writeBigInt64BE(value, at)
  }

  uuid(value: string): void {
    const at = this.reserve(16)
    if (!putUuid(this.buffer, at, value)) this.refuse(value, 'uuid')
  }

  uvarint(value: number): void {
    if (value >>> 0 !== value) this.refuse(value, 'uint32')
    let rest = value
    for (; rest >= 0x80; rest >>>= 7) this.byte((rest & 0x7f) | 0x80)
    this.byte(rest)
  }

  string(value: string): void {
    const size = this.stringSize(value)
    this.int16(size)
    this.text(value, size)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const size = this.stringSize(value)
    this.uvarint(size + 1)
    this.text(value, size)
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.uvarint(0)
    else this.compactString(value)
  }

  bytes(value: Buffer): void {
    this.int32(value.length)
    this.raw(value)
  }

  nullableBytes(value: Buffer | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Buffer): void {
    this.uvarint(value.length + 1)
    this.raw(value)
  }

  compactNullableBytes(value: Buffer | null): void {
    if (value === null) this.uvarint(0)
    else this.compactBytes(value)
  }

  /** Marks the start of what is preceded by its size as an unsigned varint; `endSized` takes the mark. */
  beginSized(): number {
    this.reserve(1)
    return this.size
  }

  /** Writes the size of what was written since `beginSized`; nothing may have been spliced in meanwhile. */
  endSized(mark: number): void {
    const size = this.size - mark
    assert(size < this.openSize, 'what is sized lies in one piece')
    const from = this.position - size
    let extra = 0
    for (let rest = size; rest >= 0x80; rest >>>= 7) extra++
    if (extra > 0) {
      this.reserve(extra)
      this.buffer.copyWithin(from + extra, from, from + size)
    }
    const after = this.position
    this.position = from - 1
    this.uvarint(size)
    this.position = after
  }

  private byte(value: number): void {
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  private stringSize(value: string): number {
    const size = Buffer.byteLength(value)
    assert(size <= stringSizeMax, 'a string takes at most 32767 bytes')
    return size
  }

  private text(value: string, size: number): void {
    const at = this.reserve(size)
    // As many bytes as characters: ASCII. When it is short, a loop is five times as fast as the call out of
    // JavaScript.
    if (size === value.length && size <= asciiLoopMax) {
      for (let i = 0; i < size; i++) this.buffer[at + i] = value.charCodeAt(i)
    } else {
      this.buffer.write(value, at, size, 'utf8')
    }
  }

  private refuse(value: unknown, type: string): never {
    assert(false, `${String(value)} is of type ${type}`)
    throw new Error('unreachable')
  }
}
