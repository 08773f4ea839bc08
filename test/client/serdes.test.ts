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
