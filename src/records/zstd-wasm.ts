/**
 * zstd compiled to WebAssembly, for Node before 22.15, whose zlib has none.
 *
 * The package starts itself asynchronously, allocates whatever size a frame claims, and does not check that the
 * allocation succeeded. So its own functions are not used: it is compiled in place on first use (4 ms), and called
 * with a capacity that we have checked.
 */
import { createRequire } from 'node:module'
import { Refused } from '../base/errors.ts'
import { CorruptPayload } from './errors.ts'

interface ZstdModule {
  HEAPU8: Uint8Array
  _malloc(size: number): number
  _free(address: number): void
  _ZSTD_isError(result: number): number
  _ZSTD_compressBound(size: number): number
  _ZSTD_compress(to: number, room: number, from: number, size: number, level: number): number
  _ZSTD_decompress(to: number, room: number, from: number, size: number): number
  init(bytes: Uint8Array): void
  /** Emscripten's hook: hands over the imports and takes the instance, at once. */
  instantiateWasm: (imports: WebAssemblyImports, receive: (instance: object) => object) => object
}

type WebAssemblyImports = Record<string, Record<string, unknown>>

/** What we use of the global; its types belong to the DOM library, which a broker does not have. */
interface WebAssemblyFace {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: WebAssemblyImports) => object
}

/** ZSTD_error_dstSize_tooSmall, negated as the library returns it. */
const destinationTooSmall = -70

/** Memory of a module never shrinks; one that has grown beyond this is dropped and compiled anew when needed. */
const keepBytesMax = 64 * 1024 * 1024

// See native.ts.
const require = createRequire(import.meta.url ?? __filename)

let loaded: ZstdModule | null = null

/** `level` -7 to 22, the library's default (3) when absent. */
export function compressZstdWasm(bytes: Buffer, level = 3): Buffer {
  const zstd = load()
  const room = zstd._ZSTD_compressBound(bytes.length)
  const compressed = withMemory(zstd, bytes, room, (to, from) => {
    const size = zstd._ZSTD_compress(to, room, from, bytes.length, level)
    return zstd._ZSTD_isError(size) === 0 ? size : null
  })
  if (compressed === null)
    throw new Refused('UNKNOWN_SERVER_ERROR', `zstd could not compress at level ${level}`)
  return compressed
}

/** One frame. Null when it holds more than `room`, which is what is allocated. */
export function expandZstdWasm(bytes: Buffer, room: number): Buffer | null {
  const zstd = load()
  try {
    return withMemory(zstd, bytes, room, (to, from) => {
      const size = zstd._ZSTD_decompress(to, room, from, bytes.length)
      if (size === destinationTooSmall) return null
      if (zstd._ZSTD_isError(size) !== 0) throw new CorruptPayload('zstd', `error ${-size}`)
      return size
    })
  } catch (cause) {
    if (cause instanceof Refused) throw cause
    // The module stopped in the middle (a trap): what its memory holds is not to be trusted again.
    loaded = null
    throw new CorruptPayload('zstd', 'the decoder stopped')
  }
}

/** Copies `bytes` in, runs `code` on (destination, source), and copies out as many bytes as it says, if any. */
function withMemory(
  zstd: ZstdModule,
  bytes: Buffer,
  room: number,
  code: (to: number, from: number) => number | null,
): Buffer | null {
  const block = zstd._malloc(room + bytes.length)
  if (block === 0) {
    throw new Refused('UNKNOWN_SERVER_ERROR', `zstd has no memory for ${room + bytes.length} bytes`)
  }
  try {
    // HEAPU8 is replaced whenever the memory grows, so it is read anew after every call.
    zstd.HEAPU8.set(bytes, block + room)
    const size = code(block, block + room)
    return size === null ? null : Buffer.from(zstd.HEAPU8.subarray(block, block + size))
  } finally {
    zstd._free(block)
    if (zstd.HEAPU8.length > keepBytesMax) loaded = null
  }
}

function load(): ZstdModule {
  if (loaded !== null) return loaded
  const entry = require.resolve('@bokuweb/zstd-wasm')
  const glue = entry.replace(/index\.node\.js$/, 'zstd.js')
  // Reading code, as `require` does for JavaScript: the only file that this folder ever opens.
  const { readFileSync } = require('node:fs') as typeof import('node:fs')
  const code = readFileSync(entry.replace(/index\.node\.js$/, 'zstd.wasm'))
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyFace }).WebAssembly
  delete require.cache[glue]
  const zstd = (require(glue) as { Module: ZstdModule }).Module
  zstd.instantiateWasm = (imports, receive) => receive(new Instance(new Module(code), imports))
  zstd.init(code)
  loaded = zstd
  return zstd
}
