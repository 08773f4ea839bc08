/** Reading a log that is being written: nothing here changes it. */
import { type BufferPool, release } from '../base/buffer-pool.ts'
import { Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import { type ReadContext, type ReadLimits, type Run, readRun, Stale } from './batch-reader.ts'
import type { LogSettings, ReadBatches, RecordPlace } from './log.ts'
import type { Marks } from './marks.ts'
import { ReadAhead } from './read-ahead.ts'
import type { ReadAheadMemory } from './read-ahead-memory.ts'
import type { Segment } from './segment.ts'
import type { Segments } from './segments.ts'
import { findMaxTimestamp, findTime, type LookupOptions } from './time-lookup.ts'

/** What a reader sees of the one that writes. */
export interface Readable {
  readonly segments: Segments
  readonly start: number
  readonly end: number
  /** Exclusive offset of what is in the files. */
  readonly writtenEnd: number
  /** Truncations so far. */
  readonly cuts: number
  readonly marks: Pick<Marks, 'epochOf'>
}

/** So near to the end the batches are counted, and not just the entries of the index: a consumer may wait for a few bytes more. */
const exactBytes = 1024 * 1024

export interface LogReaderOptions {
  readonly settings: () => LogSettings
  /** What was written last is in the page cache: this much is read at once, which takes microseconds. */
  readonly warmBytes: number
  readonly buffers: BufferPool
  readonly clock: Pick<Clock, 'monotonic'>
  readonly aheadMemory: ReadAheadMemory
}

export class LogReader {
  readonly #log: Readable
  readonly #settings: () => LogSettings
  readonly #warmBytes: number
  readonly #buffers: BufferPool
  readonly #ahead: ReadAhead

  constructor(log: Readable, { settings, warmBytes, buffers, clock, aheadMemory }: LogReaderOptions) {
    this.#log = log
    this.#settings = settings
    this.#warmBytes = warmBytes
    this.#buffers = buffers
    this.#ahead = new ReadAhead({
      memory: aheadMemory,
      nowMs: () => clock.monotonic(),
      cuts: () => log.cuts,
      indexIntervalBytes: () => settings().indexIntervalBytes,
    })
  }

  async read(
    offset: number,
    limits: { boundOffset: number; maxBytes: number; minOne: boolean },
  ): Promise<ReadBatches> {
    const log = this.#log
    const batches: Buffer[] = []
    let bytes = 0
    let nextOffset = offset
    for (;;) {
      if (nextOffset < log.start || nextOffset > log.end) {
        throw new Refused('OFFSET_OUT_OF_RANGE', `${offset} is not in [${log.start}, ${log.end}]`)
      }
      const boundOffset = Math.min(limits.boundOffset, log.writtenEnd)
      const segment = log.segments.list[log.segments.indexOf(nextOffset)]
      if (nextOffset >= boundOffset || segment === undefined) break
      if (bytes > 0 && bytes >= limits.maxBytes) break
      const maxBytes = Math.max(0, limits.maxBytes - bytes)
      try {
        const left = { boundOffset, maxBytes, minOne: limits.minOne && bytes === 0 }
        const run = await this.#readRun(segment, nextOffset, left)
        if (run === null) break
        batches.push(run.bytes)
        bytes += run.bytes.length
        nextOffset = run.nextOffset
        if (!run.mayGoOn) break
      } catch (error) {
        if (!(error instanceof Stale) && !segment.isRemoved) throw error
        batches.length = 0
        bytes = 0
        nextOffset = offset
      }
    }
    return { batches, bytes, nextOffset }
  }

  /** From a window, where there is one; else from the file, more than was asked for when the reader seems to go on. */
  async #readRun(segment: Segment, offset: number, limits: ReadLimits): Promise<Run | null> {
    const context = this.#context()
    const ahead = this.#ahead
    let found = ahead.cut(segment, offset, limits)
    while (found === null && ahead.isComing(offset)) {
      await ahead.coming(offset)
      if (context.isStale()) throw new Stale()
      found = ahead.cut(segment, offset, limits)
    }
    const isFar = (position: number): boolean => !this.#isWarm(segment, position)
    if (found === null && ahead.isExpected(offset) && isFar(segment.floorOfOffset(offset).position)) {
      found = await ahead.read(segment, offset, limits, (more) => readRun(segment, offset, more, context))
    }
    if (found !== null) return found.run
    const run = await readRun(segment, offset, limits, context)
    if (run !== null && isFar(run.position)) ahead.ended(run.nextOffset)
    return run
  }

  /** The log was cut, or begins anew. */
  cut(): void {
    this.#ahead.clear()
  }

  /** Segments have gone. */
  trimmed(): void {
    this.#ahead.trimmed()
  }

  close(): void {
    this.#ahead.close()
  }

  /** See Log.examine. */
  async examine(bytesMax: number): Promise<number> {
    for (const segment of this.#log.segments.list) {
      const offset = segment.unexamined
      if (offset === null) continue
      try {
        const limits = { boundOffset: this.#log.writtenEnd, maxBytes: bytesMax, minOne: true }
        const run = await readRun(segment, offset, limits, this.#context())
        if (run === null) continue
        release(run.bytes)
        return run.bytes.length
      } catch (error) {
        // Cut or removed meanwhile: the next call sees what is left.
        if (!(error instanceof Stale) && !segment.isRemoved) throw error
        return 1
      }
    }
    return 0
  }

  bytesBetween(offset: number, boundOffset: number): number {
    const { segments, writtenEnd } = this.#log
    const to = Math.min(boundOffset, writtenEnd)
    let bytes = 0
    for (let i = Math.max(0, segments.indexOf(offset)); i < segments.list.length; i++) {
      const segment = segments.list[i] as Segment
      if (segment.baseOffset >= to || offset >= to) break
      bytes += Math.max(1, this.#positionIn(segment, to) - this.#positionIn(segment, offset))
    }
    return bytes
  }

  /** Where the batch that holds `offset` begins: exactly near the end, else by the index. */
  #positionIn(segment: Segment, offset: number): number {
    if (offset <= segment.baseOffset) return 0
    if (offset >= segment.endOffset) return segment.bytes
    const { position } = segment.floorOfOffset(offset)
    const isExact = this.#isWarm(segment, position) && this.#isWithin(exactBytes, segment, position)
    return isExact ? segment.locate(offset).position : position
  }

  offsetForTime(timestamp: number, boundOffset: number): Promise<RecordPlace | null> {
    return this.#lookUp(boundOffset, (options) => findTime(this.#log.segments.list, timestamp, options))
  }

  offsetOfMaxTimestamp(boundOffset: number): Promise<RecordPlace | null> {
    return this.#lookUp(boundOffset, (options) => findMaxTimestamp(this.#log.segments.list, options))
  }

  async #lookUp<Found>(
    boundOffset: number,
    find: (options: LookupOptions) => Promise<Found>,
  ): Promise<Found> {
    for (;;) {
      const { start } = this.#log
      try {
        return await find({
          context: this.#context(),
          start,
          boundOffset: Math.min(boundOffset, this.#log.writtenEnd),
          expandedBytesMax: this.#settings().expandedBytesMax,
        })
      } catch (error) {
        // A segment may have gone meanwhile, with what was below the start.
        if (!(error instanceof Stale) && start === this.#log.start) throw error
      }
    }
  }

  #context(): ReadContext {
    const log = this.#log
    const { cuts } = log
    return {
      isCached: (segment, position) => this.#isWarm(segment, position),
      isStale: () => log.cuts !== cuts,
      indexIntervalBytes: this.#settings().indexIntervalBytes,
      epochOf: (offset) => log.marks.epochOf(offset),
      buffers: this.#buffers,
    }
  }

  #isWarm(segment: Segment, position: number): boolean {
    return position >= segment.coldBytes && this.#isWithin(this.#warmBytes, segment, position)
  }

  /** Whether a position is among the last so many bytes of the log. */
  #isWithin(bytes: number, segment: Segment, position: number): boolean {
    const { list } = this.#log.segments
    let behind = segment.bytes - position
    for (let i = list.length - 1; behind <= bytes && i >= 0 && list[i] !== segment; i--) {
      behind += list[i]?.bytes ?? 0
    }
    return behind <= bytes
  }
}
