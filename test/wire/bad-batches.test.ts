/** Batches that must not get in, or must not do harm from where they lie. */
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { allBatches, type BatchFields, batch, fetchBody, produce, record } from './batches.ts'
import { frame, out, Wire } from './raw.ts'
import { another, Target } from './target.ts'

t.setTimeout(120_000)

const MIB = 1024 * 1024
const target = await Target.start(t)
const { broker } = target

// ---- Batches that get an error of their own

const UNKNOWN_SERVER_ERROR = -1
const CORRUPT_MESSAGE = 2
const MESSAGE_TOO_LARGE = 10
const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
const UNSUPPORTED_COMPRESSION_TYPE = 76
const INVALID_RECORD = 87

const one = record(0, Buffer.from('x'))
const good = (fields: BatchFields = {}, records = one): Buffer => batch(records, fields)

/** A batch with bytes changed after its CRC was made. */
function changed(at: number, value: number): Buffer {
  const bytes = good()
  bytes.writeInt8(value, at)
  return bytes
}

function withLength(length: number): Buffer {
  const bytes = good()
  bytes.writeInt32BE(length, 8)
  return bytes
}

const refused: [what: string, records: Buffer, codes: number[]][] = [
  ['a wrong CRC', changed(17, 1), [CORRUPT_MESSAGE]],
  ['a bit flipped in a record', changed(68, 0x11), [CORRUPT_MESSAGE]],
  ['a batch shorter than it says', good().subarray(0, -1), [CORRUPT_MESSAGE, INVALID_RECORD]],
  ['a batch cut in its header', good().subarray(0, 40), [CORRUPT_MESSAGE, INVALID_RECORD]],
  ['a length under that of a header', withLength(20), [CORRUPT_MESSAGE]],
  ['a negative length', withLength(-1), [CORRUPT_MESSAGE]],
  ['a length beyond the request', withLength(1_000_000), [CORRUPT_MESSAGE, INVALID_RECORD]],
  ['two batches at once', Buffer.concat([good(), good()]), [INVALID_RECORD]],
  ['no batch at all', Buffer.alloc(0), [INVALID_RECORD]],
  ['the message format of 2012', changed(16, 0), [INVALID_RECORD, UNSUPPORTED_FOR_MESSAGE_FORMAT]],
  ['a message format of the future', changed(16, 3), [CORRUPT_MESSAGE, INVALID_RECORD]],
  ['no records in a batch', good({ count: 0, lastOffsetDelta: 0 }, Buffer.alloc(0)), [INVALID_RECORD]],
  [
    'a negative number of records',
    good({ count: -1, lastOffsetDelta: 0 }),
    [INVALID_RECORD, CORRUPT_MESSAGE],
  ],
  ['more records than there are', good({ count: 1000 }), [INVALID_RECORD, CORRUPT_MESSAGE]],
  ['offsets that do not fit the number of records', good({ lastOffsetDelta: 5 }), [INVALID_RECORD]],
  ['a control batch', good({ attributes: 0x20 }), [INVALID_RECORD]],
  [
    'a codec that is none',
    good({ attributes: 7 }),
    [another ? UNKNOWN_SERVER_ERROR : UNSUPPORTED_COMPRESSION_TYPE],
  ],
  ['a producer without sequences', good({ producerId: 5n, producerEpoch: 0 }), [INVALID_RECORD]],
  ['a batch over max.message.bytes', good({}, record(0, Buffer.alloc(1_100_000))), [MESSAGE_TOO_LARGE]],
]

for (const [what, records, codes] of refused) {
  t.test(`refused: ${what}`, async (t) => {
    const wire = await Wire.open(broker.bootstrap)
    const end = (await allBatches(broker.bootstrap, 'target', 0)).length
    const { errorCode } = await produce(wire, 'target', 0, records)
    t.ok(codes.includes(errorCode), `error ${errorCode}, one of ${codes}`)
    t.equal((await allBatches(broker.bootstrap, 'target', 0)).length, end, 'nothing of it was stored')
    t.equal((await produce(wire, 'target', 0, good())).errorCode, 0, 'the connection goes on')
    wire.close()
    await target.unharmed(t)
  })
}

// ---- Much out of little

/** A zstd frame of one megabyte that stands for some 32 GB: blocks of one repeated byte. */
function zstdBomb(): Buffer {
  const block = Buffer.alloc(4)
  block.writeUIntLE((131_072 << 3) | 2, 0, 3)
  const blocks = Array.from({ length: 250_000 }, () => block)
  return Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), ...blocks, Buffer.from('010000', 'hex')])
}

const zeros = Buffer.alloc(200 * MIB)
const bombs: [codec: string, attributes: number, payload: Buffer][] = [
  ['gzip, one record of 200 MB', 1, gzipSync(record(0, zeros), { level: 1 })],
  ['gzip, 200 MB of zeros', 1, gzipSync(zeros, { level: 1 })],
  ['zstd, 32 GB', 4, zstdBomb()],
  ['snappy that says it is 4 GB', 2, Buffer.from('ffffffff0f00', 'hex')],
  ['gzip that is none', 1, Buffer.from('no gzip at all')],
  ['lz4 with blocks that are no blocks', 3, Buffer.from('04224d1860405effffff7f00', 'hex')],
]

for (const [n, [what, attributes, payload]] of bombs.entries()) {
  t.test(`a bomb: ${what}`, async (t) => {
    const topic = `bombed-${n}`
    await target.create(topic)
    const wire = await Wire.open(broker.bootstrap)
    const from = performance.now()
    const grown = await target.growth(async () => {
      const { errorCode } = await produce(wire, topic, 0, good({ attributes }, payload))
      t.comment(`Produce answers ${errorCode}`)
      const byTime = out()
        .int32(-1)
        .int8(0)
        .int32(1)
        .string(topic)
        .int32(1)
        .int32(0)
        .int64(1_600_000_000_000n)
      const answer = await wire.ask(2, 2, byTime.done())
      answer.at += 4 + 4 + 2 + topic.length + 4 + 4
      t.comment(`a look-up by time answers ${answer.int16()}`)
    })
    const tookMs = Math.round(performance.now() - from)
    t.comment(`${tookMs} ms, ${grown} MiB more`)
    if (!another) t.ok(grown < 250, `memory stays bounded: ${grown} MiB more`)
    t.ok(tookMs < 8000, `in bounded time: ${tookMs} ms`)
    wire.close()
    await target.unharmed(t)
  })
}

t.test('a client that asks for ever and never reads', async (t) => {
  await target.create('large')
  for (let n = 0; n < 8; n++)
    await produce(target.witness, 'large', 0, good({}, record(0, Buffer.alloc(900_000))))
  const wire = await Wire.open(broker.bootstrap)
  wire.socket.pause()
  const grown = await target.growth(async () => {
    const asked = frame(1, 4, fetchBody('large', 0, 0n, 0, 1))
    for (let n = 0; n < 2000; n++) wire.send(asked) // 1.8 GB of answers, if one would make them all
    for (let n = 0; n < 20; n++) await target.unharmed(t)
  })
  t.comment(`${grown} MiB more`)
  if (!another) t.ok(grown < 250, `memory stays bounded: ${grown} MiB more`)
  wire.close()
  await target.unharmed(t)
})

t.test('after all that it restarts in order', { skip: another }, (t) => target.restarts(t))
