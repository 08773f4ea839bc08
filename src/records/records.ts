/**
 * Record batches: the unit that clients send, the log stores and consumers get, byte for byte the same.
 *
 *   batch.ts     a batch in place: header fields, stamping, checksum. What the broker needs on its hot paths
 *   validate.ts  what the broker checks before it accepts a batch: the header and the checksum, never the records
 *   scan.ts      finding whole batches in bytes that are not trusted: recovery, fetch responses
 *   records.ts   looking inside a batch, and building one
 *   codecs.ts    compression, bounded
 *
 * The broker looks inside only for time look-up, compaction and its own batches; a batch is never re-encoded.
 */
import { assert } from '../base/assert.ts'
import * as batch from './batch.ts'
import { type Codec, codecId, compress, expand } from './codecs.ts'
import { MalformedRecords } from './errors.ts'
import {
  type RecordContent,
  type RecordFrame,
  type RecordView,
  readRecord,
  recordBodySize,
  writeRecord,
} from './record.ts'
import { RecordCursor, varintSize } from './varints.ts'

export type { RecordContent, RecordHeader, RecordView } from './record.ts'

/** Bounds on reading: what a batch may expand to. */
export interface ReadLimits {
  maxExpandedBytes: number
}

/**
 * The records of the batch at `at`. The header is taken as valid (see validate.ts, scan.ts), the inside is not.
 * @throws ExpandedTooLarge, CorruptPayload, MalformedRecords, or Refused for an unknown codec
 */
export function readRecords(buffer: Buffer, at: number, limits: ReadLimits): RecordView[] {
  const records: RecordView[] = []
  forEachRecord(buffer, at, limits, (record) => {
    records.push(record)
  })
  return records
}

/**
 * Visits the records of one batch in order, without keeping them; stops when `visit` returns false, in which case
 * the rest has not been checked.
 * @throws as `readRecords`
 */
export function forEachRecord(
  buffer: Buffer,
  at: number,
  limits: ReadLimits,
  visit: (record: RecordView) => boolean | undefined,
): void {
  const payload = buffer.subarray(at + batch.batchHeaderSize, at + batch.batchSize(buffer, at))
  const records = expand(batch.codecOf(buffer, at), payload, limits.maxExpandedBytes)
  const count = batch.recordCount(buffer, at)
  if (count < 0) throw new MalformedRecords(`${count} records`)
  const frame: RecordFrame = {
    baseOffset: batch.baseOffset(buffer, at),
    lastOffsetDelta: batch.lastOffsetDelta(buffer, at),
    baseTimestamp: batch.baseTimestamp(buffer, at),
    logAppendTime:
      batch.timestampType(buffer, at) === 'LogAppendTime' ? batch.maxTimestamp(buffer, at) : null,
  }
  const cursor = new RecordCursor(records, 0, records.length)
  for (let i = 0; i < count; i++) {
    if (visit(readRecord(cursor, frame)) === false) return
  }
  if (cursor.at !== cursor.end) {
    throw new MalformedRecords(`${cursor.end - cursor.at} bytes after the last of ${count} records`)
  }
}

export interface BatchOptions {
  codec: Codec
  /** On the codec's own scale; the codec's default when absent. */
  level?: number
  /** Of an idempotent producer: all three, or none. */
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  isTransactional?: boolean
  isControl?: boolean
  timestampType?: batch.TimestampType
}

const capacityMin = 512

/**
 * Collects records into one batch; the first is offset 0. Not bounded by itself: see `sizeBytes`. Records are written behind
 * room for the header, so that a batch that is not compressed is built without a copy.
 */
export class BatchBuilder {
  readonly #options: BatchOptions
  #bytes: Buffer
  #end = batch.batchHeaderSize
  /** `build` has handed the bytes out: whoever has them must not see them change. */
  #isShared = false
  #count = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  /** @param capacityBytes what the batch is expected to take: growing costs copies */
  constructor(options: BatchOptions, capacityBytes = capacityMin) {
    this.#options = options
    this.#bytes = Buffer.allocUnsafe(Math.max(capacityBytes, capacityMin))
  }

  append(record: RecordContent): void {
    if (this.#count === 0) this.#baseTimestamp = record.timestamp
    const timestampDelta = record.timestamp - this.#baseTimestamp
    const bodySize = recordBodySize(record, timestampDelta, this.#count)
    this.#reserve(varintSize(bodySize) + bodySize)
    this.#end = writeRecord(this.#bytes, this.#end, record, bodySize, timestampDelta, this.#count)
    this.#maxTimestamp = Math.max(this.#maxTimestamp, record.timestamp)
    this.#count += 1
  }

  /** Records so far. */
  get count(): number {
    return this.#count
  }

  /** What `build` would return if nothing were compressed: exact for codec 'none', an upper estimate else. */
  get sizeBytes(): number {
    return this.#end
  }

  /** The records section as it is before compression: no copy, so no longer than until the next `append`. */
  get records(): Buffer {
    return this.#bytes.subarray(batch.batchHeaderSize, this.#end)
  }

  /** What `sizeBytes` would be after appending `record`: to decide whether it still fits. */
  sizeBytesWith(record: RecordContent): number {
    const timestampDelta = this.#count === 0 ? 0 : record.timestamp - this.#baseTimestamp
    const bodySize = recordBodySize(record, timestampDelta, this.#count)
    return this.sizeBytes + varintSize(bodySize) + bodySize
  }

  /**
   * The batch, base offset 0 and leader epoch -1. The builder may go on afterwards.
   * @param compressed `records` as the codec makes them, by whoever has done that elsewhere; done here when absent
   */
  build(compressed?: Buffer): Buffer {
    assert(this.#count > 0, 'a batch has a record')
    const { codec } = this.#options
    const bytes =
      codec === 'none'
        ? this.#own()
        : framed(compressed ?? compress(codec, this.records, this.#options.level))
    this.#writeHeader(bytes)
    return bytes
  }

  #own(): Buffer {
    if (this.#isShared) this.#move(this.#end)
    this.#isShared = true
    return this.#bytes.subarray(0, this.#end)
  }

  #writeHeader(bytes: Buffer): void {
    batch.setBaseOffset(bytes, 0, 0)
    bytes.writeInt32BE(bytes.length - batch.batchOverhead, 8)
    batch.setLeaderEpoch(bytes, 0, -1)
    bytes.writeInt8(batch.currentMagic, 16)
    bytes.writeInt16BE(this.#attributes(), 21)
    bytes.writeInt32BE(this.#count - 1, 23)
    batch.writeInt64(bytes, 27, this.#baseTimestamp)
    batch.writeInt64(bytes, 35, this.#maxTimestamp)
    batch.writeInt64(bytes, 43, this.#options.producerId ?? -1)
    bytes.writeInt16BE(this.#options.producerEpoch ?? -1, 51)
    bytes.writeInt32BE(this.#options.baseSequence ?? -1, 53)
    bytes.writeInt32BE(this.#count, 57)
    batch.writeCrc(bytes, 0)
  }

  #attributes(): number {
    const { codec, timestampType, isTransactional, isControl } = this.#options
    return (
      codecId(codec) |
      (timestampType === 'LogAppendTime' ? batch.attributeBits.logAppendTime : 0) |
      (isTransactional === true ? batch.attributeBits.transactional : 0) |
      (isControl === true ? batch.attributeBits.control : 0)
    )
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#bytes.length && !this.#isShared) return
    this.#move(Math.max(needed, this.#bytes.length * 2))
  }

  #move(capacityBytes: number): void {
    const larger = Buffer.allocUnsafe(capacityBytes)
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
    this.#isShared = false
  }
}

/** Behind room for the header. */
function framed(payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(batch.batchHeaderSize + payload.length)
  payload.copy(bytes, batch.batchHeaderSize)
  return bytes
}
