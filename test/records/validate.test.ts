import t from 'tap'
import type { ErrorName } from '../../src/base/error-codes.ts'
import * as batch from '../../src/records/batch.ts'
import { codecs } from '../../src/records/codecs.ts'
import { BatchBuilder, type BatchOptions } from '../../src/records/records.ts'
import { type ProduceRules, validateProduced } from '../../src/records/validate.ts'
import { fixture, text } from './plain.ts'

const nowMs = 1_700_000_000_000
const hour = 3_600_000

const rules: ProduceRules = {
  maxBatchBytes: 1 << 20,
  version: 9,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: hour,
  nowMs,
}

const idempotent = { producerId: 4000, producerEpoch: 0, baseSequence: 0 }

function build(options: Partial<BatchOptions> = {}, timestamps = [nowMs, nowMs + 5]): Buffer {
  const builder = new BatchBuilder({ codec: 'none', ...options })
  for (const timestamp of timestamps) builder.append({ key: null, value: text(40), timestamp })
  return builder.build()
}

/** A batch with `change` made to it, and the checksum right again. */
function changed(change: (bytes: Buffer) => void, bytes = build()): Buffer {
  change(bytes)
  batch.writeCrc(bytes, 0)
  return bytes
}

function withFlags(flags: number): Buffer {
  return changed((bytes) => bytes.writeInt16BE(batch.attributes(bytes, 0) | flags, 21))
}

t.test('what may be appended', async (t) => {
  const accepted: [string, Buffer, Partial<ProduceRules>?][] = [
    ...codecs.map((codec): [string, Buffer] => [codec, build({ codec })]),
    ['idempotent', build(idempotent)],
    ['transactional', build({ ...idempotent, isTransactional: true })],
    ['sequence that wraps', build({ ...idempotent, baseSequence: 2_147_483_647 })],
    ['leader epoch of any value', changed((bytes) => batch.setLeaderEpoch(bytes, 0, 12))],
    ['no timestamps', build({}, [-1, -1]), { timestampBeforeMaxMs: hour }],
    ['exactly the size limit', build(), { maxBatchBytes: build().length }],
    ['exactly as far ahead as allowed', build({}, [nowMs, nowMs + hour])],
    ['exactly as old as allowed', build({}, [nowMs - hour]), { timestampBeforeMaxMs: hour }],
    ['any time where the broker sets it', build({}, [0, nowMs * 2]), { timestampType: 'LogAppendTime' }],
    ['zstd from version 7', build({ codec: 'zstd' }), { version: 7 }],
  ]
  for (const [name, records, override] of accepted) {
    t.equal(validateProduced(records, { ...rules, ...override }), null, name)
  }
})

t.test('what foreign producers send', async (t) => {
  for (const writer of ['java', 'kcat', 'python']) {
    for (const codec of codecs) {
      if (writer === 'python' && (codec === 'snappy' || codec === 'zstd')) continue
      const records = fixture(`${writer}-${codec}.batch`)
      // Stored batches carry the offset and epoch that a broker gave them; a producer sends 0 and -1.
      batch.stamp(records, 0, { baseOffset: 0, leaderEpoch: -1 })
      const open = { ...rules, nowMs: batch.maxTimestamp(records, 0) }
      t.equal(validateProduced(records, open), null, `${writer} ${codec}`)
    }
  }
})

t.test('what is refused, and as what', async (t) => {
  const twoBatches = Buffer.concat([build(), build()])
  const refused: [string, ErrorName, Buffer, Partial<ProduceRules>?][] = [
    ['no bytes', 'INVALID_RECORD', Buffer.alloc(0)],
    ['less than a header', 'INVALID_RECORD', build().subarray(0, 60)],
    ['a batch cut off', 'INVALID_RECORD', build().subarray(0, 100)],
    ['two batches', 'INVALID_RECORD', twoBatches],
    ['bytes after the batch', 'INVALID_RECORD', Buffer.concat([build(), Buffer.alloc(1)])],
    ['magic 1', 'INVALID_RECORD', changed((bytes) => bytes.writeInt8(1, 16))],
    ['magic 0, shorter than a header', 'INVALID_RECORD', Buffer.alloc(30)],
    ['magic 3', 'INVALID_RECORD', changed((bytes) => bytes.writeInt8(3, 16))],
    ['a length below a header', 'CORRUPT_MESSAGE', lengthOf(48)],
    ['a negative length', 'CORRUPT_MESSAGE', lengthOf(-1)],
    ['over max.message.bytes', 'MESSAGE_TOO_LARGE', build(), { maxBatchBytes: build().length - 1 }],
    ['a length far beyond the bytes', 'MESSAGE_TOO_LARGE', lengthOf(2_147_483_647)],
    ['a wrong checksum', 'CORRUPT_MESSAGE', flipped(build(), 80)],
    ['a checksum that is wrong itself', 'CORRUPT_MESSAGE', flipped(build(), 18)],
    ['no records', 'INVALID_RECORD', counts(0, -1)],
    ['a negative count', 'INVALID_RECORD', counts(-1, -2)],
    ['fewer records than offsets', 'INVALID_RECORD', counts(2, 2)],
    ['more records than offsets', 'INVALID_RECORD', counts(2, 0)],
    ['count and delta at the end of int32', 'INVALID_RECORD', counts(-2_147_483_648, 2_147_483_647)],
    ['more records than the bytes can hold', 'INVALID_RECORD', counts(1000, 999)],
    ['more records than they can expand to', 'INVALID_RECORD', counts(2 ** 31 - 1, 2 ** 31 - 2, 'gzip')],
    ['a base offset', 'INVALID_RECORD', changed((bytes) => batch.setBaseOffset(bytes, 0, 5))],
    ['a control batch', 'INVALID_RECORD', build({ ...idempotent, isControl: true })],
    ['a delete horizon', 'INVALID_RECORD', withFlags(batch.attributeBits.deleteHorizon)],
    ['a producer without sequence', 'INVALID_RECORD', build({ producerId: 1, producerEpoch: 0 })],
    ['a producer without epoch', 'INVALID_RECORD', build({ producerId: 1, baseSequence: 0 })],
    ['a transaction without producer', 'INVALID_RECORD', build({ isTransactional: true })],
    ['codec 5', 'UNSUPPORTED_COMPRESSION_TYPE', withFlags(5)],
    ['codec 7', 'UNSUPPORTED_COMPRESSION_TYPE', withFlags(7)],
    ['zstd before version 7', 'UNSUPPORTED_COMPRESSION_TYPE', build({ codec: 'zstd' }), { version: 6 }],
    ['too far ahead', 'INVALID_TIMESTAMP', build({}, [nowMs, nowMs + hour + 1])],
    ['too old', 'INVALID_TIMESTAMP', build({}, [nowMs - hour - 1]), { timestampBeforeMaxMs: hour }],
    ["the broker's own time", 'INVALID_TIMESTAMP', build({ timestampType: 'LogAppendTime' })],
    [
      "the broker's own time, where the broker sets it",
      'INVALID_TIMESTAMP',
      build({ timestampType: 'LogAppendTime' }),
      { timestampType: 'LogAppendTime' },
    ],
  ]
  for (const [name, code, records, override] of refused) {
    const fault = validateProduced(records, { ...rules, ...override })
    t.equal(fault?.code, code, `${name}: ${fault?.detail}`)
  }
})

function lengthOf(length: number): Buffer {
  const bytes = build()
  bytes.writeInt32BE(length, 8)
  return bytes
}

function counts(count: number, lastOffsetDelta: number, codec: 'none' | 'gzip' = 'none'): Buffer {
  return changed((bytes) => {
    bytes.writeInt32BE(count, 57)
    bytes.writeInt32BE(lastOffsetDelta, 23)
  }, build({ codec }))
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  return bytes
}
