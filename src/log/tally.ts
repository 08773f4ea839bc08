/**
 * What the batches of a segment add up to, and where its index has entries: one rule for appending and for
 * reading again.
 */
import * as batch from '../records/batch.ts'

/** Takes an index entry: offset, file position, largest timestamp before it. */
export type OnIndexEntry = (offset: number, position: number, timestampBefore: number) => void

export class Tally {
  endOffset: number
  bytes: number
  maxTimestamp: number
  /** Bytes since the last index entry. */
  unindexedBytes: number

  constructor(endOffset: number, bytes = 0, maxTimestamp = -1, unindexedBytes = 0) {
    this.endOffset = endOffset
    this.bytes = bytes
    this.maxTimestamp = maxTimestamp
    this.unindexedBytes = unindexedBytes
  }

  /** Adds the batch that follows. */
  add(buffer: Buffer, at: number, indexIntervalBytes: number, onEntry: OnIndexEntry): void {
    if (this.unindexedBytes > indexIntervalBytes) this.addEntry(onEntry)
    const size = batch.batchSize(buffer, at)
    this.unindexedBytes += size
    this.bytes += size
    this.endOffset = batch.nextOffset(buffer, at)
    const timestamp = batch.maxTimestamp(buffer, at)
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
  }

  addEntry(onEntry: OnIndexEntry): void {
    onEntry(this.endOffset, this.bytes, this.maxTimestamp)
    this.unindexedBytes = 0
  }
}

/** Index entries in memory: three numbers each. A segment of 1 GiB has 6 MB of them. */
export class EntryList {
  readonly #numbers: number[] = []

  readonly add: OnIndexEntry = (offset, position, timestampBefore) => {
    this.#numbers.push(offset, position, timestampBefore)
  }

  forEach(onEntry: OnIndexEntry): void {
    const numbers = this.#numbers
    for (let i = 0; i + 2 < numbers.length; i += 3) {
      onEntry(numbers[i] as number, numbers[i + 1] as number, numbers[i + 2] as number)
    }
  }
}
