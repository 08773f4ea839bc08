/**
 * A record batch (magic 2), seen in place: functions over (buffer, position), so that a batch costs no object.
 *
 *      0  int64  base offset            -- outside the checksum
 *      8  int32  length: the bytes after this field
 *     12  int32  leader epoch           -- outside the checksum
 *     16  int8   magic = 2
 *     17  uint32 crc32c of all that follows
 *     21  int16  attributes: 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
 *     23  int32  last offset delta
 *     27  int64  base timestamp         -- of the first record, ms since 1970; -1 none
 *     35  int64  max timestamp
 *     43  int64  producer id            -- -1 none
 *     51  int16  producer epoch
 *     53  int32  base sequence
 *     57  int32  record count
 *     61  records, compressed as one
 *
 * Every function expects a whole header at `at` (see scan.ts for bytes that are not trusted yet).
 * int64 fields are numbers: beyond 2^53 the nearest one.
 * @source org.apache.kafka.common.record.DefaultRecordBatch
 */
import { crc32c } from '../base/crc32c.ts'
import { Refused } from '../base/errors.ts'
import { type Codec, codecOfId } from './codecs.ts'

/** Values of `message.timestamp.type`. */
export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** Bytes of a header. */
export const batchHeaderSize = 61
/** Bytes before and including the length field, which it does not count. */
export const batchOverhead = 12
/** The only format that is stored; 0 and 1 went with Kafka 4 (KIP-724). */
export const currentMagic = 2
/** The checksum covers from here to the end of the batch. */
export const checksummedFrom = 21

export const attributeBits = {
  codec: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

const two32 = 4294967296

/** Bytes of the whole batch, from its length field, which is not checked here. */
export function batchSize(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 8) + batchOverhead
}

export function baseOffset(buffer: Buffer, at: number): number {
  return readInt64(buffer, at)
}

export function setBaseOffset(buffer: Buffer, at: number, offset: number): void {
  writeInt64(buffer, at, offset)
}

export function leaderEpoch(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 12)
}

export function setLeaderEpoch(buffer: Buffer, at: number, epoch: number): void {
  buffer.writeInt32BE(epoch, at + 12)
}

export function magic(buffer: Buffer, at: number): number {
  return buffer.readInt8(at + 16)
}

/** The checksum that the batch carries; `verifyCrc` compares it. */
export function crc(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at + 17)
}

export function attributes(buffer: Buffer, at: number): number {
  return buffer.readInt16BE(at + 21)
}

/** @throws Refused UNSUPPORTED_COMPRESSION_TYPE when the codec is none that Kafka defines. */
export function codecOf(buffer: Buffer, at: number): Codec {
  const id = attributes(buffer, at) & attributeBits.codec
  const codec = codecOfId(id)
  if (codec === null) throw new Refused('UNSUPPORTED_COMPRESSION_TYPE', `there is no codec ${id}`)
  return codec
}

export function timestampType(buffer: Buffer, at: number): TimestampType {
  return attributes(buffer, at) & attributeBits.logAppendTime ? 'LogAppendTime' : 'CreateTime'
}

export function isTransactional(buffer: Buffer, at: number): boolean {
  return (attributes(buffer, at) & attributeBits.transactional) !== 0
}

/** True of transaction markers and other batches that only brokers write. */
export function isControl(buffer: Buffer, at: number): boolean {
  return (attributes(buffer, at) & attributeBits.control) !== 0
}

export function lastOffsetDelta(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 23)
}

/** Offset of the last record, or of where it was before compaction took it. */
export function lastOffset(buffer: Buffer, at: number): number {
  return baseOffset(buffer, at) + lastOffsetDelta(buffer, at)
}

/** Base offset of the batch that follows. */
export function nextOffset(buffer: Buffer, at: number): number {
  return lastOffset(buffer, at) + 1
}

export function baseTimestamp(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + 27)
}

export function maxTimestamp(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + 35)
}

/** -1 when the producer is not idempotent. */
export function producerId(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + 43)
}

export function producerEpoch(buffer: Buffer, at: number): number {
  return buffer.readInt16BE(at + 51)
}

/** Sequence number of the first record, -1 when there is none. */
export function baseSequence(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 53)
}

/**
 * Sequence number of the last record. Sequences are counted modulo 2^31, so it may be smaller than the base:
 * base 2147483646 and three records end at 0.
 */
export function lastSequence(buffer: Buffer, at: number): number {
  const base = baseSequence(buffer, at)
  return base < 0 ? base : (base + lastOffsetDelta(buffer, at)) % 0x80000000
}

export function recordCount(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 57)
}

/** Writes what the leader decides. Both fields lie outside the checksum, so the batch stays valid. */
export function stamp(buffer: Buffer, at: number, place: { baseOffset: number; leaderEpoch: number }): void {
  setBaseOffset(buffer, at, place.baseOffset)
  setLeaderEpoch(buffer, at, place.leaderEpoch)
}

/** Makes `nowMs` the timestamp of every record, as `message.timestamp.type=LogAppendTime` asks. */
export function setLogAppendTime(buffer: Buffer, at: number, nowMs: number): void {
  buffer.writeInt16BE(attributes(buffer, at) | attributeBits.logAppendTime, at + 21)
  writeInt64(buffer, at + 35, nowMs)
  writeCrc(buffer, at)
}

/** True when the checksum is right. Expects the whole batch to lie in `buffer`. */
export function verifyCrc(buffer: Buffer, at: number): boolean {
  return computeCrc(buffer, at) === crc(buffer, at)
}

/** Puts the right checksum into a batch that was built or changed. */
export function writeCrc(buffer: Buffer, at: number): void {
  buffer.writeUInt32BE(computeCrc(buffer, at), at + 17)
}

function computeCrc(buffer: Buffer, at: number): number {
  return crc32c(buffer.subarray(at + checksummedFrom, at + batchSize(buffer, at)))
}

/** High and low half as numbers: a third of the cost of readBigInt64BE, and rounded once. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * two32 + buffer.readUInt32BE(at + 4)
}

export function writeInt64(buffer: Buffer, at: number, value: number): void {
  const high = Math.floor(value / two32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * two32, at + 4)
}
