/**
 * What no client should send. After each: that one connection got the error of the protocol or was closed with one log line, others
 * went on, the process lives, what was stored is there, byte for byte.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { allBatches, type BatchFields, batch, fetchBody, produce, produceBody, record } from './batches.ts'
import { type Broker, startBroker } from './broker.ts'
import { seeded } from './chance.ts'
import { frame, type In, out, sized, Wire } from './raw.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(200_000)

const MIB = 1024 * 1024
const another = process.env.LOGRAFT_TEST_COMMAND !== undefined

const broker = await startBroker(t)
const pid = broker.pid
const admin = kafkajs(broker.bootstrap).admin()
await admin.connect()
t.teardown(() => admin.disconnect())

/** A connection that was there before and stays: others must not notice. */
const witness = await Wire.open(broker.bootstrap)
t.teardown(() => witness.close())
const topic = 'stored'
await admin.createTopics({ topics: ['stored', 'target'].map((name) => ({ topic: name, numPartitions: 1 })) })
for (let n = 0; n < 50; n++) await produce(witness, topic, 0, batch(record(0, Buffer.alloc(2000, n))))

async function stored(address: Broker): Promise<string> {
  const hash = createHash('sha256')
  for (const { bytes } of await allBatches(address.bootstrap, topic, 0)) hash.update(bytes)
  return hash.digest('hex')
}
const before = await stored(broker)

/** The state in which every misdeed must leave the broker. */
async function unharmed(t: Test): Promise<void> {
  if (!broker.running || broker.pid !== pid) t.fail(`the broker died:\n${broker.stderr.slice(-3000)}`)
  const { errorCode } = await produce(witness, 'target', 0, batch(record(0, Buffer.from('still here'))))
  t.equal(errorCode, 0, 'another connection writes')
  t.equal(await stored(broker), before, 'what was stored is as it was')
}

const logLines = (): number => broker.stderr.split('\n').length - 1

// ---- Frames and requests that end a connection

const body = (): ReturnType<typeof out> => out()
const header = (key: number, version: number): ReturnType<typeof out> =>
  out().int16(key).int16(version).int32(7)

/** Kafka takes any negative length for null here; a frame that says -5 was made by no client, and ours says so. */
const stricter: [what: string, bytes: Buffer][] = [
  ['a client id of negative length', sized(header(3, 1).int16(-5).int32(0).done())],
  ['a negative number of topics', frame(3, 1, body().int32(-2).done())],
]

const closing: [what: string, bytes: Buffer][] = [
  ...(another ? [] : stricter),
  ['a negative frame size', body().int32(-1).done()],
  [
    'the smallest frame size',
    body()
      .int32(-(2 ** 31))
      .done(),
  ],
  ['a frame over socket.request.max.bytes', body().int32(104_857_601).int64(0).done()],
  [
    'the largest frame size',
    body()
      .int32(2 ** 31 - 1)
      .int64(0)
      .done(),
  ],
  ['an empty frame', sized(Buffer.alloc(0))],
  ['a frame shorter than a header', sized(Buffer.from([0, 18, 0]))],
  ['TLS', Buffer.from('1603010200010001fc0303', 'hex')],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ['an API that is none', frame(9999, 0, Buffer.alloc(0))],
  ['a negative API', frame(-1, 0, Buffer.alloc(0))],
  ['an API only brokers speak', frame(4, 0, Buffer.alloc(20))],
  ['a version from the future', frame(3, 99, Buffer.alloc(20))],
  ['a negative version', frame(3, -1, Buffer.alloc(20))],
  ['a Produce of times past', frame(0, 2, Buffer.alloc(20))],
  ['a Fetch of times past', frame(1, 3, Buffer.alloc(40))],
  ['a client id longer than its frame', sized(header(3, 1).int16(30_000).int32(0).done())],
  [
    'more topics than a frame can hold',
    frame(
      3,
      1,
      body()
        .int32(2 ** 31 - 1)
        .done(),
    ),
  ],
  ['a topic name longer than its frame', frame(3, 1, body().int32(1).int16(32_767).done())],
  ['a topic name of negative length', frame(3, 1, body().int32(1).int16(-3).done())],
  ['records longer than their frame', truncatedRecords()],
  ['a varint without end', frame(3, 12, Buffer.alloc(20, 0xff), 1, 2)],
  [
    'more tagged fields than a frame can hold',
    frame(3, 12, Buffer.from([0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7]), 1, 2),
  ],
  ['a body that ends too early', frame(1, 11, Buffer.alloc(5))],
]

function truncatedRecords(): Buffer {
  const whole = produceBody('target', 0, Buffer.alloc(10))
  whole.writeInt32BE(1_000_000, whole.length - 14)
  return frame(0, 7, whole)
}

for (const [index, [what, bytes]] of closing.entries()) {
  t.test(`closed: ${what}`, async (t) => {
    const lines = logLines()
    const wire = await Wire.open(broker.bootstrap)
    wire.send(bytes)
    t.equal(await wire.receive(5000), null, 'no answer, the connection ends')
    await unharmed(t)
    // a flood of them would be held back, at ten of a kind in a second
    if (!another && index < 10) t.equal(logLines(), lines + 1, 'one log line')
  })
}

t.test('a frame that never ends, and clients that leave in the middle', async (t) => {
  const half = await Promise.all(Array.from({ length: 100 }, () => Wire.open(broker.bootstrap)))
  for (const wire of half) wire.send(frame(3, 1, Buffer.alloc(500)).subarray(0, 200))
  await unharmed(t)
  for (const [n, wire] of half.entries()) {
    if (n % 2 === 0) wire.socket.end()
    else wire.socket.resetAndDestroy()
  }
  await Promise.all(half.map((wire) => wire.closed))
  await unharmed(t)
})

t.test('bytes one at a time are a request like any other', async (t) => {
  const wire = await Wire.open(broker.bootstrap)
  for (const byte of frame(18, 0, Buffer.alloc(0), 77)) {
    wire.send(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal((await wire.receive())?.correlationId, 77)
  wire.close()
})

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
    await unharmed(t)
  })
}

// ---- Names

t.test('names that lead elsewhere', async (t) => {
  const tree = async (): Promise<string[]> => (await readdir(broker.dataDir, { recursive: true })).sort()
  const names = ['../x', '..', '.', '', 'a/b', '/etc/x', 'a\0b', 'a\\b', 'ü', 'a b', 'x'.repeat(250)]
  const trees = await tree()
  const wire = await Wire.open(broker.bootstrap)
  for (const name of names) {
    const answer = await wire.ask(3, 4, body().int32(1).string(name).int8(1).done())
    answer.int32()
    answer.array(() => [answer.int32(), answer.string(), answer.int32(), answer.string()])
    answer.string()
    answer.int32()
    t.same(
      answer.array(() => answer.int16()).slice(0, 1),
      [17],
      `INVALID_TOPIC_EXCEPTION for ${JSON.stringify(name.slice(0, 20))}`,
    )
    const created = await wire.ask(
      19,
      2,
      body().int32(1).string(name).int32(1).int16(1).int32(0).int32(0).int32(1000).int8(0).done(),
    )
    created.int32()
    t.same(
      created.array(() => [created.string(), created.int16(), created.string()].slice(0, 2)),
      [[name, 17]],
      'nor by CreateTopics',
    )
    t.match(await produce(wire, name, 0, good()), { errorCode: /^(3|17)$/ }, 'nor by Produce')
  }
  wire.close()
  if (!another) t.same(await tree(), trees, 'no file came of it')
  await unharmed(t)
})

// ---- Much out of little

const memoryMiB = async (): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

/** Watches the broker's memory while something is done to it. */
async function highest(act: () => Promise<void>): Promise<number> {
  let most = await memoryMiB()
  const timer = setInterval(() => {
    memoryMiB().then(
      (now) => {
        most = Math.max(most, now)
      },
      () => {},
    )
  }, 20)
  await act()
  clearInterval(timer)
  return most
}

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

for (const [what, attributes, payload] of bombs) {
  t.test(`a bomb: ${what}`, async (t) => {
    await admin.createTopics({ topics: [{ topic: 'bombed', numPartitions: 1 }] })
    const wire = await Wire.open(broker.bootstrap)
    const base = await memoryMiB()
    const from = performance.now()
    const most = await highest(async () => {
      const { errorCode } = await produce(wire, 'bombed', 0, good({ attributes }, payload))
      t.comment(`Produce answers ${errorCode}`)
      const byTime = body()
        .int32(-1)
        .int8(0)
        .int32(1)
        .string('bombed')
        .int32(1)
        .int32(0)
        .int64(1_600_000_000_000n)
      const answer = await wire.ask(2, 2, byTime.done())
      answer.at += 4 + 4 + 2 + 'bombed'.length + 4 + 4
      t.comment(`a look-up by time answers ${answer.int16()}`)
    })
    const tookMs = Math.round(performance.now() - from)
    t.comment(`${tookMs} ms, ${most - base} MiB more`)
    if (!another) t.ok(most - base < 250, `memory stays bounded: ${most - base} MiB more`)
    t.ok(tookMs < 8000, `in bounded time: ${tookMs} ms`)
    wire.close()
    await unharmed(t)
    await admin.deleteTopics({ topics: ['bombed'] })
  })
}

t.test('a client that asks for ever and never reads', async (t) => {
  await admin.createTopics({ topics: [{ topic: 'large', numPartitions: 1 }] })
  for (let n = 0; n < 8; n++) await produce(witness, 'large', 0, good({}, record(0, Buffer.alloc(900_000))))
  const wire = await Wire.open(broker.bootstrap)
  wire.socket.pause()
  const base = await memoryMiB()
  const most = await highest(async () => {
    const asked = frame(1, 4, fetchBody('large', 0, 0n, 0, 1))
    for (let n = 0; n < 2000; n++) wire.send(asked) // 1.8 GB of answers, if one would make them all
    for (let n = 0; n < 20; n++) await unharmed(t)
  })
  t.comment(`${most - base} MiB more`)
  if (!another) t.ok(most - base < 250, `memory stays bounded: ${most - base} MiB more`)
  wire.close()
  await unharmed(t)
})

// ---- Chance

t.test('random bytes, random bodies, and good requests with bits flipped', async (t) => {
  const chance = seeded(20261121)
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => chance(256)))
  const apis = [...(await apiRanges())]
  const requests = [
    produceBody('target', 0, good()),
    fetchBody('stored', 0, 0n, 0, 0),
    body().int32(1).string('stored').int8(1).done(),
  ]
  const kinds = [0, 1, 3]
  const strike = async (sent: Buffer): Promise<void> => {
    const wire = await Wire.open(broker.bootstrap)
    wire.send(sent)
    wire.send(frame(18, 0, Buffer.alloc(0), 4711)) // whatever became of it, this ends the wait
    for (let n = 0; n < 3; n++) {
      const answer = await wire.receive(1500).catch(() => null)
      if (answer === null || answer.correlationId === 4711) break
    }
    wire.close()
  }
  for (let n = 0; n < 150; n++) await strike(bytes(1 + chance(200)))
  for (let n = 0; n < 150; n++) await strike(sized(bytes(chance(200))))
  await unharmed(t)
  for (let n = 0; n < 600; n++) {
    const [key, [min, max]] = apis[chance(apis.length)] ?? [18, [0, 0]]
    const version = min + chance(max - min + 1)
    await strike(frame(key, version, bytes(chance(120)), 1, chance(2) === 0 ? 1 : 2))
  }
  await unharmed(t)
  for (let n = 0; n < 600; n++) {
    const kind = chance(kinds.length)
    const request = Buffer.from(requests[kind] ?? Buffer.alloc(0))
    const at = chance(request.length)
    request[at] = (request[at] ?? 0) ^ (1 << chance(8))
    await strike(frame(kinds[kind] ?? 18, kind === 0 ? 7 : 4, request))
  }
  await unharmed(t)
})

async function apiRanges(): Promise<Map<number, [number, number]>> {
  const wire = await Wire.open(broker.bootstrap)
  const answer: In = await wire.ask(18, 0, Buffer.alloc(0))
  answer.int16()
  const ranges = new Map(
    answer.array(() => [answer.int16(), [answer.int16(), answer.int16()]] as [number, [number, number]]),
  )
  wire.close()
  return ranges
}

t.test('after all that: the broker stops in order and holds what it held', { skip: another }, async (t) => {
  witness.close()
  await admin.disconnect()
  t.equal(await broker.stop(), 0)
  await broker.start()
  t.equal(await stored(broker), before)
})
