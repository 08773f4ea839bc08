/**
 * Reading whole batches from a segment: one disk read, and no header visited but those around its two ends.
 */
import { type BufferPool, release } from '../base/buffer-pool.ts'
import * as batch from '../records/batch.ts'
import { damaged, headerProblem, isDamage, type Place, type Segment } from './segment.ts'

export interface ReadLimits {
  /** Exclusive. */
  readonly boundOffset: number
  readonly maxBytes: number
  readonly minOne: boolean
}

/** Where a batch begins. */
export type BatchPlace = Pick<Place, 'offset' | 'position'>

/** Whole batches, one after the other. */
export interface Run {
  readonly bytes: Buffer
  /** In the file. */
  readonly position: number
  readonly nextOffset: number
  /** What comes next was not looked at: it may be returned, too. Else it was, and is not. */
  readonly mayGoOn: boolean
}

/**
 * What is cached is read in pieces of this size. Memory for a larger one comes from the system, page by page,
 * and goes back there: reading 1 MiB at once takes 450 us, in four pieces 200 us.
 */
const cachedPieceBytes = 256 * 1024

/** The headers of so many are looked at faster than the index is searched. */
const fewBatches = 16

/** The log was truncated while it was being read: look again. Never leaves src/log. */
export class Stale extends Error {
  override name = 'Stale'
}

export interface ReadContext {
  /**
   * Whether what lies at a position is likely in the page cache: then it is read at once, in microseconds.
   */
  readonly isCached: (segment: Segment, position: number) => boolean
  /** Whether the log was truncated since the read began. */
  readonly isStale: () => boolean
  readonly indexIntervalBytes: number
  /** By the journal; -1 when it does not know. */
  readonly epochOf: (offset: number) => number
  readonly buffers: BufferPool
}

/** Batches from the one that holds `offset` on, with a use of their memory; null when none may be returned. @throws Faulted, Stale */
export async function readRun(
  segment: Segment,
  offset: number,
  limits: ReadLimits,
  context: ReadContext,
): Promise<Run | null> {
  const run = await readSound(segment, offset, limits, context)
  if (run !== null) segment.examine(run, context.epochOf)
  return run
}

/** As `readRun`, from batches in memory, the first of them at `place`. No use is taken. @throws Faulted 'bytes' */
export function cutRun(
  segment: Segment,
  place: BatchPlace,
  bytes: Buffer,
  offset: number,
  { boundOffset, maxBytes, minOne }: ReadLimits,
): Run | null {
  const chunk = new Chunk(segment, place, bytes)
  chunk.skipTo(offset)
  const size = chunk.batchSize
  if (chunk.nextOffset > boundOffset || (size > maxBytes && !minOne)) return null
  // Who gets half of what it asked for need not wait for more.
  return chunk.take(Math.max(size, maxBytes), boundOffset, maxBytes / 2)
}

async function readSound(
  segment: Segment,
  offset: number,
  limits: ReadLimits,
  context: ReadContext,
): Promise<Run | null> {
  const floor = segment.floorOfOffset(offset)
  try {
    return await readFrom(segment, floor, offset, limits, context)
  } catch (error) {
    if (context.isStale()) throw new Stale()
    if (segment.isRemoved || floor.position === 0 || !isDamage(error)) throw error
    // The index may have led astray. Should the batches be damaged themselves, this says so.
    segment.reindex(error.message)
    return await readFrom(segment, segment.floorOfOffset(offset), offset, limits, context)
  }
}

async function readFrom(
  segment: Segment,
  floor: BatchPlace,
  offset: number,
  { boundOffset, maxBytes, minOne }: ReadLimits,
  context: ReadContext,
): Promise<Run | null> {
  const piece = context.isCached(segment, floor.position) ? Math.min(maxBytes, cachedPieceBytes) : maxBytes
  const ahead = piece + context.indexIntervalBytes + batch.batchHeaderSize
  let chunk = await readChunk(segment, floor, ahead, context)
  chunk.skipTo(offset)
  while (chunk.needsMore) {
    chunk = await readChunk(segment, chunk.let(), ahead, context)
    chunk.skipTo(offset)
  }
  const size = chunk.batchSize
  if (chunk.nextOffset > segment.endOffset) {
    const problem = `a batch that ends at offset ${chunk.nextOffset} where the segment ends at ${segment.endOffset}`
    throw damaged(segment.file.path, chunk.place.position, problem)
  }
  if (chunk.nextOffset > boundOffset || (size > maxBytes && !minOne)) {
    chunk.let()
    return null
  }
  if (size > chunk.rest) chunk = await readChunk(segment, chunk.let(), Math.max(size, piece), context)
  if (size > chunk.rest) {
    const problem = `a batch of ${size} bytes where ${chunk.rest} are left`
    throw damaged(segment.file.path, chunk.place.position, problem)
  }
  return chunk.take(Math.max(size, piece), boundOffset, maxBytes)
}

async function readChunk(
  segment: Segment,
  place: BatchPlace,
  bytes: number,
  context: ReadContext,
): Promise<Chunk> {
  const buffer = context.buffers.take(Math.min(bytes, segment.bytes - place.position))
  const got = context.isCached(segment, place.position)
    ? segment.file.read(buffer, place.position)
    : await segment.file.readAsync(buffer, place.position)
  if (context.isStale()) throw new Stale()
  if (got < batch.batchHeaderSize) throw damaged(segment.file.path, place.position, `${got} bytes`)
  return new Chunk(segment, place, buffer.subarray(0, got))
}

/** Bytes of a segment that begin with a batch, and a cursor over their headers. */
class Chunk {
  readonly #segment: Segment
  readonly #start: BatchPlace
  readonly #bytes: Buffer
  #at = 0
  /** Base offset of the batch at the cursor. */
  #offset: number

  constructor(segment: Segment, start: BatchPlace, bytes: Buffer) {
    this.#segment = segment
    this.#start = start
    this.#bytes = bytes
    this.#offset = start.offset
  }

  /** The batch at the cursor begins behind these bytes, or its header is cut. */
  get needsMore(): boolean {
    return this.rest < batch.batchHeaderSize
  }

  /** Bytes from the cursor on. */
  get rest(): number {
    return this.#bytes.length - this.#at
  }

  get place(): BatchPlace {
    return { offset: this.#offset, position: this.#start.position + this.#at }
  }

  /** Nothing of its bytes is looked at any more. Where the cursor was. */
  let(): BatchPlace {
    release(this.#bytes)
    return this.place
  }

  get batchSize(): number {
    return batch.batchSize(this.#bytes, this.#at)
  }

  get nextOffset(): number {
    return batch.nextOffset(this.#bytes, this.#at)
  }

  /** Moves to the batch that holds `offset`, or as far as there are headers. */
  skipTo(offset: number): void {
    while (!this.needsMore) {
      this.#check()
      if (this.nextOffset > offset) return
      this.#step()
    }
  }

  /**
   * The batches from the cursor on that fit into `maxBytes`, end at or below `boundOffset` and are here as a
   * whole. With fewer than `enough` bytes here there may be more.
   */
  take(maxBytes: number, boundOffset: number, enough: number): Run {
    const start = this.#at
    const mayGoOn = Math.min(this.rest, maxBytes) < enough
    const end = Math.min(this.#bytes.length, start + maxBytes)
    this.#jump(end, boundOffset)
    while (end - this.#at >= batch.batchHeaderSize) {
      this.#check()
      if (this.batchSize > end - this.#at || this.nextOffset > boundOffset) break
      this.#step()
    }
    return {
      bytes: this.#bytes.subarray(start, this.#at),
      position: this.#start.position + start,
      nextOffset: this.#offset,
      mayGoOn,
    }
  }

  /** Moves to an index entry shortly before the end: what lies in between need not be looked at. */
  #jump(end: number, boundOffset: number): void {
    if (end - this.#at < fewBatches * this.batchSize) return
    const segment = this.#segment
    const byPosition = segment.floorOfPosition(this.#start.position + end - batch.batchHeaderSize)
    const floor = boundOffset < byPosition.offset ? segment.floorOfOffset(boundOffset) : byPosition
    const at = floor.position - this.#start.position
    if (at <= this.#at) return
    if (headerProblem(this.#bytes, at, floor.offset) !== null) return // the slow way, then
    this.#at = at
    this.#offset = floor.offset
  }

  #step(): void {
    const { nextOffset } = this
    this.#at += this.batchSize
    this.#offset = nextOffset
  }

  #check(): void {
    const problem = headerProblem(this.#bytes, this.#at, this.#offset)
    if (problem !== null) throw damaged(this.#segment.file.path, this.place.position, problem)
  }
}
