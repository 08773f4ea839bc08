/**
 * One record inside a batch.
 *
 *     varint length, int8 attributes (unused), varlong timestamp delta, varint offset delta,
 *     varint key length (-1 null), key, varint value length (-1 null), value,
 *     varint header count, each: varint key length, key, varint value length (-1 null), value
 *
 * @source org.apache.kafka.common.record.DefaultRecord
 */
import { MalformedRecords } from './errors.ts'
import { type RecordCursor, varintSize, varlongSize, writeVarint, writeVarlong } from './varints.ts'

export interface RecordHeader {
  key: string
  value: Buffer | null
}

/** A record as it is read. Key, value and header values are slices of the batch (or of what it expanded to). */
export interface RecordView {
  offset: number
  /** ms since 1970, -1 when the producer gave none. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

/** A record as it is appended. */
export interface RecordContent {
  key: Buffer | null
  value: Buffer | null
  headers?: readonly RecordHeader[]
  /** ms since 1970; -1 for none. */
  timestamp: number
}

/** What the batch's header says of all its records. */
export interface RecordFrame {
  baseOffset: number
  lastOffsetDelta: number
  baseTimestamp: number
  /** Not null in a batch stamped with LogAppendTime: the timestamp of every record. */
  logAppendTime: number | null
}

/** The shortest record there is: no key, no value, no headers. */
export const recordSizeMin = 7

const noHeaders: readonly RecordHeader[] = []

/**
 * Reads the record at the cursor and leaves the cursor behind it.
 * @throws MalformedRecords when a length or a count does not fit
 */
export function readRecord(cursor: RecordCursor, frame: RecordFrame): RecordView {
  const length = cursor.varint()
  const batchEnd = cursor.end
  if (length < recordSizeMin - 1 || length > batchEnd - cursor.at) {
    throw new MalformedRecords(`a record of ${length} bytes where ${batchEnd - cursor.at} follow`)
  }
  cursor.end = cursor.at + length
  cursor.byte()
  const timestampDelta = cursor.varlong()
  const offsetDelta = cursor.varint()
  if (offsetDelta < 0 || offsetDelta > frame.lastOffsetDelta) {
    throw new MalformedRecords(`offset delta ${offsetDelta} in a batch that ends at ${frame.lastOffsetDelta}`)
  }
  const record = {
    offset: frame.baseOffset + offsetDelta,
    timestamp: frame.logAppendTime ?? frame.baseTimestamp + timestampDelta,
    key: cursor.nullableBytes(),
    value: cursor.nullableBytes(),
    headers: readHeaders(cursor),
  }
  if (cursor.at !== cursor.end) {
    throw new MalformedRecords(`${cursor.end - cursor.at} bytes left over inside a record`)
  }
  cursor.end = batchEnd
  return record
}

function readHeaders(cursor: RecordCursor): RecordHeader[] {
  const count = cursor.varint()
  if (count < 0) throw new MalformedRecords(`${count} headers`)
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i++) {
    const key = cursor.bytes(cursor.varint())
    headers.push({ key: key.toString('utf8'), value: cursor.nullableBytes() })
  }
  return headers
}

/** Bytes of the record without its length prefix. */
export function recordBodySize(record: RecordContent, timestampDelta: number, offsetDelta: number): number {
  const headers = record.headers ?? noHeaders
  let size = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta)
  size += nullableSize(record.key) + nullableSize(record.value) + varintSize(headers.length)
  for (const header of headers) {
    const keyLength = Buffer.byteLength(header.key)
    size += varintSize(keyLength) + keyLength + nullableSize(header.value)
  }
  return size
}

/** Writes the record with its length prefix, `bodySize` from `recordBodySize`; returns the place after it. */
export function writeRecord(
  buffer: Buffer,
  at: number,
  record: RecordContent,
  bodySize: number,
  timestampDelta: number,
  offsetDelta: number,
): number {
  const headers = record.headers ?? noHeaders
  let to = writeVarint(buffer, at, bodySize)
  buffer[to++] = 0
  to = writeVarlong(buffer, to, timestampDelta)
  to = writeVarint(buffer, to, offsetDelta)
  to = writeNullable(buffer, to, record.key)
  to = writeNullable(buffer, to, record.value)
  to = writeVarint(buffer, to, headers.length)
  for (const header of headers) {
    const keyLength = Buffer.byteLength(header.key)
    to = writeVarint(buffer, to, keyLength)
    to += buffer.write(header.key, to, keyLength, 'utf8')
    to = writeNullable(buffer, to, header.value)
  }
  return to
}

function nullableSize(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

function writeNullable(buffer: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(buffer, at, -1)
  const to = writeVarint(buffer, at, bytes.length)
  buffer.set(bytes, to)
  return to + bytes.length
}
