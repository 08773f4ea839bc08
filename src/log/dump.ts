/**
 * Reading logs offline: what `lograft log dump` prints. Nothing is changed, and a damaged log is read as far
 * as it goes. A broker may be writing meanwhile: then the tail may look torn.
 */
import { Faulted } from '../base/errors.ts'
import type { Disk } from '../io/world.ts'
import * as batch from '../records/batch.ts'
import type { Codec } from '../records/codecs.ts'
import { type RecordView, readRecords } from '../records/records.ts'
import { checkBatch } from '../records/scan.ts'
import * as names from './names.ts'

export interface SegmentFile {
  readonly path: string
  readonly folder: string
  readonly baseOffset: number
  readonly bytes: number
}

/** Everything that a batch's header says. */
export interface BatchSummary {
  /** In the file, bytes. */
  readonly position: number
  readonly bytes: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly count: number
  readonly leaderEpoch: number
  readonly codec: Codec
  readonly timestampType: batch.TimestampType
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly isControl: boolean
}

/**
 * The segments that a path means: one file, those of a partition, or those of all partitions below a folder.
 */
export function segmentFiles(disk: Disk, path: string): SegmentFile[] {
  const stat = disk.stat(path)
  if (stat === null) throw new Faulted('disk', `read ${path}: there is no such file or folder`)
  if (!stat.isFolder) {
    const cut = path.lastIndexOf('/')
    const folder = cut < 0 ? '.' : path.slice(0, cut)
    const baseOffset = names.offsetInName(path.slice(cut + 1), names.segmentSuffixes.batches)
    if (baseOffset === null)
      throw new Faulted('disk', `read ${path}: it is not a segment (20 digits and .log)`)
    return [{ path, folder, baseOffset, bytes: stat.size }]
  }
  return disk.list(path).flatMap((name) => {
    const below = `${path}/${name}`
    const entry = disk.stat(below)
    if (entry === null) return []
    if (entry.isFolder) return segmentFiles(disk, below)
    const baseOffset = names.offsetInName(name, names.segmentSuffixes.batches)
    return baseOffset === null ? [] : [{ path: below, folder: path, baseOffset, bytes: entry.size }]
  })
}

/** A batch in a buffer that is overwritten when the next one is asked for. */
export interface FoundBatch {
  readonly summary: BatchSummary
  readonly buffer: Buffer
  readonly at: number
}

/** The first thing in a segment that is not a sound batch in its place. */
export interface Problem {
  readonly position: number
  readonly detail: string
}

const chunkBytes = 1_048_576

/**
 * The sound batches of a segment from its beginning; returns what came instead of the next one, or null at
 * the end.
 */
export async function* batchesOf(
  disk: Disk,
  segment: SegmentFile,
): AsyncGenerator<FoundBatch, Problem | null, void> {
  const file = disk.open(segment.path, 'read')
  try {
    let chunk = Buffer.allocUnsafe(chunkBytes)
    let position = 0
    let offset = segment.baseOffset
    while (position < segment.bytes) {
      const got = await file.readAsync(chunk, position)
      let at = 0
      while (at < got) {
        const check = checkBatch(chunk, at, got)
        if (!check.ok) {
          const isAll = position + got >= segment.bytes
          if (isAll || check.reason === 'corrupt' || (at === 0 && check.reason === 'zeros')) {
            return { position: position + at, detail: `${check.reason}: ${check.detail}` }
          }
          if (at === 0) chunk = Buffer.allocUnsafe(wanted(chunk, segment.bytes))
          break
        }
        const found = batch.baseOffset(chunk, at)
        if (found !== offset) {
          return { position: position + at, detail: `a batch at offset ${found} where ${offset} comes next` }
        }
        offset = batch.nextOffset(chunk, at)
        yield { summary: summaryOf(chunk, at, position + at), buffer: chunk, at }
        at += check.size
      }
      position += at
    }
    return null
  } finally {
    file.close()
  }
}

/** For a batch that is larger than the chunk it begins: its size, if the file has room for that. */
function wanted(chunk: Buffer, fileBytes: number): number {
  return Math.min(fileBytes, Math.max(chunk.length * 2, batch.batchSize(chunk, 0)))
}

/** The records of a batch. @throws Refused when they do not parse, or expand beyond the bound */
export function recordsOf(buffer: Buffer, at: number, expandedBytesMax: number): RecordView[] {
  return readRecords(buffer, at, { maxExpandedBytes: expandedBytesMax })
}

function summaryOf(buffer: Buffer, at: number, position: number): BatchSummary {
  return {
    position,
    bytes: batch.batchSize(buffer, at),
    baseOffset: batch.baseOffset(buffer, at),
    lastOffset: batch.lastOffset(buffer, at),
    count: batch.recordCount(buffer, at),
    leaderEpoch: batch.leaderEpoch(buffer, at),
    codec: batch.codecOf(buffer, at),
    timestampType: batch.timestampType(buffer, at),
    baseTimestamp: batch.baseTimestamp(buffer, at),
    maxTimestamp: batch.maxTimestamp(buffer, at),
    producerId: batch.producerId(buffer, at),
    producerEpoch: batch.producerEpoch(buffer, at),
    baseSequence: batch.baseSequence(buffer, at),
    isTransactional: batch.isTransactional(buffer, at),
    isControl: batch.isControl(buffer, at),
  }
}
