/** zstd, from Node's zlib where it has it (22.15 and later), else compiled to WebAssembly. */
import * as zlib from 'node:zlib'
import { CorruptPayload, ExpandedTooLarge } from './errors.ts'
import { zstdOutline } from './zstd-frame.ts'
import { compressZstdWasm, expandZstdWasm } from './zstd-wasm.ts'

/** The part of zlib that Node 20 does not have. */
interface ZlibZstd {
  zstdCompressSync(bytes: Buffer, options: { params?: Record<number, number> }): Buffer
  zstdDecompressSync(bytes: Buffer, options: { maxOutputLength: number }): Buffer
  constants: { ZSTD_c_compressionLevel: number }
}

const native: ZlibZstd | null = 'zstdDecompressSync' in zlib ? (zlib as unknown as ZlibZstd) : null

export function zstdImplementation(): 'zlib' | 'wasm' {
  return native === null ? 'wasm' : 'zlib'
}

/** `level` -7 to 22, the library's default (3) when absent. */
export function compressZstd(bytes: Buffer, level?: number): Buffer {
  if (native === null) return compressZstdWasm(bytes, level)
  const params = level === undefined ? {} : { [native.constants.ZSTD_c_compressionLevel]: level }
  return native.zstdCompressSync(bytes, { params })
}

export function expandZstd(bytes: Buffer, maxBytes: number): Buffer {
  const { bound, declared } = zstdOutline(bytes)
  if (declared !== null && declared > maxBytes) throw new ExpandedTooLarge('zstd', maxBytes)
  // A frame that declares less than it holds fails in the decoder; one that declares more is cut to what it can hold.
  const room = Math.min(maxBytes, bound, declared ?? bound)
  if (native === null) return expandZstdWasm(bytes, room, maxBytes)
  return expandZstdNative(native, bytes, room, maxBytes)
}

function expandZstdNative(zstd: ZlibZstd, bytes: Buffer, room: number, maxBytes: number): Buffer {
  let expanded: Buffer
  try {
    // zlib wants a positive bound.
    expanded = zstd.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, room) })
  } catch (cause) {
    const tooLarge =
      cause instanceof RangeError && (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    if (tooLarge && room === maxBytes) throw new ExpandedTooLarge('zstd', maxBytes)
    throw new CorruptPayload('zstd', cause instanceof Error ? cause.message : String(cause))
  }
  if (expanded.length > maxBytes) throw new ExpandedTooLarge('zstd', maxBytes)
  return expanded
}
