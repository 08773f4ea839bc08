/**
 * One partition as a consumer reads it: where it is, what was fetched and not read yet, what was handed out.
 *
 *      processed        delivered             position
 *      the loop is      handed out            fetched
 *      done with        to the loop           from the broker
 *   ------+------------------+-------------------+------------>  offsets, all exclusive
 */
import * as batch from '../src/records/batch.ts'
import { type RecordView, readRecords } from '../src/records/records.ts'
import { batchPositions } from '../src/records/scan.ts'
import { KafkaError } from './errors.ts'
import type { Position } from './offsets.ts'
import { nameOf } from './partition.ts'

export interface ConsumerRecord extends RecordView {
  readonly topic: string
  readonly partition: number
}

/** What one fetch brought for the partition. */
export interface Fetched {
  readonly bytes: Buffer
  readonly highWatermark: number
  /** Of transactions that were aborted, by first offset; for read_committed. */
  readonly aborted: readonly { readonly producerId: number; readonly firstOffset: number }[]
}

interface Chunk {
  readonly bytes: Buffer
  readonly batches: readonly number[]
  next: number
  readonly aborted: { readonly producerId: number; readonly firstOffset: number }[]
}

export class PartitionReader {
  readonly topic: string
  readonly partition: number
  readonly name: string
  /** Where to begin; null once it has begun. */
  start: Position | 'committed' | null
  /** Of the next fetch; -1 until the start is found. */
  position = -1
  delivered = -1
  processed = -1
  committed = -1
  highWatermark = -1
  /** Iteration with stopAtEnd ends here; Infinity without. */
  stopAt = Infinity
  isPaused = false
  /** About to go to another member: nothing more is handed out. */
  isLeaving = false
  /** Fetched and not decoded yet. */
  bufferedBytes = 0
  /** Not to be fetched before, monotonic ms. */
  retryAt = 0
  failures = 0
  /** Since when the broker knows no such partition, monotonic ms. */
  missingSince: number | null = null
  /** Of the last batch read: lets the broker notice that the log was truncated behind us (KIP-320). */
  lastEpoch = -1
  /** The leader's epoch when the position was last checked against its log; for brokers that do not check by themselves. */
  checkedEpoch = -1
  /** Of the batches before `delivered` and `processed`: committed with the offset, so that truncation shows after a restart. */
  deliveredEpoch = -1
  processedEpoch = -1
  /** Changes with every seek, so that an answer to an older question is dropped. */
  version = 0
  readonly #isolated: boolean
  readonly #expandedBytesMax: number
  #chunks: Chunk[] = []
  #records: ConsumerRecord[] = []
  #nextRecord = 0
  #recordsEpoch = -1
  /** Producers inside an aborted transaction, at the place where we decode. */
  readonly #aborting = new Set<number>()

  constructor(
    place: { topic: string; partition: number },
    start: Position | 'committed',
    options: { isolated: boolean; expandedBytesMax: number },
  ) {
    this.topic = place.topic
    this.partition = place.partition
    this.name = nameOf(place)
    this.start = start
    this.#isolated = options.isolated
    this.#expandedBytesMax = options.expandedBytesMax
  }

  get isPlaced(): boolean {
    return this.position >= 0
  }

  get hasData(): boolean {
    return this.#nextRecord < this.#records.length || this.#chunks.length > 0
  }

  /** All below the end that was asked for is handed out. */
  get isAtEnd(): boolean {
    return this.delivered >= this.stopAt
  }

  /** Begins at `offset`; forgets what was fetched. */
  place(offset: number, leaderEpoch = -1): void {
    this.start = null
    this.position = offset
    this.delivered = offset
    this.processed = offset
    this.lastEpoch = leaderEpoch
    this.deliveredEpoch = leaderEpoch
    this.processedEpoch = leaderEpoch
    this.checkedEpoch = -1
    this.#forget()
  }

  /** Begins somewhere else, still to be found. */
  seek(start: Position): void {
    this.start = start
    this.position = -1
    this.delivered = -1
    this.processed = -1
    this.lastEpoch = -1
    this.deliveredEpoch = -1
    this.processedEpoch = -1
    this.#forget()
  }

  accept(fetched: Fetched): void {
    this.highWatermark = fetched.highWatermark
    const batches = [...batchPositions(fetched.bytes)]
    const last = batches[batches.length - 1]
    if (last === undefined) return
    this.position = Math.max(this.position, batch.nextOffset(fetched.bytes, last))
    this.lastEpoch = batch.leaderEpoch(fetched.bytes, last)
    this.#chunks.push({ bytes: fetched.bytes, batches, next: 0, aborted: [...fetched.aborted] })
    this.bufferedBytes += fetched.bytes.length
  }

  /** The next record, or null when there is none for now. @throws KafkaError CORRUPT_MESSAGE */
  take(): ConsumerRecord | null {
    const record = this.#peek()
    if (record === null) return null
    this.#nextRecord++
    this.delivered = record.offset + 1
    this.deliveredEpoch = this.#recordsEpoch
    if (this.#nextRecord >= this.#records.length && this.#chunks.length === 0) this.#deliverAll()
    return record
  }

  /** At most `max` records, as many as are at hand. */
  takeMany(max: number): ConsumerRecord[] {
    const taken: ConsumerRecord[] = []
    for (let record = this.#peek(); record !== null && taken.length < max; record = this.#peek()) {
      taken.push(record)
      this.#nextRecord++
      this.delivered = record.offset + 1
      this.deliveredEpoch = this.#recordsEpoch
    }
    if (!this.hasData) this.#deliverAll()
    return taken
  }

  /** The loop is done with what it was given. */
  confirm(): void {
    this.processed = this.delivered
    this.processedEpoch = this.deliveredEpoch
  }

  #deliverAll(): void {
    this.delivered = this.position
    this.deliveredEpoch = this.lastEpoch
  }

  #peek(): ConsumerRecord | null {
    while (this.#nextRecord >= this.#records.length) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) {
        // What is left were markers, or records of aborted transactions: nothing to hand out, but read.
        if (this.isPlaced) this.#deliverAll()
        return null
      }
      this.#records = this.#decode(chunk)
      this.#nextRecord = 0
      if (chunk.next >= chunk.batches.length) {
        this.#chunks.shift()
        this.bufferedBytes -= chunk.bytes.length
      }
    }
    const record = this.#records[this.#nextRecord]
    if (record === undefined || record.offset < this.stopAt) return record ?? null
    this.delivered = Math.max(this.delivered, this.stopAt)
    return null
  }

  /** The records of the next batch that are wanted. */
  #decode(chunk: Chunk): ConsumerRecord[] {
    const at = chunk.batches[chunk.next++] ?? 0
    const { bytes } = chunk
    this.#recordsEpoch = batch.leaderEpoch(bytes, at)
    if (!batch.verifyCrc(bytes, at)) {
      const where = `${this.name} at offset ${batch.baseOffset(bytes, at)}`
      throw new KafkaError('CORRUPT_MESSAGE', `a batch of ${where} fails its checksum`)
    }
    if (this.#isolated && this.#isAborted(chunk, at)) return []
    if (batch.isControl(bytes, at)) return []
    const records = readRecords(bytes, at, { maxExpandedBytes: this.#expandedBytesMax })
    const { topic, partition, delivered } = this
    const wanted: ConsumerRecord[] = []
    // The batch that holds the position may begin before it.
    for (const record of records) {
      if (record.offset < delivered) continue
      const named = record as RecordView & { topic: string; partition: number }
      named.topic = topic
      named.partition = partition
      wanted.push(named)
    }
    return wanted
  }

  #isAborted({ bytes, aborted }: Chunk, at: number): boolean {
    if (!batch.isTransactional(bytes, at)) return false
    const end = batch.lastOffset(bytes, at)
    for (let next = aborted[0]; next !== undefined && next.firstOffset <= end; next = aborted[0]) {
      this.#aborting.add(next.producerId)
      aborted.shift()
    }
    const producerId = batch.producerId(bytes, at)
    if (!batch.isControl(bytes, at)) return this.#aborting.has(producerId)
    // A marker ends the transaction, whichever way.
    this.#aborting.delete(producerId)
    return true
  }

  #forget(): void {
    this.version++
    this.#chunks = []
    this.#records = []
    this.#nextRecord = 0
    this.#aborting.clear()
    this.bufferedBytes = 0
  }
}
