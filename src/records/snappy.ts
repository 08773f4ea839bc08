/**
 * Snappy as Kafka's clients write it: the framing of the Java library (xerial), which is also what we write,
 * or one raw block (librdkafka, Go).
 *
 *     0  0x82 'SNAPPY' 0x00   8  int32 version 1   12  int32 oldest compatible version 1
 *    16  any number of:  int32 length, raw block
 */
import { messageOf } from '../base/errors.ts'
import { loadNative } from '../base/native.ts'
import { CorruptPayload, ExpandedTooLarge } from './errors.ts'
import { declaredSize, type SnappyBlocks, typescriptSnappy } from './snappy-block.ts'

type NativeSnappy = {
  compressSync(bytes: Buffer, options: typeof copied): Buffer
  uncompressSync(bytes: Buffer, options: typeof copied): Buffer | string
}

/** Without it the result is memory that V8 does not own, which costs more than the copy: 32 KiB in 115 us, not 20. */
const copied = { copyOutputData: true }

/** Below this a native call takes longer than the twin; and a stream may hold 100,000 blocks of a few bytes. */
const nativeFromBytes = 512

const magicSize = 8
const headerSize = 16
const header = Buffer.from('82534e41505059000000000100000001', 'hex')

/** Of input, as in Java's SnappyOutputStream; it also keeps every distance within two bytes. */
const blockSizeMax = 32 * 1024

let native: SnappyBlocks | null | undefined

export function snappyImplementation(): 'native' | 'typescript' {
  return nativeBlocks() === null ? 'typescript' : 'native'
}

export function compressSnappy(
  bytes: Buffer,
  blocks: SnappyBlocks = nativeBlocks() ?? typescriptSnappy,
): Buffer {
  const parts: Buffer[] = [header]
  for (let from = 0; from < bytes.length; from += blockSizeMax) {
    const block = blocks.compress(bytes.subarray(from, from + blockSizeMax))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/** What is to be expanded is added up before the first byte of it is allocated. */
export function expandSnappy(
  bytes: Buffer,
  maxBytes: number,
  blocks: SnappyBlocks = nativeBlocks() ?? typescriptSnappy,
): Buffer {
  const framed = isHeader(bytes, 0) ? blocksOf(bytes) : [bytes]
  const sizes = framed.map(declaredSize)
  if (sizes.reduce((sum, size) => sum + size, 0) > maxBytes) throw new ExpandedTooLarge('snappy', maxBytes)
  const expanded = framed.map((block, i) => blocks.expand(block, sizes[i] ?? 0))
  return expanded.length === 1 && expanded[0] !== undefined ? expanded[0] : Buffer.concat(expanded)
}

function blocksOf(bytes: Buffer): Buffer[] {
  if (bytes.length < headerSize) throw new CorruptPayload('snappy', 'it ends inside the header')
  const blocks: Buffer[] = []
  let at = headerSize
  while (at < bytes.length) {
    // Streams that were written one after the other repeat the header; Java's reader takes it as well.
    if (isHeader(bytes, at)) {
      at += headerSize
      continue
    }
    if (at + 4 > bytes.length) throw new CorruptPayload('snappy', 'it ends inside a length')
    const length = bytes.readInt32BE(at)
    at += 4
    if (length <= 0 || length > bytes.length - at) {
      throw new CorruptPayload('snappy', `a block of ${length} bytes where ${bytes.length - at} follow`)
    }
    blocks.push(bytes.subarray(at, at + length))
    at += length
  }
  return blocks
}

function isHeader(bytes: Buffer, at: number): boolean {
  return at + magicSize <= bytes.length && bytes.compare(header, 0, magicSize, at, at + magicSize) === 0
}

/** The native coder behind the face of the twin, or null where it does not load. */
export function nativeBlocks(): SnappyBlocks | null {
  if (native !== undefined) return native
  const exports = loadNative<NativeSnappy>(
    'snappy',
    (s) => typeof s.compressSync === 'function' && typeof s.uncompressSync === 'function',
  )
  native = exports === null ? null : blocksOver(exports)
  return native
}

function blocksOver(exports: NativeSnappy): SnappyBlocks {
  return {
    compress: (bytes) => exports.compressSync(bytes, copied),
    expand: (block, size) => {
      if (size < nativeFromBytes) return typescriptSnappy.expand(block, size)
      try {
        return exports.uncompressSync(block, copied) as Buffer
      } catch (cause) {
        throw new CorruptPayload('snappy', messageOf(cause))
      }
    },
  }
}
