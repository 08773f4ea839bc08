/** Finding records by their timestamps: the index leads to a batch, the records inside decide. */
import { release } from '../base/buffer-pool.ts'
import * as batch from '../records/batch.ts'
import { readRecords } from '../records/records.ts'
import { type ReadContext, readRun } from './batch-reader.ts'
import type { RecordPlace } from './log.ts'
import type { Segment } from './segment.ts'

export interface LookupOptions {
  readonly context: ReadContext
  /** Records below it are trimmed, those at and above `boundOffset` not visible. */
  readonly start: number
  readonly boundOffset: number
  readonly expandedBytesMax: number
}

/** How much to read at a time: entries of the index are near, so the batch is usually among the first. */
const windowBytes = 64 * 1024

/** The first record at or after `timestamp`. @throws Faulted, Stale, Refused when a batch expands too far */
export async function findTime(
  segments: readonly Segment[],
  timestamp: number,
  options: LookupOptions,
): Promise<RecordPlace | null> {
  const { start, boundOffset } = options
  for (const segment of segments) {
    if (segment.maxTimestamp < timestamp || segment.endOffset <= start) continue
    if (segment.baseOffset >= boundOffset) break
    const from = Math.max(start, segment.floorOfTime(timestamp).offset)
    const found = await firstBatch(segment, from, options, (bytes, at) => {
      if (batch.maxTimestamp(bytes, at) < timestamp) return null
      return pick(bytes, at, options, (candidate, best) => best === null && candidate >= timestamp)
    })
    if (found !== null) return found
  }
  return null
}

/** The record with the largest timestamp; of several the first. @throws as `findTime` */
export async function findMaxTimestamp(
  segments: readonly Segment[],
  options: LookupOptions,
): Promise<RecordPlace | null> {
  const { start, boundOffset } = options
  let best: RecordPlace | null = null
  for (const segment of segments) {
    if (segment.endOffset <= start || segment.baseOffset >= boundOffset) continue
    if (best !== null && segment.maxTimestamp <= best.timestamp) continue
    const largest = await largestIn(segment, options)
    if (largest !== null && (best === null || largest.timestamp > best.timestamp)) best = largest
  }
  return best
}

async function largestIn(segment: Segment, options: LookupOptions): Promise<RecordPlace | null> {
  const { start, boundOffset } = options
  if (segment.baseOffset < start) return await largestFrom(segment, start, -1, options)
  // The index knows the largest of all but the last few batches, so look at these, then for that one.
  const tail = segment.floorOfOffset(Math.min(boundOffset, segment.endOffset))
  const inTail = await largestFrom(segment, tail.offset, tail.timestampBefore, options)
  if (inTail !== null || tail.timestampBefore < 0) return inTail
  const from = segment.floorOfTime(tail.timestampBefore).offset
  return await firstBatch(segment, from, options, (bytes, at) => {
    if (batch.maxTimestamp(bytes, at) < tail.timestampBefore) return null
    return pick(bytes, at, options, (timestamp, best) => timestamp > (best?.timestamp ?? -1))
  })
}

/** The first record from `offset` on with the largest timestamp above `above`. */
async function largestFrom(
  segment: Segment,
  offset: number,
  above: number,
  options: LookupOptions,
): Promise<RecordPlace | null> {
  let largest: RecordPlace | null = null
  let known = above
  await firstBatch(segment, offset, options, (bytes, at) => {
    if (batch.maxTimestamp(bytes, at) <= known) return null
    largest = pick(bytes, at, options, (timestamp, best) => timestamp > (best?.timestamp ?? known)) ?? largest
    known = largest?.timestamp ?? known
    return null
  })
  return largest
}

/** Visits batches from the one that holds `offset` on, until `visit` finds something. */
async function firstBatch(
  segment: Segment,
  offset: number,
  { context, boundOffset }: LookupOptions,
  visit: (bytes: Buffer, at: number) => RecordPlace | null,
): Promise<RecordPlace | null> {
  const bound = Math.min(boundOffset, segment.endOffset)
  let next = offset
  while (next < bound) {
    const run = await readRun(
      segment,
      next,
      { boundOffset: bound, maxBytes: windowBytes, minOne: true },
      context,
    )
    if (run === null) return null
    let found: RecordPlace | null = null
    for (let at = 0; found === null && at < run.bytes.length; at += batch.batchSize(run.bytes, at)) {
      found = visit(run.bytes, at)
    }
    release(run.bytes)
    if (found !== null) return found
    next = run.nextOffset
  }
  return null
}

/** The last record of a batch, in order, that is `better` than the one chosen before it. */
function pick(
  bytes: Buffer,
  at: number,
  { start, boundOffset, expandedBytesMax }: LookupOptions,
  isBetter: (timestamp: number, best: RecordPlace | null) => boolean,
): RecordPlace | null {
  if (batch.isControl(bytes, at)) return null
  let best: RecordPlace | null = null
  for (const { offset, timestamp } of readRecords(bytes, at, { maxExpandedBytes: expandedBytesMax })) {
    if (offset < start || offset >= boundOffset || !isBetter(timestamp, best)) continue
    best = { offset, timestamp, epoch: batch.leaderEpoch(bytes, at) }
  }
  return best
}
