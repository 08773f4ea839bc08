/**
 * What no client should send. After each: that one connection got the error of the protocol or was closed with one log line, others
 * went on, the process lives, what was stored is there, byte for byte.
 */
import { readdir } from 'node:fs/promises'
import t from 'tap'
import { batch, fetchBody, produce, produceBody, record } from './batches.ts'
import { seeded } from './chance.ts'
import { frame, type In, out, sized, Wire } from './raw.ts'
import { another, Target } from './target.ts'

t.setTimeout(120_000)

const target = await Target.start(t)
const { broker } = target

const good = (): Buffer => batch(record(0, Buffer.from('x')))
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
    await target.unharmed(t)
    // a flood of them would be held back, at ten of a kind in a second
    if (!another && index < 10) t.equal(logLines(), lines + 1, 'one log line')
  })
}

t.test('a frame that never ends, and clients that leave in the middle', async (t) => {
  const half = await Promise.all(Array.from({ length: 100 }, () => Wire.open(broker.bootstrap)))
  for (const wire of half) wire.send(frame(3, 1, Buffer.alloc(500)).subarray(0, 200))
  await target.unharmed(t)
  for (const [n, wire] of half.entries()) {
    if (n % 2 === 0) wire.socket.end()
    else wire.socket.resetAndDestroy()
  }
  await Promise.all(half.map((wire) => wire.closed))
  await target.unharmed(t)
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
  await target.unharmed(t)
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
  await target.unharmed(t)
  for (let n = 0; n < 600; n++) {
    const [key, [min, max]] = apis[chance(apis.length)] ?? [18, [0, 0]]
    const version = min + chance(max - min + 1)
    await strike(frame(key, version, bytes(chance(120)), 1, chance(2) === 0 ? 1 : 2))
  }
  await target.unharmed(t)
  for (let n = 0; n < 600; n++) {
    const kind = chance(kinds.length)
    const request = Buffer.from(requests[kind] ?? Buffer.alloc(0))
    const at = chance(request.length)
    request[at] = (request[at] ?? 0) ^ (1 << chance(8))
    await strike(frame(kinds[kind] ?? 18, kind === 0 ? 7 : 4, request))
  }
  await target.unharmed(t)
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

t.test('after all that it restarts in order', { skip: another }, (t) => target.restarts(t))
