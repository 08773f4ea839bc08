/**
 * CRC-32C (Castagnoli), the checksum of record batches, segments and images.
 * @source RFC 3720 appendix B.4; Intel, "High Octane CRC Generation with the Slicing-by-8 Algorithm"
 */
import { loadNative } from './native.ts'

type NativeCrc = { crc32c(bytes: Uint8Array, initial?: number): number }

/** Reversed representation of the polynomial 0x1EDC6F41. */
const polynomial = 0x82f63b78

/**
 * Below this many bytes the TypeScript loop is faster than crossing into native code
 * (20 B: 19 ns against 86 ns; 200 B: 121 against 106).
 */
const nativeFromBytes = 192

/** Sixteen tables of 256, in one array: `tables[k * 256 + byte]` advances `byte` over k further zero bytes. */
const tables = sliceTables()

let native: NativeCrc | null | undefined

/**
 * The checksum of `bytes`, unsigned. `initial` is the checksum of the bytes before them, so that
 * `crc32c(b, crc32c(a)) === crc32c(a then b)`.
 */
export function crc32c(bytes: Buffer, initial = 0): number {
  if (bytes.length < nativeFromBytes) return crc32cTypescript(bytes, initial)
  if (native === undefined) native = loadCrc()
  return native === null ? crc32cTypescript(bytes, initial) : native.crc32c(bytes, initial)
}

/** Which implementation checks inputs of ordinary size. */
export function crc32cImplementation(): 'native' | 'typescript' {
  if (native === undefined) native = loadCrc()
  return native === null ? 'typescript' : 'native'
}

/** Slicing by 16: 1.7 GB/s where byte by byte gives 0.5. */
export function crc32cTypescript(bytes: Buffer, initial = 0): number {
  const t = tables
  let crc = ~initial
  let i = 0
  for (const end = bytes.length - 15; i < end; i += 16) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[3840 + (crc & 0xff)]! ^
      t[3584 + ((crc >>> 8) & 0xff)]! ^
      t[3328 + ((crc >>> 16) & 0xff)]! ^
      t[3072 + (crc >>> 24)]! ^
      t[2816 + bytes[i + 4]!]! ^
      t[2560 + bytes[i + 5]!]! ^
      t[2304 + bytes[i + 6]!]! ^
      t[2048 + bytes[i + 7]!]! ^
      t[1792 + bytes[i + 8]!]! ^
      t[1536 + bytes[i + 9]!]! ^
      t[1280 + bytes[i + 10]!]! ^
      t[1024 + bytes[i + 11]!]! ^
      t[768 + bytes[i + 12]!]! ^
      t[512 + bytes[i + 13]!]! ^
      t[256 + bytes[i + 14]!]! ^
      t[bytes[i + 15]!]!
  }
  for (; i < bytes.length; i++) crc = t[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function loadCrc(): NativeCrc | null {
  // The sum of '123456789' is the published check value; a native build that gets it wrong is not used.
  return loadNative<NativeCrc>(
    '@node-rs/crc32',
    (exports) => exports.crc32c?.(Buffer.from('123456789')) === 0xe3069283,
  )
}

function sliceTables(): Int32Array {
  const t = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    t[byte] = crc
  }
  for (let i = 256; i < t.length; i++) {
    const previous = t[i - 256]!
    t[i] = (previous >>> 8) ^ t[previous & 0xff]!
  }
  return t
}
