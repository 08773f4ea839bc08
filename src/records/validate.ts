/**
 * What the broker checks of a produced batch: its header and its checksum. The records are not looked at, so the
 * cost is one checksum; a consumer would find out, as it must anyway.
 * @source org.apache.kafka.common.requests.ProduceRequest#validateRecords,
 *   org.apache.kafka.storage.internals.log.UnifiedLog and LogValidator (Kafka 4)
 */
import type { ErrorName } from '../base/error-codes.ts'
import * as batch from './batch.ts'
import { codecOfId } from './codecs.ts'
import { recordSizeMin } from './record.ts'

/** `detail` is a sentence for the error message that Produce has from version 8 on (KIP-467). */
export type BatchFault = { code: ErrorName; detail: string }

export interface ProduceRules {
  /** `max.message.bytes` of the topic: of the batch as sent, compressed. */
  maxBatchBytes: number
  /** Of the Produce request. */
  version: number
  /** `message.timestamp.type` of the topic. */
  timestampType: batch.TimestampType
  /** `message.timestamp.before.max.ms`: how old a record may be. */
  timestampBeforeMaxMs: number
  /** `message.timestamp.after.max.ms`: how far ahead of our clock. */
  timestampAfterMaxMs: number
  nowMs: number
}

/** Where a batch may keep the magic byte of any format, old or new. */
const magicAt = 16
/** zstd came with this version of Produce (KIP-110). */
const zstdSince = 7
/** One byte of a payload stands for this many at most (an RLE block of zstd: 4 bytes for 128 KiB). */
const ratioMax = 32_768

/** Null when `records`, the whole field of one partition, is one batch that may be appended. */
export function validateProduced(records: Buffer, rules: ProduceRules): BatchFault | null {
  return (
    frameFault(records, rules) ??
    codecFault(records, rules) ??
    checksumFault(records) ??
    contentFault(records) ??
    producerFault(records) ??
    timestampFault(records, rules)
  )
}

/** Exactly one whole batch of the current format, within the limit. */
function frameFault(records: Buffer, rules: ProduceRules): BatchFault | null {
  if (records.length > magicAt) {
    const magic = batch.magic(records, 0)
    // Old formats are not converted; Kafka 4 dropped that too (KIP-724).
    if (magic !== batch.currentMagic) return invalid(`magic ${magic} where only 2 is accepted`)
  }
  if (records.length < batch.batchHeaderSize) return invalid(`${records.length} bytes are no batch`)
  const size = batch.batchSize(records, 0)
  if (size < batch.batchHeaderSize) return corrupt(`a batch of ${size} bytes`)
  if (size > rules.maxBatchBytes) {
    return {
      code: 'MESSAGE_TOO_LARGE',
      detail: `a batch of ${size} bytes where ${rules.maxBatchBytes} are allowed`,
    }
  }
  if (size > records.length) return invalid(`${records.length} bytes of a batch of ${size}`)
  if (size < records.length) return invalid('exactly one batch per partition is accepted')
  return null
}

function codecFault(records: Buffer, rules: ProduceRules): BatchFault | null {
  const id = batch.attributes(records, 0) & batch.attributeBits.codec
  const codec = codecOfId(id)
  if (codec === null) return { code: 'UNSUPPORTED_COMPRESSION_TYPE', detail: `there is no codec ${id}` }
  if (codec === 'zstd' && rules.version < zstdSince) {
    return {
      code: 'UNSUPPORTED_COMPRESSION_TYPE',
      detail: `zstd needs Produce ${zstdSince}, this is ${rules.version}`,
    }
  }
  return null
}

function checksumFault(records: Buffer): BatchFault | null {
  return batch.verifyCrc(records, 0) ? null : corrupt('the batch fails its checksum')
}

function contentFault(records: Buffer): BatchFault | null {
  const base = batch.baseOffset(records, 0)
  if (base !== 0) return invalid(`base offset ${base} where a producer sends 0`)
  const count = batch.recordCount(records, 0)
  const delta = batch.lastOffsetDelta(records, 0)
  if (count <= 0) return invalid(`${count} records`)
  if (delta + 1 !== count) return invalid(`${count} records over ${delta + 1} offsets`)
  const payload = records.length - batch.batchHeaderSize
  const plain = (batch.attributes(records, 0) & batch.attributeBits.codec) === 0
  // A false count would use up offsets that no record has.
  if (count * recordSizeMin > payload * (plain ? 1 : ratioMax))
    return invalid(`${count} records in ${payload} bytes`)
  return null
}

function producerFault(records: Buffer): BatchFault | null {
  if (batch.isControl(records, 0)) return invalid('control batches are not for clients')
  if ((batch.attributes(records, 0) & batch.attributeBits.deleteHorizon) !== 0) {
    return invalid('a delete horizon is not for clients')
  }
  const producerId = batch.producerId(records, 0)
  const sequence = batch.baseSequence(records, 0)
  if (producerId >= 0 && sequence < 0) return invalid(`sequence ${sequence} of producer ${producerId}`)
  if (producerId >= 0 && batch.producerEpoch(records, 0) < 0) {
    return invalid(`epoch ${batch.producerEpoch(records, 0)} of producer ${producerId}`)
  }
  if (producerId < 0 && batch.isTransactional(records, 0))
    return invalid('a transactional batch without producer id')
  return null
}

/**
 * The header has the first timestamp and the latest, so a record in the middle that is too old goes unseen.
 * Kafka, too, refuses the bit of LogAppendTime from clients whatever the topic says: it is the broker's to set.
 */
function timestampFault(records: Buffer, rules: ProduceRules): BatchFault | null {
  if (batch.timestampType(records, 0) === 'LogAppendTime') {
    return { code: 'INVALID_TIMESTAMP', detail: 'a producer may not set the timestamp type to LogAppendTime' }
  }
  if (rules.timestampType === 'LogAppendTime') return null
  const latest = batch.maxTimestamp(records, 0)
  const first = batch.baseTimestamp(records, 0)
  if (latest > rules.nowMs + rules.timestampAfterMaxMs) {
    return {
      code: 'INVALID_TIMESTAMP',
      detail: `timestamp ${latest} is more than ${rules.timestampAfterMaxMs} ms ahead of ${rules.nowMs}`,
    }
  }
  if (first !== -1 && first < rules.nowMs - rules.timestampBeforeMaxMs) {
    return {
      code: 'INVALID_TIMESTAMP',
      detail: `timestamp ${first} is more than ${rules.timestampBeforeMaxMs} ms behind ${rules.nowMs}`,
    }
  }
  return null
}

function invalid(detail: string): BatchFault {
  return { code: 'INVALID_RECORD', detail }
}

function corrupt(detail: string): BatchFault {
  return { code: 'CORRUPT_MESSAGE', detail }
}
