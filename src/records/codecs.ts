/**
 * The five codecs of record batches. What is compressed is the records section; the header stays plain.
 * Each codec has its own file; native code is loaded at first use and has a twin in TypeScript or WebAssembly.
 */
import { ExpandedTooLarge } from './errors.ts'
import { compressGzip, expandGzip } from './gzip.ts'
import { compressLz4, expandLz4, lz4Implementation } from './lz4-frame.ts'
import { compressSnappy, expandSnappy, snappyImplementation } from './snappy.ts'
import { compressZstd, expandZstd, zstdImplementation } from './zstd.ts'

/** By their names in `compression.type`; the place in this list is the number in a batch's attributes. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type Codec = (typeof codecs)[number]

/** The codec with this number, or null. */
export function codecOfId(id: number): Codec | null {
  return codecs[id] ?? null
}

/** The number in a batch's attributes. */
export function codecId(codec: Codec): number {
  return codecs.indexOf(codec)
}

/** `level` is the codec's own scale; snappy and lz4 have none that all of their implementations honour. */
export function compress(codec: Codec, bytes: Buffer, level?: number): Buffer {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return compressGzip(bytes, level)
    case 'snappy':
      return compressSnappy(bytes)
    case 'lz4':
      return compressLz4(bytes)
    case 'zstd':
      return compressZstd(bytes, level)
  }
}

/**
 * The original bytes; with 'none' the input itself. Stops at `maxBytes`: a few kilobytes can stand for hundreds of
 * megabytes (gzip 1,030 to 1, zstd 32,768 to 1), so memory is bounded by the bound and not by the sender.
 * @throws ExpandedTooLarge when there is more than `maxBytes`
 * @throws CorruptPayload when `bytes` is not what the codec defines
 */
export function expand(codec: Codec, bytes: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) throw new ExpandedTooLarge(codec, maxBytes)
      return bytes
    case 'gzip':
      return expandGzip(bytes, maxBytes)
    case 'snappy':
      return expandSnappy(bytes, maxBytes)
    case 'lz4':
      return expandLz4(bytes, maxBytes)
    case 'zstd':
      return expandZstd(bytes, maxBytes)
  }
}

/** What each codec runs on here, for diagnostics. Loads them all. */
export function codecImplementations(): Record<Exclude<Codec, 'none'>, string> {
  return {
    gzip: 'zlib',
    snappy: snappyImplementation(),
    lz4: lz4Implementation(),
    zstd: zstdImplementation(),
  }
}
