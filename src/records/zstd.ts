/** zstd, from Node's zlib where it has it (22.15 and later), else compiled to WebAssembly. */

import * as zlib from 'node:zlib'
import { messageOf } from '../base/errors.ts'
import { CorruptPayload, ExpandedTooLarge } from './errors.ts'
import { zstdFrames } from './zstd-frame.ts'
import { compressZstdWasm, expandZstdWasm } from './zstd-wasm.ts'

/** The part of zlib that Node 20 does not have. */
interface ZlibZstd {
  zstdCompressSync(bytes: Buffer, options: { params?: Record<number, number> }): Buffer
  zstdDecompressSync(bytes: Buffer, options: { maxOutputLength: number }): Buffer
  constants: { ZSTD_c_compressionLevel: number }
}

/** Clients write one. Empty ones take 9 bytes, and setting up a decoder for 100,000 of them would take seconds. */
const framesMax = 1000

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

/** All frames in a row, as the command-line tool and Java read them. */
export function expandZstd(bytes: Buffer, maxBytes: number, zlibZstd: ZlibZstd | null = native): Buffer {
  const parts: Buffer[] = []
  let rest = maxBytes
  const frames = zstdFrames(bytes)
  if (frames.length > framesMax) throw new CorruptPayload('zstd', `${frames.length} frames`)
  // One by one: zlib's call returns after the first frame and says nothing of the others.
  for (const { from, end, declared, bound } of frames) {
    if (declared !== null && declared > rest) throw new ExpandedTooLarge('zstd', maxBytes)
    const room = Math.min(rest, bound)
    const frame = bytes.subarray(from, end)
    const part = zlibZstd === null ? expandZstdWasm(frame, room) : expandZlib(zlibZstd, frame, room)
    if (part === null) {
      if (room < bound) throw new ExpandedTooLarge('zstd', maxBytes)
      throw new CorruptPayload('zstd', 'it holds more than it declares')
    }
    rest -= part.length
    parts.push(part)
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}

/** Null when there is more than `room`. */
function expandZlib(zstd: ZlibZstd, frame: Buffer, room: number): Buffer | null {
  try {
    // zlib wants a positive bound.
    const expanded = zstd.zstdDecompressSync(frame, { maxOutputLength: Math.max(1, room) })
    return expanded.length > room ? null : expanded
  } catch (cause) {
    if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') return null
    throw new CorruptPayload('zstd', messageOf(cause))
  }
}
