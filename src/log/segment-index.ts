/**
 * The sparse index of one segment, by offset, by file position and by time: about one entry per
 * `index.interval.bytes`.
 *
 *     entry: uint32 offset from the base, uint32 file position, int64 largest timestamp of all records before it
 *
 * All three columns only grow, so each can be searched. From the last entry whose timestamp is below T begins
 * the search for the first record at or after T. The last entry of a sealed segment is its end: the largest
 * timestamp in it is known without looking at a batch, and an index that lacks its end is seen to be old.
 *
 * Kafka keeps two files, for offsets and for times. One is half the files to open, sync and rebuild, and the
 * largest timestamp after a truncation is never further than one interval away.
 *
 * It is a cache: blocks carry a checksum, and whoever follows an entry checks the batch that should be there.
 */
import type { File } from '../io/world.ts'
import { readInt64, writeInt64 } from '../records/batch.ts'
import { Entries } from './entries.ts'

const width = 16

export class SegmentIndex {
  readonly file: File
  readonly #entries: Entries

  /** `isNew`: there is no such file yet. */
  constructor(file: File, baseOffset: number, isNew: boolean) {
    this.file = file
    this.#entries = new Entries(file, width, baseOffset, isNew)
  }

  get count(): number {
    return this.#entries.count
  }

  get sizeBytes(): number {
    return this.#entries.count * width
  }

  append(relativeOffset: number, position: number, timestampBefore: number): void {
    const buffer = this.#entries.push()
    const at = this.#entries.place(this.#entries.count - 1)
    buffer.writeUInt32BE(relativeOffset, at)
    buffer.writeUInt32BE(position, at + 4)
    writeInt64(buffer, at + 8, timestampBefore)
  }

  relativeOffset(entry: number): number {
    return this.#entries.at(entry).readUInt32BE(this.#entries.place(entry))
  }

  position(entry: number): number {
    return this.#entries.at(entry).readUInt32BE(this.#entries.place(entry) + 4)
  }

  timestampBefore(entry: number): number {
    return readInt64(this.#entries.at(entry), this.#entries.place(entry) + 8)
  }

  /** The last entry at or below an offset; -1 when all lie above. */
  floorOfOffset(relativeOffset: number): number {
    return this.#entries.last((buffer, at) => buffer.readUInt32BE(at) <= relativeOffset)
  }

  /** The last entry at or below a file position, or -1. */
  floorOfPosition(position: number): number {
    return this.#entries.last((buffer, at) => buffer.readUInt32BE(at + 4) <= position)
  }

  /** The last entry before which every timestamp is below `timestamp`, or -1. */
  floorOfTime(timestamp: number): number {
    return this.#entries.last((buffer, at) => readInt64(buffer, at + 8) < timestamp)
  }

  /** Drops the entries above an offset; one at it still tells the truth about what is below. */
  truncate(relativeOffset: number): void {
    const keep = this.floorOfOffset(relativeOffset) + 1
    if (keep < this.#entries.count) this.#entries.truncate(keep)
  }

  /** Writes what is only in memory. @throws Faulted */
  flush(): void {
    this.#entries.flush()
  }
}
