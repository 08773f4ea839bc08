import fc from 'fast-check'
import t from 'tap'
import * as batch from '../../src/records/batch.ts'
import { codecs, compress } from '../../src/records/codecs.ts'
import { MalformedRecords } from '../../src/records/errors.ts'
import {
  BatchBuilder,
  type BatchOptions,
  forEachRecord,
  type RecordContent,
  type RecordHeader,
  type RecordView,
  readRecords,
} from '../../src/records/records.ts'
import { checkBatch } from '../../src/records/scan.ts'
import {
  RecordCursor,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../src/records/varints.ts'
import { chance, fixture, line, text } from './plain.ts'

const limits = { maxExpandedBytes: 1 << 20 }
const epochMs = 1_700_000_000_000

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme' }), value: fc.option(bytes) }), {
    maxLength: 3,
  }),
  timestamp: fc.oneof(fc.integer({ min: -1, max: 10 }), fc.integer({ min: epochMs, max: epochMs + 1e12 })),
})

t.test('records come back as they were appended', async (t) => {
  const options = fc.record({ codec: fc.constantFrom(...codecs), base: fc.nat(2 ** 50) })
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), options, (records, { codec, base }) => {
      const builder = new BatchBuilder({ codec })
      for (const content of records) builder.append(content)
      const built = builder.build()
      batch.stamp(built, 0, { baseOffset: base, leaderEpoch: 1 })
      const buffer = Buffer.concat([Buffer.alloc(7), built, Buffer.alloc(9)])
      t.same(
        readRecords(buffer, 7, limits),
        records.map((content, i) => ({ ...content, offset: base + i })),
      )
      const latest = records.reduce((max, { timestamp }) => Math.max(max, timestamp), -1)
      return (
        checkBatch(built, 0, built.length).ok &&
        batch.recordCount(built, 0) === records.length &&
        batch.baseTimestamp(built, 0) === records[0]?.timestamp &&
        batch.maxTimestamp(built, 0) === latest
      )
    }),
    { numRuns: 150 },
  )
})

t.test('the builder knows its size before and after', async (t) => {
  const builder = new BatchBuilder({ codec: 'none' })
  t.equal(builder.count, 0)
  for (let i = 0; i < 300; i++) {
    const content: RecordContent = {
      key: Buffer.from(`k${i}`),
      value: text(i * 3),
      timestamp: epochMs + i * i,
    }
    const expected = builder.sizeBytesWith(content)
    builder.append(content)
    if (builder.sizeBytes !== expected) t.fail(`record ${i}`)
  }
  t.equal(builder.count, 300)
  t.equal(builder.build().length, builder.sizeBytes)
  t.throws(() => new BatchBuilder({ codec: 'none' }).build(), { name: 'AssertionFailed' })
})

t.test('a builder that goes on leaves what it built before as it was', async (t) => {
  for (const codec of ['none', 'gzip'] as const) {
    const options: BatchOptions = { codec }
    const builder = new BatchBuilder(options)
    builder.append({ key: null, value: text(10), timestamp: epochMs })
    const built = [builder.build()]
    options.baseSequence = 7
    built.push(builder.build())
    builder.append({ key: null, value: text(20), timestamp: epochMs })
    built.push(builder.build(codec === 'none' ? undefined : compress(codec, builder.records)))
    t.same(
      built.map((bytes) => [
        batch.recordCount(bytes, 0),
        batch.baseSequence(bytes, 0),
        readRecords(bytes, 0, limits).map(({ value }) => value?.length),
      ]),
      [
        [1, -1, [10]],
        [1, 7, [10]],
        [2, 7, [10, 20]],
      ],
    )
    t.ok(built.every((bytes) => checkBatch(bytes, 0, bytes.length).ok))
  }
})

t.test('batches of the Java client, librdkafka and kafka-python', async (t) => {
  for (const writer of ['java', 'kcat', 'python']) {
    for (const codec of codecs) {
      if (writer === 'python' && (codec === 'snappy' || codec === 'zstd')) continue
      const stored = fixture(`${writer}-${codec}.batch`)
      const count = codec === 'none' ? 20 : 800
      t.match(checkBatch(stored, 0, stored.length), { ok: true, size: stored.length }, `${writer} ${codec}`)
      t.equal(batch.codecOf(stored, 0), codec)
      const records = readRecords(stored, 0, limits)
      t.equal(records.length, count)
      records.forEach((read, i) => {
        if (!asProduced(read, i, writer)) t.fail(`${writer} ${codec} record ${i}`)
      })
      t.equal(Math.max(...records.map((read) => read.timestamp)), batch.maxTimestamp(stored, 0))
    }
  }
  const java = fixture('java-zstd.batch')
  t.equal(batch.producerId(java, 0), 4000)
  t.equal(batch.isTransactional(java, 0), true)
  t.equal(batch.lastSequence(java, 0), 151, 'wraps as in Java')
})

function asProduced(read: RecordView, i: number, writer: string): boolean {
  const headers: RecordHeader[] = read.headers
  const [source, empty] = headers
  return (
    read.offset === i &&
    read.key?.toString() === `key-${i}` &&
    read.value?.toString() === line(i) &&
    (writer !== 'java' || read.timestamp === epochMs + i * 10) &&
    source?.key === 'source' &&
    source.value?.toString() === writer &&
    empty?.key === 'empty' &&
    (empty.value?.length ?? 0) === 0
  )
}

t.test('with LogAppendTime every record has the time of the batch', async (t) => {
  const built = batchOf('gzip', 3)
  batch.setLogAppendTime(built, 0, epochMs + 999)
  t.same(
    readRecords(built, 0, limits).map((read) => read.timestamp),
    [epochMs + 999, epochMs + 999, epochMs + 999],
  )
})

t.test('a visitor that returns false sees no more', async (t) => {
  const seen: number[] = []
  forEachRecord(batchOf('lz4', 10), 0, limits, (read) => {
    seen.push(read.offset)
    return read.offset < 3
  })
  t.same(seen, [0, 1, 2, 3])
})

t.test('what a batch expands to is bounded', async (t) => {
  for (const codec of codecs) {
    const built = batchOf(codec, 50)
    const plain = batchOf('none', 50).length - batch.batchHeaderSize
    t.equal(readRecords(built, 0, { maxExpandedBytes: plain }).length, 50)
    t.throws(
      () => readRecords(built, 0, { maxExpandedBytes: plain - 1 }),
      { name: 'ExpandedTooLarge' },
      codec,
    )
  }
})

t.test('records that do not parse are refused with the reason', async (t) => {
  const record = (hex: string) => batchOver(Buffer.from(hex, 'hex'))
  const cases: [string, string, string][] = [
    ['no record', '', 'ends inside a field'],
    ['one that is cut off', '0c0000000101', 'a record of 6 bytes where 5 follow'],
    ['a length beyond the end', '7e000000010100', 'a record of 63 bytes where 6 follow'],
    ['a negative length', '01000000010100', 'a record of -1 bytes'],
    ['a length below the shortest', '0a0000000101', 'a record of 5 bytes'],
    ['an offset beyond the last', '0c000002010100', 'offset delta 1'],
    ['a negative offset', '0c000001010100', 'offset delta -1'],
    ['a key longer than the record', '0c000000060100', '3 bytes where 2 follow'],
    ['a key of length -2', '0c000000030100', '-2 bytes'],
    ['a value longer than the record', '0c000000010800', '4 bytes where 1 follow'],
    ['a value that reaches into the next record', '0c000000010400' + '000000', '2 bytes where 1 follow'],
    ['a header that is not there', '0c000000010102', 'ends inside a field'],
    ['a million headers', '1000000001018089' + '7a', 'ends inside a field'],
    ['a negative count of headers', '0c000000010101', '-1 headers'],
    ['a header without key', '10000000010102' + '0100', '-1 bytes'],
    ['a byte left over in the record', '0e00000001010000', '1 bytes left over inside'],
    ['a byte left over in the batch', '0c00000001010000', '1 bytes after the last'],
    ['a timestamp of 65 bits', '1e00ffffffffffffffffff0300010100', 'longer than 64 bits'],
    ['an offset of 33 bits', '140000' + 'ffffffff1f' + '010100', 'longer than 32 bits'],
    ['a varint that does not end', '140000' + 'ffffffffff' + '010100', 'longer than 32 bits'],
  ]
  t.same(
    readRecords(record('0c000000010100'), 0, limits).map((read) => [read.key, read.value, read.headers]),
    [[null, null, []]],
    'the shortest record',
  )
  for (const [name, hex, detail] of cases) {
    const error = t.throws(() => readRecords(record(hex), 0, limits), MalformedRecords, name)
    t.match(error, { code: 'INVALID_RECORD', message: detail }, name)
  }
  for (const count of [2_000_000_000, -1]) {
    const counted = record(count < 0 ? '' : '0c000000010100')
    counted.writeInt32BE(count, 57)
    t.throws(() => readRecords(counted, 0, limits), MalformedRecords, `${count} records`)
  }
})

t.test('damaged batches never fail in another way', async (t) => {
  const next = chance(11)
  const known = new Set(['ExpandedTooLarge', 'CorruptPayload', 'MalformedRecords', 'Refused'])
  for (const codec of codecs) {
    const original = batchOf(codec, 20)
    for (let round = 0; round < 2000; round++) {
      const damaged = Buffer.from(original)
      // Any byte but the length, which whoever cut the batch out has checked.
      for (let hits = 1 + (next() % 3); hits > 0; hits--)
        damaged[12 + (next() % (damaged.length - 12))] = next()
      try {
        readRecords(damaged, 0, limits)
      } catch (error) {
        if (!(error instanceof Error && known.has(error.name))) throw error
      }
    }
    t.pass(codec)
  }
})

t.test('varints of 32 and 64 bits', async () => {
  const buffer = Buffer.alloc(16)
  const int32 = fc.integer()
  const int53 = fc.oneof(fc.maxSafeInteger(), fc.integer())
  fc.assert(
    fc.property(int32, (value) => {
      const end = writeVarint(buffer, 0, value)
      return new RecordCursor(buffer, 0, end).varint() === value && end === varintSize(value)
    }),
  )
  fc.assert(
    fc.property(int53, (value) => {
      const end = writeVarlong(buffer, 0, value)
      return new RecordCursor(buffer, 0, end).varlong() === value && end === varlongSize(value)
    }),
  )
})

t.test('nothing is read beyond the end of a record', async (t) => {
  const buffer = Buffer.from([0x80, 0x02, 0x04])
  for (const read of ['varint', 'varlong', 'byte', 'nullableBytes'] as const) {
    t.throws(() => new RecordCursor(buffer, 1, 1)[read](), MalformedRecords, read)
  }
  t.throws(() => new RecordCursor(buffer, 0, 1).varint(), MalformedRecords)
  t.throws(() => new RecordCursor(buffer, 1, 2).bytes(2), MalformedRecords)
})

t.test('a timestamp at the ends of int64', async (t) => {
  const read = (hex: string) => new RecordCursor(Buffer.from(hex, 'hex'), 0, hex.length / 2).varlong()
  t.equal(read('feffffffffffffffff01'), 2 ** 63)
  t.equal(read('ffffffffffffffffff01'), -(2 ** 63))
  t.equal(read('01'), -1)
  t.equal(read('8001'), 64)
})

function batchOf(codec: (typeof codecs)[number], count: number): Buffer {
  const builder = new BatchBuilder({ codec })
  for (let i = 0; i < count; i++) {
    builder.append({ key: Buffer.from(`key-${i}`), value: Buffer.from(line(i)), timestamp: epochMs + i })
  }
  return builder.build()
}

/** A batch that says it has one record, and has these bytes in its place. */
function batchOver(records: Buffer): Buffer {
  const built = Buffer.concat([batchOf('none', 1).subarray(0, batch.batchHeaderSize), records])
  built.writeInt32BE(built.length - batch.batchOverhead, 8)
  batch.writeCrc(built, 0)
  return built
}
