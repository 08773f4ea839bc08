/** What administrators do, with the admin clients of other libraries. */
import { Admin, Consumer } from '@platformatic/kafka'
import library from 'kafkajs'
import t from 'tap'
import { bootstrap } from './broker.ts'
import { kcat, missing, python, unique } from './clients.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(120_000)

const { ConfigResourceTypes } = library
const broker = await bootstrap(t)
const FIRST_MS = 1_700_000_000_000

t.test('python3-confluent-kafka', { skip: missing('confluent_kafka') }, async (t) => {
  const names = { topic: unique('admin'), group: unique('group') }
  const saw = await python<object>('admin', { library: 'confluent_kafka', bootstrap: broker, ...names })
  t.match(saw, {
    dry: null,
    onlyValidated: true,
    created: null,
    again: 'TOPIC_ALREADY_EXISTS',
    badName: 'TOPIC_EXCEPTION',
    badFactor: 'INVALID_REPLICATION_FACTOR',
    badPartitions: 'INVALID_PARTITIONS',
    badConfig: 'INVALID_CONFIG',
    partitions: 3,
    grown: null,
    shrunk: 'INVALID_PARTITIONS',
    partitionsThen: 5,
    retention: '3600000',
    altered: null,
    retentionThen: '7200000',
    segmentThen: '1048576',
    unknownSetting: 'INVALID_CONFIG',
    watermarks: [0, 10],
    byTime: [0, 5],
    afterTheEnd: -1, // librdkafka's OFFSET_END: no record as late as that
    committed: [4, -1001],
    listed: true,
    deleted: null,
    deletedAgain: 'UNKNOWN_TOPIC_OR_PART',
    gone: true,
  })
})

t.test('python3-kafka', { skip: missing('kafka') }, async (t) => {
  const names = { topic: unique('admin'), group: unique('group') }
  const saw = await python<object>('admin', { library: 'kafka', bootstrap: broker, ...names })
  t.match(saw, {
    created: null,
    again: 'TopicAlreadyExistsError',
    badName: 'InvalidTopicError',
    partitions: 3,
    grown: null,
    partitionsThen: 5,
    retention: '3600000',
    retentionThen: '7200000',
    watermarks: [0, 10],
    byTime: [0, 5],
    afterTheEnd: null,
    committed: [[0, 4, 'halfway']],
    listed: true,
    described: [0, 'Empty', 0],
    groupDeleted: ['NoError'],
    groupDeletedAgain: ['GroupIdNotFoundError'],
    deleted: null,
    deletedAgain: 'UnknownTopicOrPartitionError',
    gone: true,
  })
})

t.test('kcat asks for offsets by time and lists what is there', { skip: missing('kcat') }, async (t) => {
  const topic = unique('admin')
  const client = kafkajs(broker)
  const [admin, producer] = [client.admin(), client.producer()]
  t.teardown(() => Promise.all([admin.disconnect(), producer.disconnect()]))
  await Promise.all([admin.connect(), producer.connect()])
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] })
  const messages = [0, 1, 2].map((n) => ({
    partition: 1,
    value: `v${n}`,
    timestamp: String(FIRST_MS + n * 1000),
  }))
  await producer.send({ topic, messages, acks: -1 })
  for (const [time, offset] of [
    [FIRST_MS + 500, 1],
    [-1, 3],
    [-2, 0],
  ]) {
    const { stdout } = await kcat(broker, ['-Q', '-t', `${topic}:1:${time}`])
    t.match(stdout.toString(), `offset ${offset}`, `by ${time}`)
  }
  const listed = JSON.parse((await kcat(broker, ['-L', '-J', '-t', topic])).stdout.toString()) as {
    topics: { topic: string; partitions: { partition: number; leader: number }[] }[]
  }
  t.match(listed.topics, [{ topic, partitions: [{ partition: 0 }, { partition: 1 }] }])
  t.ok(
    listed.topics[0]?.partitions.every(({ leader }) => leader > 0),
    'every partition has its leader',
  )
})

t.test('kafkajs', async (t) => {
  const [topic, group] = [unique('admin'), unique('group')]
  const client = kafkajs(broker)
  const [admin, producer] = [client.admin(), client.producer()]
  t.teardown(() => Promise.all([admin.disconnect(), producer.disconnect()]))
  await Promise.all([admin.connect(), producer.connect()])

  const configEntries = [{ name: 'retention.ms', value: '3600000' }]
  t.equal(
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: true }),
    true,
  )
  t.equal(await admin.createTopics({ topics: [{ topic }] }), false, 'a topic that exists')
  await t.rejects(admin.createTopics({ topics: [{ topic: '..' }] }), 'a name that is none')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  t.equal(topics[0]?.partitions.length, 3)

  const configs = async (): Promise<Record<string, string>> => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }]
    const described = await admin.describeConfigs({ resources, includeSynonyms: false })
    return Object.fromEntries(
      described.resources[0]?.configEntries.map((c) => [c.configName, c.configValue]) ?? [],
    )
  }
  t.match(await configs(), {
    'retention.ms': '3600000',
    'cleanup.policy': 'delete',
    'compression.type': 'producer',
  })
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [{ name: 'retention.bytes', value: '1000000' }],
      },
    ],
  })
  const altered = await configs()
  t.equal(altered['retention.bytes'], '1000000')
  t.not(
    altered['retention.ms'],
    '3600000',
    'AlterConfigs replaces all: what it does not name is the default again',
  )

  const messages = Array.from({ length: 10 }, (_, n) => ({
    partition: 0,
    value: `v${n}`,
    timestamp: String(FIRST_MS + n * 1000),
  }))
  await producer.send({ topic, messages, acks: -1 })
  const offsets = await admin.fetchTopicOffsets(topic)
  t.match(
    offsets.find(({ partition }) => partition === 0),
    { low: '0', high: '10' },
  )
  const byTime = async (time: number): Promise<string | undefined> =>
    (await admin.fetchTopicOffsetsByTimestamp(topic, time)).find(({ partition }) => partition === 0)?.offset
  t.equal(await byTime(FIRST_MS + 4500), '5')
  t.equal(await byTime(FIRST_MS + 60_000), '10', 'after the last record: the end')

  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  t.match(
    (await admin.fetchTopicOffsets(topic)).find(({ partition }) => partition === 0),
    { low: '4', high: '10' },
  )
  t.equal(await byTime(FIRST_MS), '4', 'what is deleted is not found by time')

  const consumer = client.consumer({ groupId: group, sessionTimeout: 10_000, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const first = await new Promise<string>((resolve, reject) => {
    consumer.run({ eachMessage: async ({ message }) => resolve(message.offset) }).catch(reject)
  })
  t.equal(first, '4', 'a consumer from the beginning starts where the log starts')
  t.match(await admin.describeGroups([group]), {
    groups: [{ groupId: group, state: 'Stable', protocolType: 'consumer', protocol: 'RoundRobinAssigner' }],
  })
  await t.rejects(admin.deleteGroups([group]), 'a group with members stays')
  await consumer.stop()
  await consumer.disconnect()
  t.match(await admin.describeGroups([group]), { groups: [{ groupId: group, state: 'Empty', members: [] }] })
  t.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === group))
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '7' }] })
  const fetched = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  t.match(
    fetched[0]?.partitions.find(({ partition }) => partition === 0),
    { offset: '7' },
  )
  await admin.resetOffsets({ groupId: group, topic, earliest: true })
  t.match(await admin.deleteGroups([group]), [{ groupId: group, errorCode: 0 }])
  t.notOk((await admin.listGroups()).groups.some(({ groupId }) => groupId === group))

  const cluster = await admin.describeCluster()
  t.equal(cluster.brokers.length, 1)
  t.equal(cluster.controller, cluster.brokers[0]?.nodeId)
  await admin.deleteTopics({ topics: [topic] })
  t.notOk((await admin.listTopics()).includes(topic))
})

t.test('@platformatic/kafka', async (t) => {
  const [topic, group] = [unique('admin'), unique('group')]
  const admin = new Admin({ clientId: 'wire-admin', bootstrapBrokers: [broker], retries: 3 })
  t.teardown(() => admin.close())
  const created = await admin.createTopics({
    topics: [topic],
    partitions: 2,
    replicas: 1,
    configs: [{ name: 'retention.ms', value: '3600000' }],
  })
  t.match(created, [{ name: topic, partitions: 2, replicas: 1 }])
  t.match(created[0]?.id, /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, 'with an id')
  t.ok((await admin.listTopics()).includes(topic))
  await t.rejects(admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 }), 'a topic that exists')

  const consumer = new Consumer({ clientId: 'wire-member', groupId: group, bootstrapBrokers: [broker] })
  consumer.topics.trackAll(topic)
  await consumer.joinGroup({ sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 500 })
  const groups = await admin.describeGroups({ groups: [group] })
  t.match(groups.get(group), { id: group, state: 'STABLE' })
  t.equal(groups.get(group)?.members.size, 1)
  await consumer.leaveGroup()
  await consumer.close()
  t.ok((await admin.listGroups()).has(group))
  await admin.deleteGroups({ groups: [group] })
  t.notOk((await admin.listGroups()).has(group))

  const logDirs = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0, 1] }] })
  const partitions = logDirs.flatMap((dir) =>
    dir.results.flatMap((result) => result.topics.flatMap((at) => at.partitions)),
  )
  t.same(
    partitions.map(({ partitionIndex }) => partitionIndex).sort(),
    [0, 1],
    'the folder says what it holds',
  )
  await admin.deleteTopics({ topics: [topic] })
  await t.rejects(admin.deleteTopics({ topics: [topic] }), 'a topic that is gone')
})
