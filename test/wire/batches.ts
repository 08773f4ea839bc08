/** Record batches as they lie on the wire: fetched and looked at, or made, by hand. */
import { type In, out, Wire } from './raw.ts'

export interface BatchHead {
  baseOffset: bigint
  leaderEpoch: number
  magic: number
  codec: number
  attributes: number
  records: number
  bytes: Buffer
}

const CRC32C = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(bytes: Buffer): number {
  let crc = -1
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC32C[(crc ^ byte) & 0xff] ?? 0)
  return ~crc >>> 0
}

export const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** One record without key and headers. */
export function record(offsetDelta: number, value: Buffer): Buffer {
  const body = out()
    .int8(0)
    .varint(0)
    .varint(offsetDelta)
    .varint(-1)
    .varint(value.length)
    .raw(value)
    .varint(0)
    .done()
  return out().varint(body.length).raw(body).done()
}

export interface BatchFields {
  attributes?: number
  producerId?: bigint
  producerEpoch?: number
  baseSequence?: number
  count?: number
  lastOffsetDelta?: number
  timestamp?: bigint
}

/** A batch around `records` (already compressed where `attributes` says so) with a right CRC. */
export function batch(records: Buffer, fields: BatchFields = {}): Buffer {
  const count = fields.count ?? 1
  const timestamp = fields.timestamp ?? 1_700_000_000_000n
  const checked = out()
    .int16(fields.attributes ?? 0)
    .int32(fields.lastOffsetDelta ?? count - 1)
    .int64(timestamp)
    .int64(timestamp)
    .int64(fields.producerId ?? -1n)
    .int16(fields.producerEpoch ?? -1)
    .int32(fields.baseSequence ?? -1)
    .int32(count)
    .raw(records)
    .done()
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32c(checked))
  return out()
    .int64(0)
    .int32(checked.length + 9)
    .int32(-1)
    .int8(2)
    .raw(crc)
    .raw(checked)
    .done()
}

/** Body of a Produce v3..v8 request for one partition. */
export const produceBody = (topic: string, partition: number, records: Buffer | null, acks = -1): Buffer =>
  out()
    .string(null)
    .int16(acks)
    .int32(5000)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition)
    .bytes(records)
    .done()

export interface Produced {
  errorCode: number
  baseOffset: bigint
}

/** Sends one Produce v7 for one partition. @throws when the broker closes instead of answering. */
export async function produce(
  wire: Wire,
  topic: string,
  partition: number,
  records: Buffer,
): Promise<Produced> {
  const answer = await wire.ask(0, 7, produceBody(topic, partition, records))
  answer.int32()
  answer.string()
  answer.int32()
  answer.int32()
  return { errorCode: answer.int16(), baseOffset: answer.int64() }
}

/** Body of a Fetch v4 request, without sessions, for one partition. */
export const fetchBody = (
  topic: string,
  partition: number,
  offset: bigint,
  maxWaitMs = 100,
  minBytes = 1,
): Buffer =>
  out()
    .int32(-1)
    .int32(maxWaitMs)
    .int32(minBytes)
    .int32(50 * 1024 * 1024)
    .int8(0)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition)
    .int64(offset)
    .int32(1024 * 1024)
    .done()

export interface Fetched {
  errorCode: number
  highWatermark: bigint
  /** null where the broker sent a null, which clients choke on. */
  records: Buffer | null
}

export async function fetch(wire: Wire, topic: string, partition: number, offset: bigint): Promise<Fetched> {
  return fetched(await wire.ask(1, 4, fetchBody(topic, partition, offset)))
}

export function fetched(answer: In): Fetched {
  answer.int32()
  answer.int32()
  answer.string()
  answer.int32()
  answer.int32()
  const errorCode = answer.int16()
  const highWatermark = answer.int64()
  answer.int64()
  answer.array(() => [answer.int64(), answer.int64()])
  const size = answer.int32()
  return { errorCode, highWatermark, records: size < 0 ? null : answer.take(size) }
}

/** The whole batches in fetched bytes. */
export function heads(records: Buffer): BatchHead[] {
  const found: BatchHead[] = []
  for (let at = 0; at + 61 <= records.length; ) {
    const size = records.readInt32BE(at + 8) + 12
    if (at + size > records.length) break
    const attributes = records.readInt16BE(at + 21)
    found.push({
      baseOffset: records.readBigInt64BE(at),
      leaderEpoch: records.readInt32BE(at + 12),
      magic: records.readInt8(at + 16),
      codec: attributes & 7,
      attributes,
      records: records.readInt32BE(at + 57),
      bytes: records.subarray(at, at + size),
    })
    at += size
  }
  return found
}

/** Every batch of a partition, from its first offset on. */
export async function allBatches(bootstrap: string, topic: string, partition: number): Promise<BatchHead[]> {
  const wire = await Wire.open(bootstrap)
  const all: BatchHead[] = []
  try {
    for (let offset = 0n; ; ) {
      const { errorCode, highWatermark, records } = await fetch(wire, topic, partition, offset)
      if (errorCode !== 0)
        throw new Error(`fetch of ${topic}-${partition} from ${offset}: error ${errorCode}`)
      const part = heads(records ?? Buffer.alloc(0))
      all.push(...part)
      const last = part.at(-1)
      if (last !== undefined) offset = last.baseOffset + BigInt(last.bytes.readInt32BE(23)) + 1n
      if (offset >= highWatermark) return all
    }
  } finally {
    wire.close()
  }
}
