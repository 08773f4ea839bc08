/** Typed topics: what is sent comes back with its type, through the bytes that every registry client writes. */
import { randomUUID } from 'node:crypto'
import avsc from 'avsc'
import t from 'tap'
import { avro } from '../../client/avro.ts'
import {
  bytes,
  Client,
  json,
  KafkaError,
  nullable,
  RegistryFailed,
  SchemaRegistry,
  string,
} from '../../client/client.ts'
import { SerdeFailed } from '../../client/errors.ts'
import { bootstrap } from '../wire/broker.ts'
import { RegistryServer } from './registry-server.ts'

const address = await bootstrap(t)
const client = new Client({ bootstrap: address })
t.teardown(() => client.close())

async function newTopic(partitions = 1): Promise<string> {
  const name = `typed-${randomUUID()}`
  await client.admin().createTopics([{ name, partitions }])
  return name
}

async function all<T>(records: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const record of records) list.push(record)
  return list
}

async function failure(call: Promise<unknown> | (() => unknown)): Promise<KafkaError> {
  try {
    await (typeof call === 'function' ? call() : call)
  } catch (thrown) {
    if (thrown instanceof KafkaError) return thrown
    throw thrown
  }
  throw new Error('it succeeded')
}

const order = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total', type: 'double' },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
} as const
const context = { topic: 'orders', part: 'value' } as const
const read = { from: 'beginning', stopAtEnd: true } as const

t.test('declared topics, there and back', async (t) => {
  const topic = await newTopic(2)
  const other = await newTopic()
  const typed = client.typed({
    [topic]: { key: string, value: json<{ n: number }>() },
    [other]: { key: nullable(bytes), value: nullable(string) },
  })
  await using producer = typed.producer()
  await producer.send(
    topic,
    { n: 1 },
    { key: 'a', headers: { h: 'x' }, timestamp: 1_700_000_000_000, partition: 1 },
  )
  await producer.send(other, null, { key: Buffer.from('k') })
  await producer.send(other, 'text')
  const [record] = await all(typed.consumer({ topics: [topic], ...read }))
  t.match(record, { topic, partition: 1, offset: 0, key: 'a', value: { n: 1 }, timestamp: 1_700_000_000_000 })
  t.same(record?.headers, [{ key: 'h', value: Buffer.from('x') }])
  t.same(
    (await all(typed.consumer({ topics: [other], ...read }))).map(({ key, value }) => [key, value]),
    [
      [Buffer.from('k'), null],
      [null, 'text'],
    ],
  )
  t.match(await failure(producer.send(topic, { n: 1 }, { key: 5 as unknown as string })), {
    code: 'SERDE_FAILED',
    message: `a key for topic ${topic} does not fit: a string is wanted, not number`,
  })
  t.throws(() => typed.consumer({ topics: ['undeclared'] }), { code: 'INVALID_ARGUMENT' })
})

t.test('what cannot be read is thrown, or set aside; nothing of it is committed by itself', async (t) => {
  const topic = await newTopic()
  const typed = client.typed({ [topic]: { value: json<number>() } })
  await client.producer().sendAll(['1', 'no json', '3'].map((value) => ({ topic, value })))
  const consumer = typed.consumer({ topics: [topic], ...read })
  const seen: number[] = []
  const follow = async (): Promise<void> => {
    for await (const { value } of consumer) seen.push(value)
  }
  const error = await failure(follow)
  t.type(error, SerdeFailed)
  t.match(error.message, new RegExp(`record ${topic}-0 at offset 1 cannot be read: .*JSON`))
  await follow()
  t.same(seen, [1, 3], 'the next loop goes on behind it')

  const aside: [string, number][] = []
  const patient = typed.consumer({
    topics: [topic],
    ...read,
    undecodable: ({ code }, { offset }) => void aside.push([code, offset]),
  })
  t.same(
    (await all(patient)).map(({ value }) => value),
    [1, 3],
  )
  t.same(aside, [['SERDE_FAILED', 1]])
})

t.test('avro: the wire format, ids and caches', async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: `${server.url}/`, auth: { username: 'u', password: 'p' } })
  const topic = await newTopic()
  const typed = client.typed({ [topic]: { key: string, value: avro(registry, order) } })
  await using producer = typed.producer()
  const values = Array.from({ length: 100 }, (_, n) => ({
    id: `${n}`,
    total: n / 2,
    note: n % 2 ? 'odd' : null,
  }))
  const sent = values.map((value) => producer.send(topic, value, { key: value.id }))
  const places = await Promise.all(sent)
  t.same(
    places.map(({ offset }) => offset),
    [...values.keys()],
    'in order, though the first had to wait for its id',
  )
  t.same(server.seen, [`POST /subjects/${topic}-value/versions`], 'asked once')
  t.equal(server.authorization, `Basic ${Buffer.from('u:p').toString('base64')}`)

  const [raw] = await all(client.consumer({ topics: [topic], ...read }))
  const body = avsc.Type.forSchema(order as unknown as avsc.Schema).toBuffer(values[0])
  t.same(raw?.value, Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), body]), 'magic 0, id, value')
  const back = await all(typed.consumer({ topics: [topic], ...read }))
  t.same(
    back.map(({ value }) => ({ ...value })),
    values,
  )
  t.same(server.seen.slice(1), ['GET /schemas/ids/1'])

  const wrong = await failure(
    producer.send(topic, { id: '1', total: 'much' as unknown as number, note: null }, { key: '' }),
  )
  t.match(wrong, { code: 'SERDE_FAILED', message: /total must be "double", not "much"/ })
  const large = { id: 'x'.repeat(3_000_000), total: 1, note: null }
  const serde = avro(registry, order)
  const encoded = (await serde.serialize(large, context)) as Buffer
  t.same({ ...(await serde.deserialize(encoded, context)) }, large, 'of any size')
})

t.test('avro: writers and readers of different versions', async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: server.url })
  const next = {
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'total', type: 'double' },
      { name: 'currency', type: 'string', default: 'EUR' },
    ],
  } as const
  const [v1, v2] = [avro(registry, order), avro(registry, next)]
  const old = (await v1.serialize({ id: '1', total: 2, note: 'n' }, context)) as Buffer
  const young = (await v2.serialize({ id: '1', total: 2, currency: 'CHF' }, context)) as Buffer
  t.same([old.readInt32BE(1), young.readInt32BE(1)], [1, 2])
  t.same({ ...(await v2.deserialize(old, context)) }, { id: '1', total: 2, currency: 'EUR' }, 'the default')
  t.same({ ...(await v1.deserialize(young, context)) }, { id: '1', total: 2, note: null })

  const broken = avro(registry, { ...order, fields: [{ name: 'id', type: 'int' }] } as const)
  const refused = await failure(async () => broken.serialize({ id: 1 }, context))
  t.type(refused, RegistryFailed)
  t.match(refused, { status: 409, errorCode: 409, retriable: false, advice: /compatible/ })
  t.match(await failure(async () => broken.deserialize(old, context)), {
    code: 'SERDE_FAILED',
    message: /schema 1 cannot/,
  })

  const strict = avro(registry, order, { register: false, subject: () => 'elsewhere' })
  t.match(await failure(async () => strict.serialize({ id: '', total: 0, note: null }, context)), {
    errorCode: 40403,
  })
  server.add('elsewhere', order)
  t.ok(await strict.serialize({ id: '', total: 0, note: null }, context), 'and a failure is not remembered')

  server.add('line', { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] })
  const lines = { type: 'array', items: 'Line' }
  const id = server.add('lines', lines, { references: [{ name: 'Line', subject: 'line', version: 1 }] })
  const whole = avro(registry, {
    type: 'array',
    items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] },
  } as const)
  const header = Buffer.from([0, 0, 0, 0, id])
  const read = await whole.deserialize(Buffer.concat([header, Buffer.from([2, 2, 0x61, 0])]), context)
  t.same(
    read.map((line) => ({ ...line })),
    [{ sku: 'a' }],
    'schemas that refer to others',
  )
})

const bill = {
  type: 'record',
  name: 'Bill',
  fields: [
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'exactly', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'due', type: ['null', { type: 'int', logicalType: 'date' }] },
    { name: 'opens', type: { type: 'int', logicalType: 'time-millis' } },
    { name: 'closes', type: { type: 'long', logicalType: 'time-micros' } },
    { name: 'sum', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
    {
      name: 'tax',
      type: { type: 'fixed', name: 'Money', size: 6, logicalType: 'decimal', precision: 12, scale: 4 },
    },
    { name: 'tip', type: ['null', 'Money'] },
    { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
  ],
} as const
/** Written by Python's fastavro 1.13.1 with that schema. */
const bills = [
  {
    hex:
      '8287c4f4bf6886f7d6b3a6b3b00602e6c402f4b0971dfe9781c5dc0304fb1effffffffffff02001cbe991a14' +
      '4863353661343138302d363561612d343265632d613934352d356664323164656330353338',
    value: {
      at: new Date('2026-11-21T18:05:04.321Z'),
      exactly: Date.UTC(2026, 10, 21, 18, 5, 4) * 1_000 + 321_987,
      due: '2026-11-30',
      opens: 30_600_250,
      closes: 63_959_999_999,
      sum: '-12.50',
      tax: '-0.0001',
      tip: '12345678.9012',
      id: 'c56a4180-65aa-42ec-a945-5fd21dec0538',
    },
  },
  {
    hex:
      '010102dff70200000c00e8d4a50fff000000000000004830303030303030302d303030302d303030302d30303030' +
      '2d303030303030303030303030',
    value: {
      at: new Date(-1),
      exactly: -1,
      due: '1904-02-29',
      opens: 0,
      closes: 0,
      sum: '9999999999.99',
      tax: '0.0000',
      tip: null,
      id: '00000000-0000-0000-0000-000000000000',
    },
  },
]
const framed = (id: number, hex: string): Buffer =>
  Buffer.from(`00${id.toString(16).padStart(8, '0')}${hex}`, 'hex')

t.test("avro: logical types are values, in others' bytes", async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: server.url })
  const serde = avro(registry, bill)
  for (const { hex, value } of bills) {
    const written = await serde.serialize(value, context)
    t.equal(written?.toString('hex'), `0000000001${hex}`)
    t.strictSame({ ...(await serde.deserialize(framed(1, hex), context)) }, value)
  }
  const [first] = bills
  if (first === undefined) throw new Error('there is one')
  const bare = avro(registry, bill, { logicalTypes: 'base' })
  const { at, due, sum } = await bare.deserialize(framed(1, first.hex), context)
  t.strictSame(
    [at, due, sum],
    [first.value.at.getTime(), 20_787, Buffer.from('fb1e', 'hex')],
    'unless left at the base',
  )

  const shift = (more: object): (typeof bills)[0]['value'] => ({ ...first.value, ...more })
  for (const [more, sentence] of [
    [{ at: 5 }, /at must be a Date, not 5/],
    [{ at: new Date(Number.NaN) }, /at must be a Date/],
    [{ due: '2026-02-30' }, /due.* must be .*not "2026-02-30"/],
    [{ due: new Date() }, /due/],
    [{ sum: 12.5 }, /sum must be a decimal like '0.01', of at most 12 digits, 2 of them .*, not 12.5/],
    [{ sum: '0.125' }, /sum must be a decimal/],
    [{ sum: '10000000000.00' }, /sum must be a decimal/],
    [{ sum: '1e3' }, /sum must be a decimal/],
    [{ opens: 1.5 }, /opens must be/],
  ] as const) {
    t.match(await failure(async () => serde.serialize(shift(more), context)), { message: sentence })
  }
  t.ok(await serde.serialize(shift({ sum: '7.000' }), context), 'zeros are no loss')
})

t.test('avro: decimals, days and ids of every size', async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: server.url })
  const money = avro(registry, { type: 'bytes', logicalType: 'decimal', precision: 40, scale: 2 } as const)
  const there = { topic: 'money', part: 'value' } as const
  // As Java's BigInteger has them: as few bytes as can be.
  for (const [text, hex] of [
    ['0.00', '0200'],
    ['1.27', '027f'],
    ['1.28', '040080'],
    ['-1.28', '0280'],
    ['-1.29', '04ff7f'],
    ['327.68', '06008000'],
    ['-327.69', '06ff7fff'],
    ['99999999999999999999999999999999999999.99', '221d6329f1c35ca4bfabb9f560ffffffffff'],
  ] as const) {
    const written = await money.serialize(text, there)
    t.equal(written?.toString('hex'), `0000000001${hex}`, text)
    t.equal(await money.deserialize(framed(1, hex), there), text)
  }
  t.equal(await money.deserialize(framed(1, '04ff80'), there), '-1.28', 'nor are more a fault')
  t.match(await failure(async () => money.deserialize(framed(1, '00'), there)), { message: /no bytes/ })

  const days = avro(registry, { type: 'int', logicalType: 'date' } as const, { subject: () => 'days' })
  for (const text of ['0000-01-01', '1582-10-15', '9999-12-31', '+012345-06-07']) {
    const written = (await days.serialize(text, there)) as Buffer
    t.equal(await days.deserialize(written, there), text)
  }
  const whole = avro(registry, { type: 'long', logicalType: 'timestamp-millis' } as const, {
    subject: () => 'at',
  })
  await whole.serialize(new Date(0), there)
  t.match(
    await failure(async () => whole.deserialize(framed(3, '80808080808080808001'), there)),
    { message: /not of its schema 3/ },
    'what no Date is',
  )
  const ids = avro(registry, { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' } as const, {
    subject: () => 'ids',
  })
  const id = randomUUID()
  const written = (await ids.serialize(id, there)) as Buffer
  t.equal(written.toString('hex'), `0000000004${id.replaceAll('-', '')}`)
  t.equal(await ids.deserialize(written, there), id)
})

t.test('avro: logical types of writers and readers that differ', async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: server.url })
  const event = (type: unknown, more: object[] = []): object => ({
    type: 'record',
    name: 'Event',
    fields: [{ name: 'at', type }, ...more],
  })
  const long = (logicalType: string): object => ({ type: 'long', logicalType })
  const money = (scale: number, precision = 9): object => ({
    type: 'bytes',
    logicalType: 'decimal',
    precision,
    scale,
  })
  /** What a reader of one schema makes of what was written with another. */
  const across = async (writer: unknown, reader: unknown, hex: string): Promise<unknown> => {
    const id = server.add(`s${server.subjects.size}`, event(writer))
    const serde = avro(
      registry,
      event(reader, [{ name: 'due', type: { type: 'int', logicalType: 'date' }, default: 1 }]),
    )
    return serde.deserialize(framed(id, hex), context)
  }
  const date = new Date(1)
  const due = '1970-01-02'
  const millis = long('timestamp-millis')
  for (const [writer, reader, hex, at] of [
    [millis, ['null', millis], '02', date],
    [['null', millis], ['null', millis], '0202', date],
    ['long', millis, '02', date],
    ['int', millis, '02', date],
    [millis, 'long', '02', 1],
    [millis, long('shifts'), '02', 1],
    [long('shifts'), millis, '02', date],
    ['bytes', money(2), '0280', '-1.28'],
    [money(2), money(2, 12), '0280', '-1.28'],
    [money(10), 'bytes', '0280', Buffer.from([0x80])],
  ] as const) {
    const read = await across(writer, reader, hex)
    t.strictSame(
      { ...(read as object) },
      { at, due },
      `${JSON.stringify(writer)} as ${JSON.stringify(reader)}`,
    )
  }
  const plain = server.add('plain', event('long'))
  const dated = await avro(registry, event(millis)).deserialize(framed(plain, '02'), context)
  t.strictSame({ ...(dated as object) }, { at: date }, 'schemas that differ in nothing else')
  for (const [writer, reader, hex] of [
    [long('timestamp-micros'), millis, '02'],
    [millis, long('timestamp-micros'), '02'],
    [{ type: 'int', logicalType: 'date' }, millis, '02'],
    [money(3), money(2), '0280'],
    ['string', money(2), '0231'],
  ] as const) {
    t.match(await failure(across(writer, reader, hex)), { message: /cannot be read as this one/ })
  }

  t.throws(() => avro(registry, ['null', 'string', money(2)]), {
    message: /look alike; with logicalTypes: 'base'/,
  })
  t.ok(avro(registry, ['null', 'string', money(2)], { logicalTypes: 'base' }))
  server.add('money', {
    type: 'fixed',
    name: 'Money',
    size: 4,
    logicalType: 'decimal',
    precision: 9,
    scale: 2,
  })
  const id = server.add(
    'list',
    { type: 'array', items: 'Money' },
    {
      references: [{ name: 'Money', subject: 'money', version: 1 }],
    },
  )
  const sums = avro(registry, {
    type: 'array',
    items: { type: 'fixed', name: 'Money', size: 4, logicalType: 'decimal', precision: 9, scale: 2 },
  } as const)
  t.strictSame(
    await sums.deserialize(framed(id, '02ffffff8000'), context),
    ['-1.28'],
    'schemas that refer to them',
  )
})

t.test('avro: bytes that are none, and a registry that is not well', async (t) => {
  const server = await RegistryServer.listen(t)
  const registry = new SchemaRegistry({ url: server.url, timeoutMs: 200 })
  const serde = avro(registry, order)
  for (const [hex, sentence] of [
    ['', /first byte/],
    ['7b7d', /first byte/],
    ['0000000009', /Schema 9 not found/],
  ] as const) {
    t.match(
      (await failure(async () => serde.deserialize(Buffer.from(hex, 'hex'), context))).message,
      sentence,
    )
  }
  t.match((await failure(async () => serde.deserialize(null, context))).message, /nothing/)
  const id = server.add('x', order)
  const cut = Buffer.from([0, 0, 0, 0, id, 8, 0x61])
  t.match((await failure(async () => serde.deserialize(cut, context))).message, /not of its schema 1/)
  server.add('p', 'message P {}', { schemaType: 'PROTOBUF' })
  t.match(
    (await failure(async () => serde.deserialize(Buffer.from([0, 0, 0, 0, 2]), context))).message,
    /PROTOBUF/,
  )

  let calls = 0
  server.fault = () => (++calls < 3 ? { status: 503, body: 'later' } : null)
  t.ok(await serde.serialize({ id: '', total: 1, note: null }, context), 'tried again')
  server.fault = () => ({ status: 200, body: '<html>' })
  t.match(await failure(registry.schema(77)), { message: /not JSON/, retriable: false })
  server.fault = () => 'hang up'
  const gone = await failure(registry.schema(78))
  t.match(gone, { code: 'REGISTRY_FAILED', status: 0, retriable: true, advice: /registry runs there/ })

  const other = await RegistryServer.listen(t)
  other.add('x', order)
  const both = new SchemaRegistry({ url: [server.url, other.url], attemptsMax: 1 })
  t.equal((await both.schema(1)).schemaType, 'AVRO', 'the next address is asked')
  t.equal((await both.version('x', 'latest')).version, 1)
  t.throws(() => new SchemaRegistry({ url: 'localhost' }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => avro(registry, { type: 'recrod' }), { code: 'INVALID_ARGUMENT' })
})
