/** Records as applications write them, and how they become bytes. */
import type { RecordContent, RecordHeader } from '../src/records/record.ts'
import { InvalidArgument } from './errors.ts'

export type Bytes = string | Buffer | Uint8Array

export interface ProducerRecord {
  readonly topic: string
  /** The partitioner's choice when absent. */
  readonly partition?: number | undefined
  readonly key?: Bytes | null | undefined
  /** null is a tombstone: in a compacted topic it deletes the key. */
  readonly value: Bytes | null
  readonly headers?: Headers | undefined
  /** ms since 1970; now when absent. */
  readonly timestamp?: number | undefined
}

/** By name, or in order when names repeat. */
export type Headers =
  | { readonly [name: string]: Bytes | null }
  | readonly (readonly [name: string, value: Bytes | null])[]

/** Where a record went. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  /** -1 when the broker does not tell: acks=0, or a retry that found the record stored already. */
  readonly offset: number
  readonly timestamp: number
}

const noHeaders: readonly RecordHeader[] = []

/** @throws InvalidArgument when a part is of a wrong type */
export function contentOf(record: ProducerRecord, now: number): RecordContent {
  const timestamp = record.timestamp ?? now
  if (!Number.isSafeInteger(timestamp))
    throw new InvalidArgument(`timestamp must be whole ms, not ${timestamp}`)
  return {
    key: record.key === undefined ? null : bytesOf(record.key, 'key'),
    value: bytesOf(record.value, 'value'),
    headers: record.headers === undefined ? noHeaders : headersOf(record.headers),
    timestamp,
  }
}

function headersOf(headers: Headers): readonly RecordHeader[] {
  const pairs = Array.isArray(headers)
    ? (headers as readonly (readonly [string, Bytes | null])[])
    : Object.entries(headers)
  return pairs.map(([key, value]) => ({ key, value: bytesOf(value, `header ${key}`) }))
}

function bytesOf(value: Bytes | null, what: string): Buffer | null {
  if (typeof value === 'string') return Buffer.from(value)
  if (value === null || Buffer.isBuffer(value)) return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new InvalidArgument(`${what} must be a string, bytes or null, not ${typeof value}`)
}

/** What a record takes in a batch at most, a little over. */
export function sizeOf(content: RecordContent): number {
  let size = 36 + (content.key?.length ?? 0) + (content.value?.length ?? 0)
  for (const header of content.headers ?? noHeaders) {
    size += 10 + header.key.length * 3 + (header.value?.length ?? 0)
  }
  return size
}
