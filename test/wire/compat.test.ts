/** What clients count on before they get anywhere: the handshake, metadata, and the small print of Produce and Fetch. */
import { Producer, stringSerializers } from '@platformatic/kafka'
import t, { type Test } from 'tap'
import { allBatches, batch, fetchBody, fetched, heads, produce, produceBody, record } from './batches.ts'
import { bootstrap, startBroker } from './broker.ts'
import { kcat, missing, python, unique } from './clients.ts'
import { frame, type In, out, Wire } from './raw.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(120_000)

const UNKNOWN_TOPIC_OR_PARTITION = 3
const UNSUPPORTED_VERSION = 35
const INVALID_REQUEST = 42
const FETCH_SESSION_ID_NOT_FOUND = 70

const broker = await bootstrap(t)
const admin = kafkajs(broker).admin()
await admin.connect()
t.teardown(() => admin.disconnect())

async function open(t: Test, address = broker): Promise<Wire> {
  const wire = await Wire.open(address)
  t.teardown(() => wire.close())
  return wire
}

async function newTopic(numPartitions = 1): Promise<string> {
  const topic = unique('compat')
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] })
  return topic
}

const single = (text: string): Buffer => batch(record(0, Buffer.from(text)))

// ---- ApiVersions

interface ApiVersions {
  errorCode: number
  ranges: Map<number, [number, number]>
}

const software = (name = 'lograft-wire', version = '1.0'): Buffer =>
  out().compactString(name).compactString(version).uvarint(0).done()

function apiVersions(answer: In, version: number): ApiVersions {
  const errorCode = answer.int16()
  const range = (): [number, [number, number]] => {
    const entry: [number, [number, number]] = [answer.int16(), [answer.int16(), answer.int16()]]
    if (version >= 3) answer.tags()
    return entry
  }
  const ranges = new Map(version >= 3 ? answer.compactArray(range) : answer.array(range))
  if (version >= 1) answer.int32()
  if (version >= 3) answer.tags()
  return { errorCode, ranges }
}

async function askApiVersions(wire: Wire, version: number): Promise<ApiVersions & { left: number }> {
  const body = version >= 3 ? software() : Buffer.alloc(0)
  const answer = await wire.ask(18, version, body, version >= 3 ? 2 : 1)
  return { ...apiVersions(answer, version), left: answer.left }
}

/** The versions that clients have been seen to send: ranges must hold them, without holes. */
const sent: [name: string, key: number, versions: number[]][] = [
  ['Produce', 0, [7, 9, 10, 11]],
  ['Fetch', 1, [4, 11, 12, 16]],
  ['ListOffsets', 2, [1, 2, 3, 6, 7, 8, 9]],
  ['Metadata', 3, [0, 1, 4, 6, 11, 12]],
  ['OffsetCommit', 8, [2, 5, 7, 8, 9]],
  ['OffsetFetch', 9, [1, 4, 7, 8, 9]],
  ['FindCoordinator', 10, [0, 2, 3, 4]],
  ['JoinGroup', 11, [2, 5, 7, 9]],
  ['Heartbeat', 12, [1, 3, 4]],
  ['LeaveGroup', 13, [1, 3, 4, 5]],
  ['SyncGroup', 14, [1, 3, 5]],
  ['DescribeGroups', 15, [2, 3, 4, 5]],
  ['ListGroups', 16, [2, 4, 5]],
  ['ApiVersions', 18, [0, 2, 3, 4]],
  ['CreateTopics', 19, [3, 4, 7]],
  ['DeleteTopics', 20, [1, 3, 4, 6]],
  ['DeleteRecords', 21, [1, 2]],
  ['InitProducerId', 22, [1, 4, 5]],
  ['OffsetForLeaderEpoch', 23, [2, 4]],
  ['DescribeConfigs', 32, [1, 2, 4]],
  ['AlterConfigs', 33, [0, 1, 2]],
  ['DescribeLogDirs', 35, [4]],
  ['CreatePartitions', 37, [0, 1, 2, 3]],
  ['DeleteGroups', 42, [1, 2]],
  ['IncrementalAlterConfigs', 44, [1]],
  ['OffsetDelete', 47, [0]],
  ['DescribeCluster', 60, [1]],
  ['DescribeProducers', 61, [0]],
]

t.test('ApiVersions, in each of its versions, offers what clients send', async (t) => {
  const wire = await open(t)
  for (let version = 0; version <= 4; version++) {
    const { errorCode, ranges, left } = await askApiVersions(wire, version)
    t.same({ errorCode, left }, { errorCode: 0, left: 0 }, `v${version}: read to its last byte`)
    for (const [name, key, versions] of sent) {
      const [min, max] = ranges.get(key) ?? [0, -1]
      const lacking = versions.filter((v) => v < min || v > max)
      if (lacking.length > 0)
        t.fail(`v${version}: ${name} is offered as ${min}..${max}, clients send ${lacking}`)
    }
    t.equal(ranges.get(0)?.[0], 0, 'Produce from 0: librdkafka would send everything uncompressed')
  }
})

t.test('an ApiVersions from the future is answered in version 0, with what to ask instead', async (t) => {
  const wire = await open(t)
  const answer = await wire.ask(18, 99, Buffer.from('nobody knows this body'), 2)
  const { errorCode, ranges } = apiVersions(answer, 0)
  t.equal(errorCode, UNSUPPORTED_VERSION)
  t.equal(answer.left, 0, 'nothing after the array')
  t.ok((ranges.get(18)?.[1] ?? 0) >= 3, 'with the range of ApiVersions itself')
  t.equal((await askApiVersions(wire, 3)).errorCode, 0, 'and the connection goes on')
})

t.test('a client without a proper name is told so', async (t) => {
  const wire = await open(t)
  const answer = await wire.ask(18, 3, software('-', '1.0'), 2)
  t.equal(apiVersions(answer, 3).errorCode, INVALID_REQUEST)
})

// ---- Metadata

interface Metadata {
  brokers: { id: number; address: string }[]
  controller: number
  topics: { errorCode: number; name: string | null; partitions: { errorCode: number; leader: number }[] }[]
}

async function metadata(
  wire: Wire,
  version: 0 | 1 | 4,
  names: string[] | null,
  autoCreate = true,
): Promise<Metadata> {
  const body = out().int32(names === null ? -1 : names.length)
  for (const name of names ?? []) body.string(name)
  if (version >= 4) body.int8(autoCreate ? 1 : 0)
  return readMetadata(await wire.ask(3, version, body.done()), version)
}

function readMetadata(answer: In, version: 0 | 1 | 4): Metadata {
  if (version >= 3) answer.int32()
  const brokers = answer.array(() => {
    const found = { id: answer.int32(), address: `${answer.string()}:${answer.int32()}` }
    if (version >= 1) answer.string()
    return found
  })
  if (version >= 2) answer.string()
  const controller = version >= 1 ? answer.int32() : -1
  const topics = answer.array(() => {
    const [errorCode, name] = [answer.int16(), answer.string()]
    if (version >= 1) answer.int8()
    const partitions = answer.array(() => {
      const partition = { errorCode: answer.int16(), index: answer.int32(), leader: answer.int32() }
      answer.array(() => answer.int32())
      answer.array(() => answer.int32())
      return partition
    })
    return { errorCode, name, partitions }
  })
  return { brokers, controller, topics }
}

t.test("kafka-python's probe: ApiVersions and Metadata of version 0 in one go", async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  wire.send(Buffer.concat([frame(18, 0, Buffer.alloc(0), 11), frame(3, 0, out().int32(0).done(), 12)]))
  const [first, second] = [await wire.receive(), await wire.receive()]
  t.same([first?.correlationId, second?.correlationId], [11, 12], 'answered in order')
  const answer = await metadata(wire, 0, [])
  t.ok(
    answer.topics.some(({ name }) => name === topic),
    'no topics in version 0: all of them',
  )
})

t.test('Metadata: all, none, some; and where the broker is', async (t) => {
  const topic = await newTopic(2)
  const wire = await open(t)
  const all = await metadata(wire, 1, null)
  t.ok(
    all.topics.some(({ name }) => name === topic),
    'null: all',
  )
  t.same((await metadata(wire, 1, [])).topics, [], 'empty: none')
  const some = await metadata(wire, 4, [topic])
  t.same(
    some.brokers.map(({ address }) => address),
    [broker],
    'the address is the one that was dialled',
  )
  const [id] = some.brokers.map((found) => found.id)
  t.equal(some.controller, id)
  t.match(some.topics, [
    { errorCode: 0, name: topic, partitions: [{ errorCode: 0, leader: id }, { leader: id }] },
  ])
})

t.test('Metadata creates a topic that is asked for by name, unless told not to', async (t) => {
  const wire = await open(t)
  const [shy, bold] = [unique('auto'), unique('auto')]
  for (let n = 0; n < 2; n++) {
    const refused = await metadata(wire, 4, [shy], false)
    t.match(
      refused.topics,
      [{ errorCode: UNKNOWN_TOPIC_OR_PARTITION, name: shy, partitions: [] }],
      'named in the answer',
    )
  }
  t.notOk(
    (await metadata(wire, 1, null)).topics.some(({ name }) => name === shy),
    'and not made',
  )
  await metadata(wire, 4, [bold], true)
  const there = await eventually(
    async () => (await metadata(wire, 4, [bold], false)).topics[0]?.errorCode === 0,
  )
  t.ok(there, 'made')
  t.match(
    (await metadata(wire, 4, ['../x'], true)).topics,
    [{ errorCode: 17, name: '../x' }],
    'INVALID_TOPIC_EXCEPTION',
  )
})

/** Another Kafka shows what it was asked for a moment later. */
async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (let n = 0; n < 100; n++) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

t.test('every client may write to a topic that is not there yet', async (t) => {
  const holds = async (t: Test, topic: string): Promise<void> => {
    const all = (
      await Promise.all((await partitionsOf(topic)).map((partition) => allBatches(broker, topic, partition)))
    ).flat()
    t.equal(
      all.reduce((sum, { records }) => sum + records, 0),
      3,
      'all three records are there',
    )
  }
  const partitionsOf = async (topic: string): Promise<number[]> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.map(({ partitionId }) => partitionId) ?? []
  }
  const lines = 'a\t1\nb\t2\nc\t3\n'
  await t.test('kcat', { skip: missing('kcat') }, async (t) => {
    const topic = unique('auto-kcat')
    await kcat(broker, ['-P', '-t', topic, '-K', '\t'], { input: lines })
    await holds(t, topic)
  })
  for (const library of ['confluent_kafka', 'kafka'] as const) {
    await t.test(library, { skip: missing(library) }, async (t) => {
      const topic = unique(`auto-${library}`)
      await python('produce', { library, bootstrap: broker, topic, codec: 'none' }, { input: lines })
      await holds(t, topic)
    })
  }
  await t.test('kafkajs', async (t) => {
    const topic = unique('auto-kafkajs')
    const producer = kafkajs(broker).producer({ allowAutoTopicCreation: true })
    await producer.connect()
    await producer.send({ topic, messages: [{ value: '1' }, { value: '2' }, { value: '3' }] })
    await producer.disconnect()
    await holds(t, topic)
  })
  await t.test('@platformatic/kafka', async (t) => {
    const topic = unique('auto-platformatic')
    const producer = new Producer({
      clientId: 'wire-auto',
      bootstrapBrokers: [broker],
      serializers: stringSerializers,
      autocreateTopics: true,
    })
    await producer.send({ messages: ['1', '2', '3'].map((value) => ({ topic, value })) })
    await producer.close()
    await holds(t, topic)
  })
})

const standing = process.env.LOGRAFT_TEST_BOOTSTRAP !== undefined && 'needs a broker with settings of its own'

t.test('with auto.create.topics.enable=false nothing is made', { skip: standing }, async (t) => {
  const strict = await startBroker(t, { 'auto.create.topics.enable': false })
  const wire = await open(t, strict.bootstrap)
  const topic = unique('auto')
  for (let n = 0; n < 2; n++) {
    const answer = await metadata(wire, 4, [topic], true)
    t.match(answer.topics, [{ errorCode: UNKNOWN_TOPIC_OR_PARTITION, name: topic }])
  }
  t.same(
    (await metadata(wire, 1, null)).topics.map(({ name }) => name),
    [],
  )
  t.equal(
    await strict.stop(),
    process.env.LOGRAFT_TEST_COMMAND === undefined ? 0 : 143,
    'SIGTERM ends it well',
  )
})

// ---- Produce

t.test('acks=0 is not answered; its records are there, and a mistake closes the connection', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  wire.send(frame(0, 7, produceBody(topic, 0, single('unanswered'), 0), 21))
  wire.send(frame(18, 0, Buffer.alloc(0), 22))
  t.equal((await wire.receive())?.correlationId, 22, 'the first answer is the one to what came next')
  t.equal((await allBatches(broker, topic, 0)).length, 1)
  wire.send(frame(0, 7, produceBody(unique('nowhere'), 0, single('lost'), 0), 23))
  await wire.closed
  t.pass('closed: how else would the client learn')
})

t.test('Produce answers for each partition', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  t.match(await produce(wire, unique('nowhere'), 0, single('x')), { errorCode: UNKNOWN_TOPIC_OR_PARTITION })
  t.match(await produce(wire, topic, 7, single('x')), { errorCode: UNKNOWN_TOPIC_OR_PARTITION })
  const answer = await wire.ask(0, 7, produceBody(topic, 0, single('x'), 2))
  answer.at += 4 + 2 + topic.length + 4 + 4
  t.equal(answer.int16(), 21, 'INVALID_REQUIRED_ACKS')
  t.same(
    await produce(wire, topic, 0, single('first')),
    { errorCode: 0, baseOffset: 0n },
    'the first offset is 0',
  )
  t.same(await produce(wire, topic, 0, single('second')), { errorCode: 0, baseOffset: 1n })
})

t.test('a batch comes back as it was sent, but for its offset and epoch', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  await produce(wire, topic, 0, single('before'))
  const sentBatch = single('as it was')
  await produce(wire, topic, 0, sentBatch)
  const [, kept] = await allBatches(broker, topic, 0)
  t.equal(kept?.baseOffset, 1n)
  t.ok((kept?.leaderEpoch ?? -1) >= 0, 'with the epoch of the leader')
  t.same(kept?.bytes.subarray(16), sentBatch.subarray(16), 'from the magic byte on')
})

// ---- Fetch

const NO_ID = Buffer.alloc(16)

/** Body of a Fetch of version 7 to 11 with a session. */
function sessionFetch(sessionId: number, epoch: number, topic: string, offset = 0n): Buffer {
  return out()
    .int32(-1)
    .int32(0)
    .int32(0)
    .int32(1 << 20)
    .int8(0)
    .int32(sessionId)
    .int32(epoch)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(0)
    .int64(offset)
    .int64(-1)
    .int32(1 << 20)
    .int32(0)
    .done()
}

t.test('records are never null: not when empty, not beside an error', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  const cases: [what: string, topic: string, partition: number, offset: bigint][] = [
    ['an empty partition', topic, 0, 0n],
    ['an offset out of range', topic, 0, 99n],
    ['a partition that is none', topic, 9, 0n],
    ['a topic that is none', unique('nowhere'), 0, 0n],
  ]
  for (const [what, name, partition, offset] of cases) {
    const { records } = fetched(await wire.ask(1, 4, fetchBody(name, partition, offset, 0, 0)))
    t.same(records, Buffer.alloc(0), `v4: ${what}`)
  }
  const { topicId } = await topicOf(wire, topic)
  for (const [what, id] of [
    ['an empty partition', topicId],
    ['an id that is none', Buffer.from('ab'.repeat(16), 'hex')],
  ] as const) {
    const body = out()
      .int32(0)
      .int32(0)
      .int32(1 << 20)
      .int8(0)
      .int32(0)
      .int32(-1)
    body
      .uvarint(2)
      .raw(id)
      .uvarint(2)
      .int32(0)
      .int32(-1)
      .int64(0)
      .int32(-1)
      .int64(-1)
      .int32(1 << 20)
      .uvarint(0)
      .uvarint(0)
    const answer = await wire.ask(1, 16, body.uvarint(1).compactString('').uvarint(0).done(), 2)
    answer.at += 4 + 2 + 4
    t.equal(answer.uvarint(), 2, 'one topic')
    t.same(answer.take(16), id, 'the id that was asked for')
    t.equal(answer.uvarint(), 2, 'one partition')
    answer.at += 4
    t.equal(answer.int16(), id === topicId ? 0 : 100, 'UNKNOWN_TOPIC_ID for an id that is none')
    answer.at += 8 + 8 + 8
    answer.uvarint()
    answer.int32()
    t.equal(answer.uvarint(), 1, `v16: ${what}: no bytes, and no null`)
  }
})

/** Topic id by Metadata v12. */
async function topicOf(wire: Wire, topic: string): Promise<{ topicId: Buffer; clusterId: string | null }> {
  const body = out().uvarint(2).raw(NO_ID).compactString(topic).uvarint(0).int8(0).int8(0).uvarint(0).done()
  const answer = await wire.ask(3, 12, body, 2)
  answer.int32()
  answer.compactArray(() => {
    answer.int32()
    answer.compactString()
    answer.int32()
    answer.compactString()
    answer.tags()
  })
  const clusterId = answer.compactString()
  answer.int32()
  answer.uvarint()
  answer.int16()
  answer.compactString()
  return { topicId: answer.take(16), clusterId }
}

t.test('topics have ids that stay, and a new one after deletion; the cluster has a name', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  const first = await topicOf(wire, topic)
  t.notSame(first.topicId, NO_ID)
  t.same(await topicOf(wire, topic), first)
  t.type(first.clusterId, 'string')
  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => (await metadata(wire, 4, [topic], false)).topics[0]?.errorCode !== 0)
  await admin.createTopics({ topics: [{ topic }] })
  t.notSame((await topicOf(wire, topic)).topicId, first.topicId)
})

t.test('a fetch session is kept or declined, as the protocol has it', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  await produce(wire, topic, 0, single('one'))
  const asked = await wire.ask(1, 7, sessionFetch(0, 0, topic))
  asked.int32()
  t.equal(asked.int16(), 0)
  const sessionId = asked.int32()
  t.equal(asked.int32(), 1, 'the first answer is a full one')
  if (sessionId === 0) {
    const again = await wire.ask(1, 7, sessionFetch(0, 0, topic))
    again.at += 4 + 2 + 4
    t.equal(again.int32(), 1, 'declined: and so is the next')
  }
  const unknown = await wire.ask(1, 7, sessionFetch(424242, 5, topic))
  unknown.int32()
  t.equal(unknown.int16(), FETCH_SESSION_ID_NOT_FOUND)
  t.equal(unknown.int32(), 0)
  t.equal(unknown.int32(), 0, 'no topics')
})

t.test('a fetch waits for records, not for its time; what came after it waits its turn', async (t) => {
  const topic = await newTopic()
  const [reader, writer] = [await open(t), await open(t)]
  const from = performance.now()
  reader.send(frame(1, 4, fetchBody(topic, 0, 0n, 20_000, 1), 31))
  reader.send(frame(18, 0, Buffer.alloc(0), 32))
  await produce(writer, topic, 0, single('here it is'))
  const first = await reader.receive(15_000)
  t.equal(first?.correlationId, 31, 'in the order of the requests')
  t.ok(performance.now() - from < 10_000, 'at once when there was something')
  t.equal((await reader.receive())?.correlationId, 32)
})

t.test('a fetch in the middle of a batch gets the whole of it', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  const five = Buffer.concat([0, 1, 2, 3, 4].map((n) => record(n, Buffer.from(`v${n}`))))
  await produce(wire, topic, 0, batch(five, { count: 5 }))
  await produce(wire, topic, 0, single('after'))
  const { records } = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 3n)))
  t.same(
    heads(records ?? Buffer.alloc(0)).map(({ baseOffset }) => baseOffset),
    [0n, 5n],
  )
  const beyond = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 7n, 0, 0)))
  t.equal(beyond.errorCode, 1, 'OFFSET_OUT_OF_RANGE above the end')
  const end = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 6n, 0, 0)))
  t.match(end, { errorCode: 0, highWatermark: 6n }, 'the end itself is in range')
})

t.test('the coordinator is where the broker is', async (t) => {
  const wire = await open(t)
  const old = await eventually(async () => {
    const answer = await wire.ask(10, 0, out().string('some-group').done())
    if (answer.int16() !== 0) return false
    answer.int32()
    return `${answer.string()}:${answer.int32()}` === broker
  })
  t.ok(old, 'v0')
  const body = out().int8(0).uvarint(3).compactString('a').compactString('b').uvarint(0).done()
  const answer = await wire.ask(10, 4, body, 2)
  answer.int32()
  const coordinators = answer.compactArray(() => {
    const key = answer.compactString()
    answer.int32()
    const address = `${answer.compactString()}:${answer.int32()}`
    const errorCode = answer.int16()
    answer.compactString()
    answer.tags()
    return { key, address, errorCode }
  })
  t.same(
    coordinators,
    ['a', 'b'].map((key) => ({ key, address: broker, errorCode: 0 })),
    'v4: for each group',
  )
})
