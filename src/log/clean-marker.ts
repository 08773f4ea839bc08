/**
 * Written when a log is closed, removed by the first change after it is opened again: while it is there, the
 * files are exactly what it says, and nothing has to be checked. The sizes in it are compared all the same.
 *
 *     uint32 crc32c of the rest, uint8 version, int64 end offset, int64 end position, int64 journal bytes,
 *     uint32 count, segments: int64 base, int64 end, int64 bytes, int64 max timestamp, int64 first append ms, int64 last append ms
 */
import { Malformed, Reader, Writer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Disk } from '../io/world.ts'
import type { FilePool } from './file-pool.ts'
import { cleanName } from './names.ts'

const version = 1

export interface CleanState {
  /** End of the log. */
  readonly offset: number
  readonly position: number
  readonly journalBytes: number
  readonly segments: readonly CleanSegment[]
}

export interface CleanSegment {
  readonly baseOffset: number
  readonly endOffset: number
  readonly bytes: number
  readonly maxTimestamp: number
  readonly firstAppendMs: number
  readonly lastAppendMs: number
}

/** Everything else is durable already. @throws Faulted */
export async function writeClean(
  { disk, files, folder }: { readonly disk: Disk; readonly files: FilePool; readonly folder: string },
  state: CleanState,
): Promise<void> {
  const file = files.open(`${folder}/${cleanName}`, 'create')
  try {
    file.write(encode(state), 0)
    await file.sync()
  } finally {
    file.close()
  }
  await disk.syncFolder(folder)
}

function encode(state: CleanState): Buffer[] {
  const writer = new Writer()
  writer.int8(version)
  writer.int64(state.offset)
  writer.int64(state.position)
  writer.int64(state.journalBytes)
  writer.uint32(state.segments.length)
  for (const segment of state.segments) {
    writer.int64(segment.baseOffset)
    writer.int64(segment.endOffset)
    writer.int64(segment.bytes)
    writer.nearest64(segment.maxTimestamp)
    writer.nearest64(Math.round(segment.firstAppendMs))
    writer.nearest64(Math.round(segment.lastAppendMs))
  }
  const content = writer.finish()
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(content.reduce((sum, piece) => crc32c(piece, sum), 0))
  return [crc, ...content]
}

/** null when the bytes are not a whole marker of a version that is known: the log is then checked. */
export function decodeClean(bytes: Buffer): CleanState | null {
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== crc32c(bytes.subarray(4))) return null
  const reader = new Reader(bytes, 4)
  if (reader.int8('version') !== version) return null
  try {
    const offset = reader.int64('end offset')
    const position = reader.int64('end position')
    const journalBytes = reader.int64('journal bytes')
    const segments: CleanSegment[] = []
    for (let left = reader.uint32('count'); left > 0; left--) {
      segments.push({
        baseOffset: reader.int64('base offset'),
        endOffset: reader.int64('end offset'),
        bytes: reader.int64('bytes'),
        maxTimestamp: reader.nearest64('max timestamp'),
        firstAppendMs: reader.nearest64('first append'),
        lastAppendMs: reader.nearest64('last append'),
      })
    }
    return { offset, position, journalBytes, segments }
  } catch (error) {
    if (error instanceof Malformed) return null
    throw error
  }
}
