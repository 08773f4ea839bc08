/**
 * The first half of recovery: reads the segments of a folder and says how far they are sound. Changes
 * nothing.
 */
import { Faulted } from '../base/errors.ts'
import * as batch from '../records/batch.ts'
import type { CleanState } from './clean-marker.ts'
import { IndexDamaged } from './entries.ts'
import type { Marks } from './marks.ts'
import { offsetName, segmentSuffixes } from './names.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerEntry, Producers } from './producers.ts'
import type { Floor, RecoveryOptions } from './recovery.ts'
import { scanFile } from './scan.ts'
import { damaged, headerProblem, type SegmentContent } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'
import { EntryList, Tally } from './tally.ts'

export interface ExaminedSegment extends SegmentContent {
  readonly baseOffset: number
  readonly fileBytes: number
  /** Every batch of it was read. */
  readonly isScanned: boolean
  /** What comes behind the sound part; null when there is nothing. */
  readonly problem: string | null
}

export interface Examined {
  readonly segments: readonly ExaminedSegment[]
  /** Offset at which the sound part ends. */
  readonly end: number
  /** Base offsets of segments behind it. */
  readonly beyond: readonly number[]
  /** Producer states where one segment ends and the next begins, of those that were read and have no snapshot there. */
  readonly boundaries: readonly Boundary[]
}

export interface Boundary {
  readonly offset: number
  readonly entries: readonly ProducerEntry[]
}

export interface ExaminerOptions extends RecoveryOptions {
  /** Names in the folder. */
  readonly found: readonly string[]
  readonly marks: Marks
  readonly floor: Floor
  readonly clean: CleanState | null
  readonly producers: Producers
  readonly snapshots: ProducerSnapshots
}

export class Examiner {
  readonly #options: ExaminerOptions
  /** Producer states hold everything below. */
  #producersOffset = 0

  constructor(options: ExaminerOptions) {
    this.#options = options
  }

  /** @throws Faulted 'bytes' when the sound part ends below the floor */
  async run(bases: readonly number[], producersOffset: number): Promise<Examined> {
    this.#producersOffset = producersOffset
    const { marks, folder, floor, snapshots } = this.#options
    const segments: ExaminedSegment[] = []
    const boundaries: Boundary[] = []
    const base = marks.base.offset
    let end = base
    for (const [index, baseOffset] of bases.entries()) {
      const expected = Math.max(end, base)
      // Below the base, only what it says of producers counts.
      if (baseOffset > base && baseOffset !== expected) {
        this.#refuseBelowFloor(
          expected,
          `${this.#path(baseOffset)} begins where offset ${expected} comes next`,
        )
        return { segments, end, beyond: bases.slice(index), boundaries }
      }
      const next = bases[index + 1]
      const segment = await this.#examine(baseOffset, next)
      segments.push(segment)
      end = segment.tally.endOffset
      if (segment.problem !== null && !(next !== undefined && next <= base)) {
        const problem = `${this.#path(baseOffset)} at ${segment.tally.bytes}: ${segment.problem}`
        this.#refuseBelowFloor(Math.max(end, base), problem)
        return { segments, end, beyond: bases.slice(index + 1), boundaries }
      }
      if (end === next && end === this.#producersOffset && !snapshots.has(end, marks.epochAt(end - 1)))
        boundaries.push({ offset: end, entries: [...this.#options.producers.entries()] })
    }
    if (floor !== null && Math.max(end, marks.base.offset) < floor.offset) {
      throw refused(folder, `the segments end at offset ${end}, but were durable up to ${floor.offset}`)
    }
    return { segments, end, beyond: [], boundaries }
  }

  #refuseBelowFloor(end: number, what: string): void {
    const { floor, folder } = this.#options
    if (floor !== null && end >= floor.offset) return
    const bound =
      floor === null ? 'how far it was durable is not known' : `it was durable up to offset ${floor.offset}`
    throw refused(folder, `${what} (offset ${end}; ${bound})`)
  }

  async #examine(baseOffset: number, nextBase: number | undefined): Promise<ExaminedSegment> {
    const { clean, floor } = this.#options
    const known = clean?.segments.find((segment) => segment.baseOffset === baseOffset)
    const expectedEnd = known?.endOffset ?? nextBase
    const isOld =
      known !== undefined || (nextBase !== undefined && floor !== null && nextBase <= floor.offset)
    if (isOld && expectedEnd !== undefined && expectedEnd <= this.#producersOffset) {
      const quick = await this.#glance(baseOffset, expectedEnd, known !== undefined && nextBase !== undefined)
      if (quick !== null) return quick
    }
    return await this.#scan(baseOffset)
  }

  /** What the marker or the index say, if the end of the file agrees; null when every batch must be read. */
  async #glance(
    baseOffset: number,
    expectedEnd: number,
    isSealedClean: boolean,
  ): Promise<ExaminedSegment | null> {
    const { clean, files, found } = this.#options
    const known = clean?.segments.find((segment) => segment.baseOffset === baseOffset)
    const { bytes: fileBytes, firstAppendMs, lastAppendMs } = known ?? this.#stat(baseOffset)
    const same = {
      baseOffset,
      fileBytes,
      firstAppendMs,
      lastAppendMs,
      entries: null,
      isScanned: false,
      problem: null,
    }
    if (known !== undefined && isSealedClean) {
      return { ...same, tally: new Tally(known.endOffset, known.bytes, known.maxTimestamp) }
    }
    if (!found.includes(offsetName(baseOffset, segmentSuffixes.index))) return null
    const file = files.open(this.#path(baseOffset), 'read')
    const indexFile = files.open(this.#path(baseOffset, 'index'), 'read')
    try {
      const index = new SegmentIndex(indexFile, baseOffset, false)
      const last = index.count - 1
      if (last < 0 || index.position(last) > fileBytes) return null
      const header = Buffer.alloc(batch.batchHeaderSize)
      if (file.read(header, 0) < header.length || headerProblem(header, 0, baseOffset) !== null) return null
      // The entry at the very end, which a sealed segment has, has no batch behind it that could speak for
      // the file.
      const entry = index.position(last) === fileBytes ? last - 1 : last
      const position = entry < 0 ? 0 : index.position(entry)
      let maxTimestamp = entry < 0 ? -1 : index.timestampBefore(entry)
      const { problem, nextOffset } = await scanFile(file, {
        position,
        offset: baseOffset + (entry < 0 ? 0 : index.relativeOffset(entry)),
        fileSize: fileBytes,
        misplaced: (buffer, at) => this.#misplaced(buffer, at),
        onBatch: (buffer, at) => {
          maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp(buffer, at))
        },
      })
      if (problem !== null || nextOffset !== expectedEnd) return null
      return {
        ...same,
        tally: new Tally(nextOffset, fileBytes, maxTimestamp, fileBytes - index.position(last)),
      }
    } catch (error) {
      if (error instanceof IndexDamaged) return null
      throw error
    } finally {
      file.close()
      indexFile.close()
    }
  }

  async #scan(baseOffset: number): Promise<ExaminedSegment> {
    const { files, settings, producers } = this.#options
    const { bytes: fileBytes, firstAppendMs, lastAppendMs } = this.#stat(baseOffset)
    const interval = settings().indexIntervalBytes
    const tally = new Tally(baseOffset)
    const entries = new EntryList()
    const file = files.open(this.#path(baseOffset), 'read')
    const { problem } = await scanFile(file, {
      position: 0,
      offset: baseOffset,
      fileSize: fileBytes,
      misplaced: (buffer, at) => this.#misplaced(buffer, at),
      onBatch: (buffer, at) => {
        tally.add(buffer, at, interval, entries.add)
        if (batch.baseOffset(buffer, at) < this.#producersOffset) return
        producers.append(buffer, at)
        this.#producersOffset = batch.nextOffset(buffer, at)
      },
    })
    file.close()
    return {
      baseOffset,
      fileBytes,
      tally,
      entries,
      firstAppendMs,
      lastAppendMs,
      isScanned: true,
      problem: problem === null ? null : `${problem.reason}: ${problem.detail}`,
    }
  }

  /** Of a sound batch: does the journal agree that it belongs here? */
  #misplaced(buffer: Buffer, at: number): string | null {
    const { marks } = this.#options
    const offset = batch.baseOffset(buffer, at)
    const next = batch.nextOffset(buffer, at)
    const base = marks.base.offset
    // Trimmed: nobody knows its epoch any more. What reaches over the base is of the log that was there before a reset.
    if (offset < base)
      return next > base ? `a batch up to ${next} around the begin of the log at ${base}` : null
    const epoch = batch.leaderEpoch(buffer, at)
    const expected = marks.epochAt(offset)
    if (epoch !== expected) return `epoch ${epoch} where the journal has ${expected}`
    const mark = marks.offsetAfter(offset)
    return mark < next ? `a batch up to ${next} around a mark at ${mark}` : null
  }

  #stat(baseOffset: number): { bytes: number; firstAppendMs: number; lastAppendMs: number } {
    const found = this.#options.disk.stat(this.#path(baseOffset))
    if (found === null) throw damaged(this.#path(baseOffset), 0, 'the file is gone')
    // When the first append was is not known any more; the last one is no worse a guess than any.
    return { bytes: found.size, firstAppendMs: found.modifiedMs, lastAppendMs: found.modifiedMs }
  }

  #path(baseOffset: number, kind: keyof typeof segmentSuffixes = 'batches'): string {
    return `${this.#options.folder}/${offsetName(baseOffset, segmentSuffixes[kind])}`
  }
}

export function refused(folder: string, what: string): Faulted {
  return new Faulted(
    'bytes',
    `open log ${folder}: ${what}. Damage below the durable end; nothing was changed`,
  )
}
