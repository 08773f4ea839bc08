/** The segments of one log, oldest first, and their files. */
import { assert } from '../base/assert.ts'
import type { Disk } from '../io/world.ts'
import type { OnLogEvent } from './events.ts'
import type { FilePool } from './file-pool.ts'
import { offsetName, segmentSuffixes } from './names.ts'
import { Segment, type SegmentContent } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

export interface SegmentsOptions {
  readonly disk: Disk
  readonly files: FilePool
  readonly folder: string
  readonly indexIntervalBytes: () => number
  readonly onEvent: OnLogEvent
}

export class Segments {
  readonly #options: SegmentsOptions
  readonly #list: Segment[] = []

  constructor(options: SegmentsOptions) {
    this.#options = options
  }

  get list(): readonly Segment[] {
    return this.#list
  }

  get last(): Segment | undefined {
    return this.#list.at(-1)
  }

  get bytes(): number {
    let bytes = 0
    for (const segment of this.#list) bytes += segment.bytes
    return bytes
  }

  path(baseOffset: number, kind: keyof typeof segmentSuffixes): string {
    return `${this.#options.folder}/${offsetName(baseOffset, segmentSuffixes[kind])}`
  }

  /** Adds the segment that begins at `baseOffset`: a new one when `content` is null. */
  add(baseOffset: number, content: SegmentContent | null): Segment {
    const { last } = this
    assert(last === undefined || last.baseOffset < baseOffset, 'no two segments have the same files')
    assert(last === undefined || last.endOffset <= baseOffset, 'segments ascend')
    const { disk, files, folder, indexIntervalBytes, onEvent } = this.#options
    const indexPath = this.path(baseOffset, 'index')
    const segment = new Segment(
      baseOffset,
      {
        batches: files.open(this.path(baseOffset, 'batches'), 'create'),
        openIndex: (isNew) => {
          if (isNew) disk.remove(indexPath)
          return new SegmentIndex(files.open(indexPath, 'create'), baseOffset, isNew)
        },
        indexIntervalBytes,
        onReindexed: (reindexed, why) =>
          onEvent({
            level: 'warn',
            event: 'log.index.rebuilt',
            message: `the index of ${reindexed.file.path} did not fit and was built again: ${why}`,
            folder,
            baseOffset,
            why,
          }),
      },
      content,
    )
    this.#list.push(segment)
    return segment
  }

  /** Whether a segment begins at `offset`. */
  has(offset: number): boolean {
    return this.#list[this.indexOf(offset)]?.baseOffset === offset
  }

  /** The place in the list of the segment that holds `offset`; -1 when it lies below all. */
  indexOf(offset: number): number {
    let low = -1
    let high = this.#list.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#list[middle] as Segment).baseOffset <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Where the batch begins that holds `offset`; `offset` itself when no segment holds it. @throws Faulted */
  baseOf(offset: number): number {
    const segment = this.#list[this.indexOf(offset)]
    // The usual case without a look at the disk: retention goes by segments.
    if (segment === undefined || segment.baseOffset === offset || segment.endOffset <= offset) return offset
    return segment.locate(offset).offset
  }

  /**
   * Takes the segments that begin at or above `offset` off the list, and returns them: their files are still
   * there.
   */
  takeFrom(offset: number): Segment[] {
    const first = this.#list.findIndex((segment) => segment.baseOffset >= offset)
    return first < 0 ? [] : this.#list.splice(first)
  }

  /** Likewise those that end at or below `offset`, but not `keep`. */
  takeBelow(offset: number, keep: Segment | null): Segment[] {
    const count = this.#list.findIndex((segment) => segment.endOffset > offset || segment === keep)
    return this.#list.splice(0, count < 0 ? this.#list.length : count)
  }

  /** Removes the files of a segment that was taken off. @throws Faulted */
  remove(segment: Segment): void {
    segment.isRemoved = true
    segment.close()
    this.removeFiles(segment.baseOffset)
  }

  /** Removes the files of a segment that is not on the list. @throws Faulted */
  removeFiles(baseOffset: number): void {
    this.#options.disk.remove(this.path(baseOffset, 'batches'))
    this.#options.disk.remove(this.path(baseOffset, 'index'))
  }

  close(): void {
    for (const segment of this.#list) segment.close()
  }
}
