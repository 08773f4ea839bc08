/**
 * Written when a log is closed, removed by the first change after it is opened again: while it is there, the
 * files are exactly what it says, and nothing has to be checked. The sizes in it are compared all the same.
 *
 * It is not synced, so that a broker with thousands of logs stops within its time. What it vouches for is durable before it is
 * written; a loss of power that takes the marker, or a part of it, makes the next opening check the log. Nor may one come
 * back that was removed: what changes a log and leaves all sizes as they were (a cut, and other batches in place of what was cut)
 * syncs the folder, and with it the removal, before it touches a file; whatever else is written makes a file longer, or the
 * journal, or is lost with the removal, and then the marker is right.
 *
 * The states of producers lie in it, too: a file of their own would have to be synced, as others rely on those.
 *
 *     uint32 crc32c of the rest, uint8 version, int64 end offset, int64 end position, int64 journal bytes,
 *     uint32 count, segments: int64 base, int64 end, int64 bytes, int64 max timestamp, int64 first append ms, int64 last append ms,
 *     producers at the end, see producer-snapshots.ts
 */
import { Malformed, Reader, Writer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import type { FilePool } from './file-pool.ts'
import { cleanName } from './names.ts'
import { readEntries, sealed, writeEntries } from './producer-snapshots.ts'
import type { ProducerEntry } from './producers.ts'

const version = 2

export interface CleanState {
  /** End of the log. */
  readonly offset: number
  readonly position: number
  readonly journalBytes: number
  readonly segments: readonly CleanSegment[]
  /** Of all that lies below `offset`. */
  readonly producers: readonly ProducerEntry[]
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
export function writeClean(
  { files, folder }: { readonly files: FilePool; readonly folder: string },
  state: CleanState,
): void {
  const file = files.open(`${folder}/${cleanName}`, 'create')
  try {
    file.write(encode(state), 0)
  } finally {
    file.close()
  }
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
  writeEntries(writer, state.producers)
  return sealed(writer.finish())
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
    return { offset, position, journalBytes, segments, producers: readEntries(reader) }
  } catch (error) {
    if (error instanceof Malformed) return null
    throw error
  }
}
