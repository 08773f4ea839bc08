/**
 * One segment: a file of batches as they came, and the index that finds them again.
 *
 * What is known here follows the order of things at once; `cut` only changes the books, and the caller
 * decides when the file follows (see truncation in segmented-log.ts).
 */
import { assert } from '../base/assert.ts'
import { Faulted } from '../base/errors.ts'
import type { File } from '../io/world.ts'
import * as batch from '../records/batch.ts'
import { CheckedRanges } from './checked-ranges.ts'
import { IndexDamaged } from './entries.ts'
import type { SegmentSummary } from './log.ts'
import { scanFileNow } from './scan.ts'
import type { SegmentIndex } from './segment-index.ts'
import { EntryList, type OnIndexEntry, Tally } from './tally.ts'

/** Where a segment lives. */
export interface SegmentFiles {
  readonly batches: File
  /** The index that is there, or a new, empty one in its place. */
  openIndex(isNew: boolean): SegmentIndex
  readonly indexIntervalBytes: () => number
  /** The index was found damaged and has been built again. */
  readonly onReindexed: (segment: Segment, why: string) => void
}

/** What is in a segment that exists already. */
export interface SegmentContent {
  readonly tally: Tally
  readonly firstAppendMs: number
  readonly lastAppendMs: number
  /** null: the index on disk is good. */
  readonly entries: EntryList | null
}

/** Where a batch begins. */
export interface Place {
  readonly offset: number
  readonly position: number
  /** The largest timestamp of the segment before it; -1 when there is none. */
  readonly timestampBefore: number
}

/** Whole batches that were read from a position. */
interface Examinable {
  readonly bytes: Buffer
  readonly position: number
  /** The offset after the last. */
  readonly nextOffset: number
}

export class Segment implements SegmentSummary {
  readonly baseOffset: number
  readonly #files: SegmentFiles
  #index: SegmentIndex
  #tally: Tally
  #firstAppendMs: number
  #lastAppendMs: number
  /** Bytes that were there before this process: what of them is in the page cache nobody knows. */
  readonly coldBytes: number
  readonly #coldEndOffset: number
  readonly #checked = new CheckedRanges()
  /** Its files go or are gone: who still reads from it looks for the offset again. */
  isRemoved = false
  readonly #addEntry: OnIndexEntry = (offset, position, timestampBefore) =>
    this.#index.append(offset - this.baseOffset, position, timestampBefore)

  /** `content` null: a new, empty segment. */
  constructor(baseOffset: number, files: SegmentFiles, content: SegmentContent | null) {
    this.baseOffset = baseOffset
    this.#files = files
    this.#index = files.openIndex(content === null || content.entries !== null)
    this.#tally = content?.tally ?? new Tally(baseOffset)
    this.coldBytes = this.#tally.bytes
    this.#coldEndOffset = this.#tally.endOffset
    this.#firstAppendMs = content?.firstAppendMs ?? 0
    this.#lastAppendMs = content?.lastAppendMs ?? 0
    content?.entries?.forEach(this.#addEntry)
  }

  get file(): File {
    return this.#files.batches
  }

  get indexFile(): File {
    return this.#index.file
  }

  get indexBytes(): number {
    return this.#index.sizeBytes
  }

  get endOffset(): number {
    return this.#tally.endOffset
  }

  get bytes(): number {
    return this.#tally.bytes
  }

  get maxTimestamp(): number {
    return this.#tally.maxTimestamp
  }

  /** Wall ms of the first append, for rolling by age. */
  get firstAppendMs(): number {
    return this.#firstAppendMs
  }

  get lastAppendMs(): number {
    return this.#lastAppendMs
  }

  /** Writes `batches`, which follow each other, behind the last. @throws Faulted */
  append(batches: readonly Buffer[], nowMs: number): void {
    this.file.write(batches, this.bytes)
    this.count(batches, nowMs)
  }

  /** Likewise off the event loop: what of them is part of the segment then, `count` says. @throws Faulted */
  async write(batches: readonly Buffer[]): Promise<void> {
    await this.file.writeAsync(batches, this.bytes)
  }

  /** The file holds `batches` behind the last. */
  count(batches: readonly Buffer[], nowMs: number): void {
    if (this.bytes === 0) this.#firstAppendMs = nowMs
    this.#lastAppendMs = nowMs
    const interval = this.#files.indexIntervalBytes()
    for (const one of batches) this.#tally.add(one, 0, interval, this.#addEntry)
  }

  /** No more appends for now: the index gets its last entry and is written. @throws Faulted */
  seal(): void {
    if (this.#tally.unindexedBytes > 0) this.#tally.addEntry(this.#addEntry)
    this.#index.flush()
  }

  /**
   * A place at which a batch begins, at or before the batch that holds `offset`. Not checked against the
   * file.
   */
  floorOfOffset(offset: number): Place {
    return this.#floor((index) => index.floorOfOffset(offset - this.baseOffset))
  }

  /** Likewise for a file position. */
  floorOfPosition(position: number): Place {
    return this.#floor((index) => index.floorOfPosition(position))
  }

  /** Likewise for the first record whose timestamp reaches `timestamp`. */
  floorOfTime(timestamp: number): Place {
    return this.#floor((index) => index.floorOfTime(timestamp))
  }

  /**
   * The first batch that ends above `offset`, from the index and the headers behind its entry, read at once;
   * the end of the segment when there is none. @throws Faulted
   */
  locate(offset: number): Place {
    const floor = this.floorOfOffset(offset)
    try {
      return this.#walk(floor, offset)
    } catch (error) {
      if (floor.position === 0 || !isDamage(error)) throw error
      this.reindex(error.message)
      return this.#walk(this.floorOfOffset(offset), offset)
    }
  }

  /**
   * Looks at batches that were read, unless this process has written them or looked at them before: what an
   * earlier one has left may have changed on the disk since. @throws Faulted 'bytes'
   */
  examine({ bytes, position, nextOffset }: Examinable, epochOf: (offset: number) => number): void {
    if (position >= this.coldBytes || bytes.length === 0) return
    const from = batch.baseOffset(bytes, 0)
    if (this.#checked.covers(from, Math.min(nextOffset, this.#coldEndOffset))) return
    let offset = from
    for (let at = 0; at < bytes.length; at += batch.batchSize(bytes, at)) {
      const problem = headerProblem(bytes, at, offset) ?? contentProblem(bytes, at, epochOf(offset))
      if (problem !== null) throw damaged(this.file.path, position + at, problem)
      offset = batch.nextOffset(bytes, at)
    }
    this.#checked.add(from, nextOffset)
  }

  /** Where `examine` has not been yet; null when it has been everywhere. */
  get unexamined(): number | null {
    const offset = this.#checked.gapFrom(this.baseOffset)
    return offset < Math.min(this.#coldEndOffset, this.endOffset) ? offset : null
  }

  /** Forgets the batches from `place` on. The file is the caller's to cut. */
  cut(place: Place): void {
    assert(place.position <= this.bytes, 'a cut lies inside the segment')
    this.#healed(() => this.#index.truncate(place.offset - this.baseOffset))
    const unindexed = place.position - this.floorOfPosition(place.position).position
    this.#tally = new Tally(place.offset, place.position, place.timestampBefore, unindexed)
  }

  /**
   * Builds the index again from the batches, at once: nothing may change meanwhile, and it happens after
   * damage only.
   * @throws Faulted 'bytes' when the batches are damaged themselves
   */
  reindex(why: string): void {
    const entries = new EntryList()
    const tally = new Tally(this.baseOffset)
    const interval = this.#files.indexIntervalBytes()
    const { problem } = scanFileNow(this.file, {
      position: 0,
      offset: this.baseOffset,
      fileSize: this.bytes,
      misplaced: () => null,
      onBatch: (buffer, at) => tally.add(buffer, at, interval, entries.add),
    })
    if (problem !== null) throw damaged(this.file.path, problem.position, problem.detail)
    assert(
      tally.endOffset === this.endOffset && tally.bytes === this.bytes,
      'a segment read again is the same',
    )
    this.#index.file.close()
    this.#index = this.#files.openIndex(true)
    entries.forEach(this.#addEntry)
    this.#tally = tally
    this.#index.flush()
    this.#files.onReindexed(this, why)
  }

  close(): void {
    this.file.close()
    this.#index.file.close()
  }

  #walk(from: Place, offset: number): Place {
    const header = Buffer.allocUnsafe(batch.batchHeaderSize)
    let { offset: at, position, timestampBefore } = from
    while (position < this.bytes) {
      const got = this.file.read(header, position)
      const problem = got < header.length ? `${got} bytes` : headerProblem(header, 0, at)
      if (problem !== null) throw damaged(this.file.path, position, problem)
      if (batch.nextOffset(header, 0) > offset) break
      position += batch.batchSize(header, 0)
      at = batch.nextOffset(header, 0)
      timestampBefore = Math.max(timestampBefore, batch.maxTimestamp(header, 0))
    }
    return { offset: at, position, timestampBefore }
  }

  #floor(find: (index: SegmentIndex) => number): Place {
    return this.#healed(() => {
      const entry = find(this.#index)
      if (entry < 0) return { offset: this.baseOffset, position: 0, timestampBefore: -1 }
      return {
        offset: this.baseOffset + this.#index.relativeOffset(entry),
        position: this.#index.position(entry),
        timestampBefore: this.#index.timestampBefore(entry),
      }
    })
  }

  #healed<Value>(action: () => Value): Value {
    try {
      return action()
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error
      this.reindex(error.message)
      return action()
    }
  }
}

/** What is wrong with a header that should be of the batch at `expectedOffset`, or null. */
export function headerProblem(buffer: Buffer, at: number, expectedOffset: number): string | null {
  if (batch.magic(buffer, at) !== batch.currentMagic) return `magic ${batch.magic(buffer, at)}`
  if (batch.batchSize(buffer, at) < batch.batchHeaderSize)
    return `a batch of ${batch.batchSize(buffer, at)} bytes`
  if (batch.lastOffsetDelta(buffer, at) < 0) return `last offset delta ${batch.lastOffsetDelta(buffer, at)}`
  const offset = batch.baseOffset(buffer, at)
  return offset === expectedOffset ? null : `offset ${offset} where ${expectedOffset} should be`
}

/** What is wrong with a batch whose header is in order, or null. `epoch` -1: nobody knows it any more. */
function contentProblem(buffer: Buffer, at: number, epoch: number): string | null {
  const found = batch.leaderEpoch(buffer, at)
  const size = batch.batchSize(buffer, at)
  if (size > buffer.length - at) return `a batch of ${size} bytes where ${buffer.length - at} are left`
  if (epoch !== -1 && found !== epoch) return `epoch ${found} where ${epoch} should be`
  return batch.verifyCrc(buffer, at) ? null : 'a batch fails its checksum'
}

export function isDamage(error: unknown): error is Faulted {
  return error instanceof Faulted && error.door === 'bytes'
}

export function damaged(path: string, position: number, detail: string): Faulted {
  return new Faulted('bytes', `${path} at ${position}: ${detail}`)
}
