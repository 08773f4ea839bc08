/**
 * Kafka's variable-length integers: base 128, least significant group first; the signed ones are zig-zag
 * (0, -1, 1, -2 ... become 0, 1, 2, 3 ...), so that small numbers of either sign are short.
 *
 * Sizes only: Reader and Writer hold the codecs, records/ has its own for the inside of batches.
 */

/** How many bytes `value`, an integer in [0, 2^32), takes as an unsigned varint: 1 to 5. */
export function uvarintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

/** How many bytes `value`, an int32, takes as a zig-zag varint: 1 to 5. */
export function varintSize(value: number): number {
  return uvarintSize(((value << 1) ^ (value >> 31)) >>> 0)
}

/** How many bytes `value`, a safe integer, takes as a zig-zag varlong: 1 to 8. */
export function varlongSize(value: number): number {
  // Zig-zag by arithmetic: bit operations would cut the number at 32 bits.
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  let size = 1
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}
