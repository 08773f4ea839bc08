/** Admin requests, good and bad: the error codes are those that Apache Kafka 4.3.1 answers, unless a comment says why not. */
import t from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { AlterConfigs } from '../../src/protocol/apis/alter-configs.ts'
import { CreatePartitions } from '../../src/protocol/apis/create-partitions.ts'
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../src/protocol/apis/delete-topics.ts'
import { DescribeCluster } from '../../src/protocol/apis/describe-cluster.ts'
import { DescribeConfigs } from '../../src/protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { type RequestInput, zeroUuid } from '../../src/protocol/notation.ts'
import { Node } from '../broker/node.ts'

const node = await Node.start(t)
const base = await node.createTopic('base', 2, { 'retention.ms': '5000' })
const unknownId = '11111111-2222-4333-8444-555555555555'

/** 'name: ERROR'; an error goes with a sentence. */
function said(name: string | null, row: { errorCode: number; errorMessage?: string | null }): string {
  const error = errorName(row.errorCode)
  const isSilent = error !== 'NONE' && 'errorMessage' in row && !/\w .*\w/.test(row.errorMessage ?? '')
  return `${name}: ${error}${isSilent ? ' without a sentence' : ''}`
}

t.test('CreateTopics', async (t) => {
  type Asked = RequestInput<typeof CreateTopics>['topics'][number]
  const topic = (name: string, rest: Partial<Asked> = {}): Asked => ({
    name,
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
    ...rest,
  })
  const placed = (...assignments: [partitionIndex: number, brokerIds: number[]][]) => ({
    numPartitions: -1,
    replicationFactor: -1,
    assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  })
  const configured = (...configs: [name: string, value: string | null][]) => ({
    configs: configs.map(([name, value]) => ({ name, value })),
  })
  const cases: [Asked[], string[]][] = [
    [[topic('base')], ['base: TOPIC_ALREADY_EXISTS']],
    [
      [topic('twice'), topic('one'), topic('twice')],
      ['twice: INVALID_REQUEST', 'one: NONE'],
    ],
    [[topic('a', { ...placed([0, [1]]), numPartitions: 1 })], ['a: INVALID_REQUEST']],
    [[topic('a', placed([0, [1]]))], ['a: NONE']],
    [[topic('a', placed([1, [1]]))], ['a: INVALID_REPLICA_ASSIGNMENT']],
    [[topic('a', placed([0, [1]], [0, [1]]))], ['a: INVALID_REPLICA_ASSIGNMENT']],
    [[topic('a', placed([0, [9]]))], ['a: INVALID_REPLICA_ASSIGNMENT']],
    [[topic('a', configured(['retention.ms', null]))], ['a: INVALID_CONFIG']],
    [[topic('a', configured(['retention.ms', '1'], ['retention.ms', '2']))], ['a: NONE']],
    [[topic('a', configured(['no.such', '1']))], ['a: INVALID_CONFIG']],
    [[topic('a', configured(['retention.ms', 'x']))], ['a: INVALID_CONFIG']],
    [[topic('a', { numPartitions: 0 })], ['a: INVALID_PARTITIONS']],
    [[topic('a', { numPartitions: -2 })], ['a: INVALID_PARTITIONS']],
    [[topic('a', { replicationFactor: 0 })], ['a: INVALID_REPLICATION_FACTOR']],
    [[topic('a', { replicationFactor: 3 })], ['a: INVALID_REPLICATION_FACTOR']],
    [[topic('a', { numPartitions: -1, replicationFactor: -1 })], ['a: NONE']],
    [
      [topic(''), topic('a b'), topic('..')],
      [': INVALID_TOPIC_EXCEPTION', 'a b: INVALID_TOPIC_EXCEPTION', '..: INVALID_TOPIC_EXCEPTION'],
    ],
  ]
  for (const [topics, wanted] of cases) {
    const answer = await node.ask(CreateTopics, { topics, timeoutMs: 1000, validateOnly: true })
    t.strictSame(
      answer.topics.map((row) => said(row.name, row)),
      wanted,
    )
    for (const { errorCode, configs, topicId, numPartitions, topicConfigErrorCode } of answer.topics) {
      t.equal(topicConfigErrorCode, 0)
      t.equal(topicId, zeroUuid, 'nothing was made')
      if (errorCode !== 0) t.strictSame([configs, numPartitions], [[], -1])
      else t.ok((configs ?? []).some(({ name, value }) => name === 'cleanup.policy' && value === 'delete'))
    }
  }
  t.strictSame(await node.topicNames(), ['base'])
})

t.test('CreatePartitions', async (t) => {
  type Asked = RequestInput<typeof CreatePartitions>['topics'][number]
  const to = (name: string, count: number, brokers: number[] | null = null): Asked => ({
    name,
    count,
    assignments: brokers?.map((broker) => ({ brokerIds: [broker] })) ?? null,
  })
  const cases: [Asked[], string[]][] = [
    [[to('base', 3)], ['base: NONE']],
    [[to('base', 2)], ['base: INVALID_PARTITIONS']],
    [[to('base', 1)], ['base: INVALID_PARTITIONS']],
    [[to('nix', 3)], ['nix: UNKNOWN_TOPIC_OR_PARTITION']],
    [[to('base', 3), to('base', 4)], ['base: INVALID_REQUEST']],
    [[to('base', 3, [1])], ['base: NONE']],
    [[to('base', 3, [9])], ['base: INVALID_REPLICA_ASSIGNMENT']],
    [[to('base', 4, [1])], ['base: INVALID_REPLICA_ASSIGNMENT']],
    [[to('base', 3, [])], ['base: INVALID_REPLICA_ASSIGNMENT']],
  ]
  for (const [topics, wanted] of cases) {
    const answer = await node.ask(CreatePartitions, { topics, timeoutMs: 1000, validateOnly: true })
    t.strictSame(
      answer.results.map((row) => said(row.name, row)),
      wanted,
    )
  }
  t.equal((await node.metadata(['base'])).topics[0]?.partitions.length, 2)
})

t.test('DeleteTopics', async (t) => {
  const cases: [[name: string | null, topicId: string][], string[]][] = [
    [
      [
        ['nix', zeroUuid],
        [null, unknownId],
      ],
      ['nix: UNKNOWN_TOPIC_OR_PARTITION', 'null: UNKNOWN_TOPIC_ID'],
    ],
    [[['base', base]], ['base: INVALID_REQUEST']],
    [[[null, zeroUuid]], ['null: INVALID_REQUEST']],
    [[['..', zeroUuid]], ['..: UNKNOWN_TOPIC_OR_PARTITION']],
    [
      [
        ['nix', zeroUuid],
        ['nix', zeroUuid],
      ],
      ['nix: INVALID_REQUEST'],
    ],
    [
      [
        [null, base],
        [null, base],
      ],
      ['null: INVALID_REQUEST'],
    ],
    [
      [
        ['base', zeroUuid],
        [null, base],
      ],
      ['base: INVALID_REQUEST'],
    ],
  ]
  for (const [asked, wanted] of cases) {
    const topics = asked.map(([name, topicId]) => ({ name, topicId }))
    const answer = await node.ask(DeleteTopics, { topics, topicNames: [], timeoutMs: 1000 })
    t.strictSame(
      answer.responses.map((row) => said(row.name, row)),
      wanted,
    )
  }
  const old = await node.ask(DeleteTopics, { topicNames: ['nix', 'nix'], topics: [], timeoutMs: 1000 }, 5)
  t.strictSame(
    old.responses.map((row) => said(row.name, row)),
    ['nix: INVALID_REQUEST'],
  )
  t.strictSame(await node.topicNames(), ['base'])
  const id = await node.createTopic('brief')
  const gone = await node.ask(DeleteTopics, {
    topics: [{ name: null, topicId: id }],
    topicNames: [],
    timeoutMs: 1000,
  })
  t.match(gone.responses, [{ name: 'brief', topicId: id, errorCode: 0 }])
  // Two who delete the same thing at once: one does, the other hears that there is nothing.
  await node.createTopic('brief')
  const [one, other] = [await node.connect(), await node.connect()]
  const request = { topics: [{ name: 'brief', topicId: zeroUuid }], topicNames: [], timeoutMs: 1000 }
  const both = await Promise.all([one.ask(DeleteTopics, request), other.ask(DeleteTopics, request)])
  t.strictSame(both.map(({ responses }) => errorName(responses[0]?.errorCode ?? -1)).sort(), [
    'NONE',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])
})

t.test('DeleteTopics where it is not allowed', async (t) => {
  const careful = await Node.start(t, { settings: { 'delete.topic.enable': false } })
  await careful.createTopic('orders')
  t.equal(await careful.deleteTopic('orders'), 'TOPIC_DELETION_DISABLED')
  t.strictSame(await careful.topicNames(), ['orders'])
})

const topicType = 2
const brokerType = 4

t.test('DescribeConfigs', async (t) => {
  const cases: [resourceType: number, name: string, keys: string[] | null, error: string, configs: number][] =
    [
      [topicType, 'nix', null, 'UNKNOWN_TOPIC_OR_PARTITION', 0],
      [topicType, '..', null, 'INVALID_TOPIC_EXCEPTION', 0],
      [topicType, 'base', null, 'NONE', 15],
      [topicType, 'base', [], 'NONE', 15],
      [topicType, 'base', ['no.such', 'retention.ms'], 'NONE', 1],
      [brokerType, '1', ['log.retention.ms', 'num.partitions'], 'NONE', 2],
      [brokerType, '', null, 'NONE', 0],
      [brokerType, '9', null, 'INVALID_REQUEST', 0],
      [brokerType, 'x', null, 'INVALID_REQUEST', 0],
      [1, 'x', null, 'INVALID_REQUEST', 0],
      // Kafka also describes loggers (8) and groups (32): there are none with settings here.
      [8, '1', null, 'INVALID_REQUEST', 0],
    ]
  for (const [resourceType, resourceName, configurationKeys, error, count] of cases) {
    const { results } = await node.ask(DescribeConfigs, {
      resources: [{ resourceType, resourceName, configurationKeys }],
      includeSynonyms: true,
      includeDocumentation: true,
    })
    const [row] = results
    t.equal(row === undefined ? '' : said(resourceName, row), `${resourceName}: ${error}`)
    t.equal(row?.configs.length, count, `${resourceName} ${configurationKeys}`)
    for (const { documentation, synonyms } of row?.configs ?? []) {
      t.match(documentation, /\w+ \w+/)
      t.ok(synonyms.length > 0)
    }
  }
  const { results } = await node.ask(DescribeConfigs, {
    resources: [{ resourceType: topicType, resourceName: 'base', configurationKeys: ['retention.ms'] }],
    includeSynonyms: true,
    includeDocumentation: false,
  })
  t.match(results[0]?.configs, [
    {
      name: 'retention.ms',
      value: '5000',
      configSource: 1,
      readOnly: false,
      configType: 5,
      documentation: null,
      synonyms: [
        { name: 'retention.ms', value: '5000', source: 1 },
        { name: 'log.retention.ms', value: '604800000', source: 5 },
      ],
    },
  ])
})

interface Config {
  name: string
  value: string | null
  configOperation: number
}
const set = (name: string, value: string | null): Config => ({ name, value, configOperation: 0 })
const op = (configOperation: number, name: string, value: string | null): Config => ({
  name,
  value,
  configOperation,
})

t.test('AlterConfigs and IncrementalAlterConfigs', async (t) => {
  const both: [resourceType: number, name: string, configs: Config[], error: string][] = [
    [topicType, 'base', [set('retention.ms', '7')], 'NONE'],
    [topicType, 'base', [], 'NONE'],
    [topicType, 'nix', [set('retention.ms', '7')], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [topicType, '..', [set('retention.ms', '7')], 'INVALID_TOPIC_EXCEPTION'],
    [topicType, 'base', [set('no.such', '7')], 'INVALID_CONFIG'],
    [topicType, 'base', [set('retention.ms', 'x')], 'INVALID_CONFIG'],
    [topicType, 'base', [set('retention.ms', null)], 'INVALID_REQUEST'],
    [topicType, 'base', [set('retention.ms', '1'), set('retention.ms', '2')], 'INVALID_REQUEST'],
    [brokerType, '1', [set('log.retention.ms', '100000')], 'NONE'],
    [brokerType, '', [set('log.retention.ms', '100000')], 'NONE'],
    [brokerType, '9', [set('log.retention.ms', '1')], 'INVALID_REQUEST'],
    [brokerType, 'x', [set('log.retention.ms', '1')], 'INVALID_REQUEST'],
    [brokerType, '1', [set('num.partitions', '3')], 'INVALID_REQUEST'],
    // Kafka takes what no broker knows, for plugins; a slip of the finger should not pass.
    [brokerType, '1', [set('no.such', '3')], 'INVALID_CONFIG'],
    [1, '1', [set('no.such', '3')], 'INVALID_REQUEST'],
    [77, '1', [set('no.such', '3')], 'INVALID_REQUEST'],
  ]
  const incremental: typeof both = [
    [topicType, 'base', [op(2, 'retention.ms', '5')], 'INVALID_CONFIG'],
    [topicType, 'base', [op(2, 'cleanup.policy', 'delete')], 'NONE'],
    // Kafka takes an empty policy: records are kept for ever then. Not served here, and so not taken.
    [topicType, 'base', [op(3, 'cleanup.policy', 'delete')], 'INVALID_CONFIG'],
    [topicType, 'base', [op(1, 'segment.ms', null)], 'NONE'],
    [topicType, 'base', [op(1, 'no.such', null)], 'NONE'],
    [brokerType, '1', [op(1, 'leader.replication.throttled.rate', null)], 'NONE'],
    [brokerType, '1', [op(1, 'num.partitions', null)], 'INVALID_REQUEST'],
    // Kafka answers UNKNOWN_SERVER_ERROR.
    [topicType, 'base', [op(9, 'retention.ms', '5')], 'INVALID_REQUEST'],
  ]
  for (const api of [AlterConfigs, IncrementalAlterConfigs]) {
    for (const [resourceType, resourceName, configs, error] of api === AlterConfigs
      ? both
      : [...both, ...incremental]) {
      const resources = [{ resourceType, resourceName, configs }]
      const { responses } = await node.ask(api, { resources, validateOnly: true })
      const what = `${api.name} ${resourceType}/${resourceName} ${JSON.stringify(configs)}`
      t.equal(responses[0] === undefined ? '' : said('', responses[0]), `: ${error}`, what)
    }
    const resource = { resourceType: topicType, resourceName: 'base', configs: [set('retention.ms', '1')] }
    const { responses } = await node.ask(api, { resources: [resource, resource], validateOnly: true })
    t.strictSame(
      responses.map((row) => said(row.resourceName, row)),
      ['base: INVALID_REQUEST', 'base: INVALID_REQUEST'],
      'no resource twice',
    )
  }
  const { results } = await node.ask(DescribeConfigs, {
    resources: [{ resourceType: topicType, resourceName: 'base', configurationKeys: ['retention.ms'] }],
    includeSynonyms: false,
    includeDocumentation: false,
  })
  t.match(results[0]?.configs, [{ value: '5000' }], 'all of it was a dry run')
})

t.test('Metadata', async (t) => {
  const ask = async (asked: [name: string | null, topicId: string][] | null, version = 12) => {
    const answer = await node.ask(
      Metadata,
      {
        topics: asked?.map(([name, topicId]) => ({ name, topicId })) ?? null,
        allowAutoTopicCreation: version < 4,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      },
      version,
    )
    return answer.topics.map((row) => `${said(row.name, row)} ${row.partitions.length}`)
  }
  t.strictSame(await ask(null), ['base: NONE 2'])
  t.strictSame(await ask([]), [])
  t.strictSame(await ask([], 0), ['base: NONE 2'], 'all, in the words of version 0')
  t.strictSame(
    await ask([
      ['base', zeroUuid],
      ['base', zeroUuid],
    ]),
    ['base: NONE 2'],
    'once',
  )
  t.strictSame(await ask([[null, base]]), ['base: NONE 2'])
  t.strictSame(await ask([['base', unknownId]]), ['null: UNKNOWN_TOPIC_ID 0'], 'the id counts')
  t.strictSame(
    await ask([
      ['nix', zeroUuid],
      ['..', zeroUuid],
      ['', zeroUuid],
    ]),
    ['nix: UNKNOWN_TOPIC_OR_PARTITION 0', '..: INVALID_TOPIC_EXCEPTION 0', ': INVALID_TOPIC_EXCEPTION 0'],
  )
  t.strictSame(await node.topicNames(), ['base'])
  const { topics } = await node.metadata(['made'], true)
  t.match(topics, [
    { name: 'made', errorCode: 0, partitions: [{ leaderId: 1, isrNodes: [1], offlineReplicas: [] }] },
  ])
  t.match((await node.metadata(['..'], true)).topics, [{ errorCode: 17, partitions: [] }])
  t.match((await node.metadata(['__consumer_offsets'], true)).topics, [{ errorCode: 3, isInternal: true }])
})

t.test('DescribeCluster', async (t) => {
  const ask = (endpointType: number) =>
    node.ask(DescribeCluster, { includeClusterAuthorizedOperations: true, endpointType })
  const { clusterId } = node.broker
  t.match(await ask(1), { errorCode: 0, clusterId, controllerId: 1, brokers: [{ brokerId: 1, port: 9092 }] })
  t.equal(said('', await ask(2)), ': MISMATCHED_ENDPOINT_TYPE')
  t.equal(said('', await ask(3)), ': UNSUPPORTED_ENDPOINT_TYPE')
})
