/**
 * UUIDs: 16 bytes, and the canonical text in lower case (RFC 9562), 8-4-4-4-12 hexadecimal digits with dashes
 * between. Text is what the code holds: it is a key of maps and what logs show.
 */

/** Kafka's "no id". */
export const zeroUuid = '00000000-0000-0000-0000-000000000000'

const textSize = 36
const digits = Buffer.from('0123456789abcdef')
const valueOfDigit = new Int8Array(128).fill(-1)
for (const [value, digit] of digits.entries()) {
  valueOfDigit[digit] = value
  valueOfDigit[String.fromCharCode(digit).toUpperCase().charCodeAt(0)] = value
}

/**
 * The text is put together here, so that it comes out flat: as a key of a map, one joined of pieces costs
 * twice as much.
 */
const scratch = Buffer.alloc(textSize, '-')

/** The text of the 16 bytes at `at`, which must be there. */
export function uuidAt(buffer: Buffer, at: number): string {
  for (let i = 0, place = 0; i < 16; i++) {
    if (isDash(i)) place++
    const byte = buffer[at + i]!
    scratch[place++] = digits[byte >> 4]!
    scratch[place++] = digits[byte & 0x0f]!
  }
  return scratch.toString('latin1')
}

/** Writes the 16 bytes of `text` at `at`, where there must be room; false when it is not a UUID. */
export function putUuid(buffer: Buffer, at: number, text: string): boolean {
  if (text.length !== textSize) return false
  // A digit that is none makes this negative, once and for all.
  let isGood = 0
  for (let i = 0, place = 0; i < 16; i++) {
    if (isDash(i)) isGood |= text.charCodeAt(place++) === 0x2d ? 0 : -1
    const high = valueOfDigit[text.charCodeAt(place++)] ?? -1
    const low = valueOfDigit[text.charCodeAt(place++)] ?? -1
    isGood |= high | low
    buffer[at + i] = (high << 4) | low
  }
  return isGood >= 0
}

/**
 * A version-4 uuid from injected bytes.
 * @param bytes 16 random bytes; changed in place
 */
export function uuidOf(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return uuidAt(bytes, 0)
}

/** Kafka's short form of an id: 22 characters of URL-safe base64. */
export function shortUuid(uuid: string): string {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')
}

/** True before the bytes that a dash precedes. */
function isDash(byte: number): boolean {
  return byte === 4 || byte === 6 || byte === 8 || byte === 10
}
