/** What clients count on before they get anywhere: the handshake, metadata, topics made on demand. */
import { Producer, stringSerializers } from '@platformatic/kafka'
import t, { type Test } from 'tap'
import { apiVersions, askApiVersions, eventually, metadata, NO_ID, software, topicOf } from './answers.ts'
import { allBatches } from './batches.ts'
import { bootstrap, startBroker } from './broker.ts'
import { kcat, missing, python, unique } from './clients.ts'
import { frame, out, Wire } from './raw.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(120_000)

const UNKNOWN_TOPIC_OR_PARTITION = 3
const UNSUPPORTED_VERSION = 35
const INVALID_REQUEST = 42

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
