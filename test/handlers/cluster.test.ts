/**
 * What several brokers need: leaders elsewhere, reassignments, elections, the controllers' quorum. The error codes are those that
 * Apache Kafka 4.3.1 answers, unless a comment says why not.
 */
import t from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { Refused } from '../../src/base/errors.ts'
import { AlterPartitionReassignments } from '../../src/protocol/apis/alter-partition-reassignments.ts'
import { DescribeCluster } from '../../src/protocol/apis/describe-cluster.ts'
import { DescribeQuorum } from '../../src/protocol/apis/describe-quorum.ts'
import { DescribeTopicPartitions } from '../../src/protocol/apis/describe-topic-partitions.ts'
import { ElectLeaders } from '../../src/protocol/apis/elect-leaders.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { ListPartitionReassignments } from '../../src/protocol/apis/list-partition-reassignments.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { UnregisterBroker } from '../../src/protocol/apis/unregister-broker.ts'
import { zeroUuid } from '../../src/protocol/notation.ts'
import { diskOf, idOf, startCluster } from './cluster-fixture.ts'
import { batchOf } from './fixture.ts'

type Cluster = ReturnType<typeof startCluster>

t.test('Metadata and DescribeTopicPartitions: leaders, here and elsewhere', async (t) => {
  const cluster = startCluster({ a: '1,2 2,3 3,1 3,4' })
  const { cases, leaders } = cluster
  // 3 led it and is down; its replica here knows of an election, first of the candidate, then of the winner.
  leaders.heard(idOf('a'), 2, { leaderId: 3, epoch: 5, isr: [3, 1] })
  leaders.heard(idOf('a'), 3, { leaderId: 3, epoch: 5, isr: [3] })
  const described = async () => {
    const fields = { includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false }
    const asked = { topics: [{ name: 'a', topicId: zeroUuid }], allowAutoTopicCreation: false, ...fields }
    const [row] = (await cluster.ask(Metadata, asked)).topics
    const page = { topics: [{ name: 'a' }], responsePartitionLimit: 100, cursor: null }
    const [same] = (await cluster.ask(DescribeTopicPartitions, page)).topics
    t.strictSame(
      same?.partitions.map(({ eligibleLeaderReplicas, lastKnownElr, ...rest }) => rest),
      row?.partitions,
      'both say the same',
    )
    return row?.partitions.map((p) => [
      errorName(p.errorCode),
      ...[p.leaderId, p.leaderEpoch, p.isrNodes.join(), p.offlineReplicas.join()],
    ])
  }
  t.strictSame(await described(), [
    ['NONE', 1, 5, '1,2', ''],
    ['NONE', 2, 5, '2', '3'],
    ['LEADER_NOT_AVAILABLE', -1, 5, '', '3'],
    ['LEADER_NOT_AVAILABLE', -1, 5, '', '3'],
  ])
  cases.replicas.set(`${idOf('a')}-2`, { epoch: 6, leaderId: -1 })
  t.strictSame((await described())?.[2], ['LEADER_NOT_AVAILABLE', -1, 6, '', '3'], 'an election')
  cases.replicas.set(`${idOf('a')}-2`, { epoch: 6, leaderId: 1 })
  t.strictSame((await described())?.[2], ['NONE', 1, 6, '1', '3'], 'it is won')
  leaders.heard(idOf('a'), 2, { leaderId: 1, epoch: 6, isr: [1, 4] })
  t.strictSame((await described())?.[2], ['NONE', 1, 6, '1', '3'], 'who has left is not in sync')
  cases.faults.add(`${idOf('a')}-0`)
  t.strictSame((await described())?.[0], ['LEADER_NOT_AVAILABLE', -1, 5, '', '1'], 'the disk here has failed')
  leaders.heard(idOf('a'), 0, { leaderId: 2, epoch: 6, isr: [2] })
  t.strictSame((await described())?.[0], ['NONE', 2, 6, '2', '1'])
})

t.test('brokers that cannot be reached are not named, nor a controller that is one', async (t) => {
  const cluster = startCluster({})
  const named = async () => {
    const fields = { includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false }
    const metadata = await cluster.ask(Metadata, { topics: [], allowAutoTopicCreation: false, ...fields })
    const described = await cluster.ask(DescribeCluster, { includeClusterAuthorizedOperations: false })
    t.strictSame(
      described.brokers.map(({ brokerId }) => brokerId),
      metadata.brokers.map(({ nodeId }) => nodeId),
    )
    t.equal(described.controllerId, metadata.controllerId)
    return [
      metadata.controllerId,
      ...metadata.brokers.map(({ nodeId, host, rack }) => `${nodeId} ${host} ${rack}`),
    ]
  }
  t.strictSame(await named(), [2, '1 1.example rack 1', '2 2.example rack 2', '4 4.example rack 4'])
  cluster.down.add(2)
  t.strictSame(await named(), [-1, '1 1.example rack 1', '4 4.example rack 4'])
})

t.test('who comes to the wrong broker is told the right one', async (t) => {
  const cluster = startCluster({ a: '2,4 3,4' })
  cluster.leaders.heard(idOf('a'), 1, { leaderId: 3, epoch: 6, isr: [3, 4] })
  const fetched = await cluster.ask(
    Fetch,
    {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [
        {
          topicId: idOf('a'),
          partitions: [0, 1].map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 100 })),
        },
      ],
    } as never,
    16,
  )
  const produced = await cluster.ask(
    Produce,
    {
      acks: -1,
      timeoutMs: 5,
      topicData: [
        { name: 'a', partitionData: [0, 1].map((index) => ({ index, records: [batchOf(['x'])] })) },
      ],
    } as never,
    10,
  )
  const rows = [fetched.responses[0]?.partitions, produced.responses[0]?.partitionResponses] as const
  for (const [first, second] of rows.map((list) => list ?? [])) {
    t.match(first, { errorCode: 6, currentLeader: { leaderId: 2, leaderEpoch: 5 } })
    t.match(
      second,
      { errorCode: 6, currentLeader: { leaderId: -1, leaderEpoch: -1 } },
      'nobody known leads it',
    )
  }
  for (const { nodeEndpoints } of [fetched, produced]) {
    t.strictSame(nodeEndpoints, [{ nodeId: 2, host: '2.example', port: 9092, rack: 'rack 2' }])
  }
})

/** 'a-0: ERROR', one line for each partition; an error goes with a sentence, success with null. */
async function alter(cluster: Cluster, asked: [string, number, number[] | null][], rest: object = {}) {
  const topics = [...new Set(asked.map(([name]) => name))].map((name) => ({
    name,
    partitions: asked
      .filter(([topic]) => topic === name)
      .map(([, partitionIndex, replicas]) => ({ partitionIndex, replicas })),
  }))
  const answer = await cluster.ask(AlterPartitionReassignments, { timeoutMs: 100, topics, ...rest })
  if (answer.errorCode !== 0 || answer.errorMessage !== null) throw new Error('errors belong to partitions')
  return answer.responses.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, errorMessage }) => {
      const error = errorName(errorCode)
      const isRight = error === 'NONE' ? errorMessage === null : /\w .*\w/.test(errorMessage ?? '')
      return `${name}-${partitionIndex}: ${error}${isRight ? '' : ' with a strange sentence'}`
    }),
  )
}

async function underWay(
  cluster: Cluster,
  topics: { name: string; partitionIndexes: number[] }[] | null = null,
) {
  const answer = await cluster.ask(ListPartitionReassignments, { timeoutMs: 100, topics })
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map((p) => [`${name}-${p.partitionIndex}`, p.replicas, p.addingReplicas, p.removingReplicas]),
  )
}

t.test('AlterPartitionReassignments and ListPartitionReassignments', async (t) => {
  const cluster = startCluster({ a: '1,2 2,1 3,1', b: '1,2,3' })
  const cases: [asked: [string, number, number[] | null], error: string][] = [
    [['nix', 0, [1]], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [['nix', 0, null], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [['a', 9, [1]], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [['a', -1, null], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [['a', 0, []], 'INVALID_REPLICA_ASSIGNMENT'],
    [['a', 0, [1, 1]], 'INVALID_REPLICA_ASSIGNMENT'],
    [['a', 0, [1, 9]], 'INVALID_REPLICA_ASSIGNMENT'],
    [['a', 0, [-1]], 'INVALID_REPLICA_ASSIGNMENT'],
    [['a', 0, null], 'NO_REASSIGNMENT_IN_PROGRESS'],
    [['a', 0, [1, 2]], 'NONE'],
  ]
  for (const [asked, error] of cases) {
    t.strictSame(await alter(cluster, [asked]), [`${asked[0]}-${asked[1]}: ${error}`])
  }
  t.strictSame(await alter(cluster, []), [])
  t.strictSame(
    await alter(
      cluster,
      [
        ['a', 0, [1, 2, 4]],
        ['a', 1, [1, 4]],
        ['a', 2, null],
      ],
      { allowReplicationFactorChange: false },
    ),
    ['a-0: INVALID_REPLICATION_FACTOR', 'a-1: NONE', 'a-2: NO_REASSIGNMENT_IN_PROGRESS'],
    'each partition has an answer of its own',
  )
  // Kafka does one after the other; which would be the last is not for the broker to guess.
  t.strictSame(
    await alter(cluster, [
      ['b', 0, [1]],
      ['b', 0, [2]],
    ]),
    ['b-0: INVALID_REQUEST'],
  )
  t.strictSame(await underWay(cluster), [['a-1', [1, 4, 2], [4], [2]]])

  t.strictSame(await alter(cluster, [['a', 2, [1, 3]]]), ['a-2: NONE'], 'another order')
  t.strictSame(cluster.image.topics.byName('a')?.placements[2], [1, 3], 'is no move')
  t.strictSame(
    await alter(cluster, [
      ['a', 2, [4, 3]],
      ['b', 0, [2]],
    ]),
    ['a-2: NONE', 'b-0: NONE'],
  )
  t.strictSame(await underWay(cluster), [
    ['a-1', [1, 4, 2], [4], [2]],
    ['a-2', [4, 3, 1], [4], [1]],
    ['b-0', [2, 1, 3], [], [1, 3]],
  ])
  t.strictSame(
    await underWay(cluster, [
      { name: 'a', partitionIndexes: [0, 2, 77] },
      { name: 'nix', partitionIndexes: [0] },
    ]),
    [['a-2', [4, 3, 1], [4], [1]]],
  )
  t.strictSame(await underWay(cluster, []), [])

  t.strictSame(await alter(cluster, [['a', 2, null]]), ['a-2: NONE'])
  t.strictSame(
    await underWay(cluster, [{ name: 'a', partitionIndexes: [2] }]),
    [['a-2', [1, 3, 4], [], [4]]],
    'called back: the voters may have changed already, so this, too, takes its time',
  )
})

t.test('ElectLeaders', async (t) => {
  const cluster = startCluster({ a: '1,2 2,1 3,1 3,4', b: '1' })
  const { leaders, transfers, cases } = cluster
  leaders.heard(idOf('a'), 1, { leaderId: 1, epoch: 6, isr: [1, 2] })
  leaders.heard(idOf('a'), 3, { leaderId: 3, epoch: 6, isr: [3] })
  const elect = async (electionType: number, asked: [string, number[]][] | null, version = 2) => {
    const topicPartitions = asked?.map(([topic, partitions]) => ({ topic, partitions })) ?? null
    const request = { topicPartitions, timeoutMs: 90_000, ...(version >= 1 && { electionType }) }
    const answer = await cluster.ask(ElectLeaders, request, version)
    return [
      errorName(answer.errorCode),
      ...answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map(({ partitionId, errorCode, errorMessage }) => {
          const isRight = errorCode === 0 ? errorMessage === null : /\w .*\w/.test(errorMessage ?? '')
          return `${topic}-${partitionId}: ${errorName(errorCode)}${isRight ? '' : ' with a strange sentence'}`
        }),
      ),
    ]
  }
  const all: [string, number[]][] = [
    ['a', [0, 1, 9]],
    ['nix', [0]],
  ]
  for (const version of [0, 1, 2]) {
    t.strictSame(await elect(0, all, version), [
      'NONE',
      'a-0: ELECTION_NOT_NEEDED',
      'a-1: NONE',
      'a-9: UNKNOWN_TOPIC_OR_PARTITION',
      'nix-0: UNKNOWN_TOPIC_OR_PARTITION',
    ])
    t.strictSame(transfers.splice(0), ['a-1 to 2 in 5000'])
  }
  cases.transferFails = new Refused('ELIGIBLE_LEADERS_NOT_AVAILABLE', 'replica 3 does not keep up')
  t.strictSame(await elect(0, [['a', [2]]]), ['NONE', 'a-2: PREFERRED_LEADER_NOT_AVAILABLE'])
  t.strictSame(
    await elect(0, null),
    [
      'NONE',
      'a-1: PREFERRED_LEADER_NOT_AVAILABLE',
      'a-2: PREFERRED_LEADER_NOT_AVAILABLE',
      'a-3: PREFERRED_LEADER_NOT_AVAILABLE',
    ],
    'of all, those where something would have happened',
  )
  cases.transferFails = new Refused('REQUEST_TIMED_OUT', 'it may yet happen')
  t.strictSame(await elect(0, [['a', [1]]]), ['NONE', 'a-1: REQUEST_TIMED_OUT'])
  t.strictSame(transfers, [])

  t.strictSame(await elect(1, [['a', [0, 3]]]), [
    'NONE',
    'a-0: ELECTION_NOT_NEEDED',
    // Kafka would let a replica lead that lacks records.
    'a-3: ELIGIBLE_LEADERS_NOT_AVAILABLE',
  ])
  t.strictSame(await elect(7, [['a', [0]]]), ['INVALID_REQUEST', 'a-0: INVALID_REQUEST'])
  t.strictSame(await elect(7, null), ['INVALID_REQUEST'])
  t.strictSame(await elect(0, []), ['NONE'])
  cases.transferFails = null
  const noTime = { electionType: 0, topicPartitions: [{ topic: 'a', partitions: [0, 1] }], timeoutMs: 0 }
  const { replicaElectionResults: late } = await cluster.ask(ElectLeaders, noTime)
  t.strictSame(
    late[0]?.partitionResult.map(({ errorCode }) => errorName(errorCode)),
    ['ELECTION_NOT_NEEDED', 'REQUEST_TIMED_OUT'],
  )
  t.strictSame(transfers, [])
})

t.test('DescribeQuorum', async (t) => {
  const cluster = startCluster({ a: '1' })
  const ask = async (asked: [string, number[]][], version = 2) =>
    await cluster.ask(
      DescribeQuorum,
      {
        topics: asked.map(([topicName, indexes]) => ({
          topicName,
          partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
        })),
      },
      version,
    )
  const said = async (asked: [string, number[]][]) =>
    (await ask(asked)).topics.flatMap(({ topicName, partitions }) =>
      partitions.map((p) => `${topicName}-${p.partitionIndex}: ${errorName(p.errorCode)}`),
    )
  const clusterLog = '__cluster_metadata'
  t.strictSame(await said([[clusterLog, [0]]]), [`${clusterLog}-0: NOT_CONTROLLER`])
  const member = (id: number, logEndOffset: number) => ({
    id,
    logEndOffset,
    lastFetchMs: 10 + id,
    lastCaughtUpMs: 20 + id,
  })
  cluster.cases.quorum = {
    ...{ leaderId: 2, epoch: 4, highWatermark: 77 },
    voters: [member(2, 78), member(3, 5)],
    observers: [member(1, 77)],
  }
  const { topics, nodes, ...rest } = await ask([[clusterLog, [0]]])
  t.match(rest, { errorCode: 0, errorMessage: null })
  const replica = (replicaId: number, logEndOffset: number) => ({
    ...{ replicaId, replicaDirectoryId: diskOf(replicaId), logEndOffset },
    ...{ lastFetchTimestamp: 10 + replicaId, lastCaughtUpTimestamp: 20 + replicaId },
  })
  t.strictSame(topics, [
    {
      topicName: clusterLog,
      partitions: [
        {
          ...{ partitionIndex: 0, errorCode: 0, errorMessage: null },
          ...{ leaderId: 2, leaderEpoch: 4, highWatermark: 77 },
          currentVoters: [replica(2, 78), replica(3, 5)],
          observers: [replica(1, 77)],
        },
      ],
    },
  ])
  t.strictSame(
    nodes,
    [2, 3].map((nodeId) => ({
      nodeId,
      listeners: [{ name: 'PLAINTEXT', host: `${nodeId}.example`, port: 9092 }],
    })),
  )
  for (const version of [0, 1]) {
    const [row] = (await ask([[clusterLog, [0]]], version)).topics[0]?.partitions ?? []
    t.match(row, {
      leaderId: 2,
      currentVoters: [{ replicaId: 2, lastFetchTimestamp: version === 0 ? -1 : 12 }, {}],
    })
  }
  t.strictSame(
    // Kafka refuses all of it when anything else is asked for.
    await said([
      [clusterLog, [0, 1]],
      ['a', [0]],
    ]),
    [
      `${clusterLog}-0: NONE`,
      `${clusterLog}-1: UNKNOWN_TOPIC_OR_PARTITION`,
      'a-0: UNKNOWN_TOPIC_OR_PARTITION',
    ],
  )
  t.strictSame(await said([]), [])
})

t.test('DescribeTopicPartitions in pages', async (t) => {
  const cluster = startCluster({ b: '1,2', a: '1 2 4', __consumer_offsets: '1' })
  type At = [topicName: string, partitionIndex: number] | null
  const ask = async (names: string[], limit: number, at: At = null) => {
    const cursor = at === null ? null : { topicName: at[0], partitionIndex: at[1] }
    const request = { topics: names.map((name) => ({ name })), responsePartitionLimit: limit, cursor }
    const { topics, nextCursor: next } = await cluster.ask(DescribeTopicPartitions, request)
    for (const { partitions } of topics) {
      for (const row of partitions) t.match(row, { eligibleLeaderReplicas: [], lastKnownElr: [] })
    }
    const rows = topics.map((row) => {
      const indexes = row.partitions.map(({ partitionIndex }) => partitionIndex)
      return row.errorCode === 0 ? `${row.name}: ${indexes}` : `${row.name}: ${errorName(row.errorCode)}`
    })
    return next === null ? rows : [...rows, `next ${next.topicName}-${next.partitionIndex}`]
  }
  const internal = '__consumer_offsets: 0'
  t.strictSame(await ask([], 2000), [internal, 'a: 0,1,2', 'b: 0'])
  t.strictSame(await ask([], 3), [internal, 'a: 0,1', 'next a-2'])
  t.strictSame(await ask([], 3, ['a', 2]), ['a: 2', 'b: 0'])
  t.strictSame(await ask(['b', 'a', 'b'], 3), ['a: 0,1,2', 'next b-0'])
  t.strictSame(await ask([], 0), [internal, 'next a-0'], 'one at least')
  t.strictSame(await ask([], -5, ['a', 0]), ['a: 0', 'next a-1'])
  t.strictSame(await ask([], 9, ['a', 3]), ['a: ', 'b: 0'])
  t.strictSame(await ask([], 9, ['aa', 2]), ['b: 0'], 'it is gone: what comes after it')
  t.strictSame(await ask([], 9, ['zz', 0]), [])
  t.strictSame(await ask(['a'], 9, ['b', 0]), ['a: INVALID_REQUEST'], 'a place that was not asked for')
  t.strictSame(await ask(['nix', 'b', '..'], 9), [
    '..: INVALID_TOPIC_EXCEPTION',
    'b: 0',
    'nix: UNKNOWN_TOPIC_OR_PARTITION',
  ])
  t.strictSame(await ask(['b', 'nix'], 1), ['b: 0', 'next nix-0'])
})

t.test('UnregisterBroker', async (t) => {
  const cluster = startCluster({ a: '1,3' })
  const unregister = async (brokerId: number) => {
    const { errorCode, errorMessage } = await cluster.ask(UnregisterBroker, { brokerId })
    return `${errorName(errorCode)}${(errorMessage === null) === (errorCode === 0) ? '' : ' with a strange sentence'}`
  }
  t.equal(await unregister(77), 'BROKER_ID_NOT_REGISTERED')
  t.equal(await unregister(-1), 'BROKER_ID_NOT_REGISTERED')
  // Kafka forgets it, and leaves its replicas where nobody is.
  t.equal(await unregister(3), 'INVALID_REQUEST')
  t.equal(await unregister(4), 'NONE')
  t.notOk(cluster.image.brokers.has(4))
  t.equal(await unregister(4), 'BROKER_ID_NOT_REGISTERED')
})
