import t from 'tap'
import { type ErrorName, errorCode } from '../../src/base/error-codes.ts'
import { Refused } from '../../src/base/errors.ts'
import { apiVersions } from '../../src/handlers/api-versions.ts'
import type { Handler } from '../../src/handlers/handler.ts'
import { handlers } from '../../src/handlers/table.ts'
import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { DescribeLogDirs } from '../../src/protocol/apis/describe-log-dirs.ts'
import { DescribeProducers } from '../../src/protocol/apis/describe-producers.ts'
import { InitProducerId } from '../../src/protocol/apis/init-producer-id.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { OffsetForLeaderEpoch } from '../../src/protocol/apis/offset-for-leader-epoch.ts'
import { batchOf, startHandlers } from './fixture.ts'

const code = (name: ErrorName) => errorCode(name)

t.test('ListOffsets', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas, partitions } = fixture
  const replica = replicas[0]
  const list = async (timestamp: number, version = 7, rest: { currentLeaderEpoch?: number } = {}) =>
    (
      await ask(ListOffsets, version, {
        replicaId: -1,
        topics: [{ name: 'events', partitions: [{ partitionIndex: 0, timestamp, ...rest }] }],
      })
    )?.topics[0]?.partitions[0]
  const nowhere = { errorCode: 0, offset: -1, timestamp: -1, leaderEpoch: -1 }

  t.match(await list(-1), { errorCode: 0, offset: 0, leaderEpoch: 3 }, 'empty: the end')
  t.match(
    await list(-2),
    { errorCode: 0, offset: 0, leaderEpoch: -1 },
    'empty: there is no record to have an epoch',
  )
  t.match(await list(-3), nowhere)
  t.match(await list(5), nowhere)

  replica.epoch = 1
  replica.epochs = [
    [1, 0],
    [3, 4],
  ]
  for (const [values, timestamp] of [
    [['a', 'b'], 100],
    [['c', 'd'], 300],
  ] as const) {
    replica.propose(batchOf(values, { timestamp }))
  }
  replica.epoch = 3
  for (const timestamp of [200, 400]) replica.propose(batchOf(['e'], { timestamp }))
  replica.commit(5)
  t.match(await list(-1), { errorCode: 0, offset: 5, timestamp: -1, leaderEpoch: 3 }, 'the high watermark')
  t.match(await list(-1, 1), { errorCode: 0, offset: 5 })
  t.match(await list(-2), { offset: 0, leaderEpoch: 1 }, 'the epoch of the record, not the current one')
  t.match(
    await list(-3),
    { offset: 2, timestamp: 300, leaderEpoch: 1 },
    'what is not committed does not count',
  )
  t.match(await list(150), { offset: 2, timestamp: 300, leaderEpoch: 1 })
  t.match(await list(0), { offset: 0, timestamp: 100, leaderEpoch: 1 })
  t.match(await list(301), nowhere)
  replica.start = 4
  t.match(await list(-2), { offset: 4, leaderEpoch: 3 })

  t.match(await list(-3, 6), { errorCode: code('UNSUPPORTED_VERSION'), offset: -1 })
  t.match(await list(-4, 7), { errorCode: code('UNSUPPORTED_VERSION') })
  t.match(await list(-4, 8), { errorCode: 0, offset: 4, leaderEpoch: 3 }, 'everything is local')
  t.match(await list(-5, 8), { errorCode: code('UNSUPPORTED_VERSION') })
  t.match(await list(-5, 9), nowhere, 'nothing is tiered')
  t.match(await list(-6, 9), { errorCode: code('UNSUPPORTED_VERSION') })
  t.match(await list(-1, 7, { currentLeaderEpoch: 2 }), { errorCode: code('FENCED_LEADER_EPOCH') })
  t.match(await list(-1, 7, { currentLeaderEpoch: 4 }), { errorCode: code('UNKNOWN_LEADER_EPOCH') })

  replica.isReady = false
  t.match(await list(-1, 5), { errorCode: code('OFFSET_NOT_AVAILABLE') }, 'elected is not ready')
  t.match(await list(-1, 4), { errorCode: code('LEADER_NOT_AVAILABLE') })
  replica.resign(2, 9)
  t.match(await list(-1), { errorCode: code('NOT_LEADER_OR_FOLLOWER') })
  partitions[0].close()

  const answer = await ask(ListOffsets, 7, {
    replicaId: -1,
    topics: [
      {
        name: 'events',
        partitions: [1, 1, 2, 3].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
      },
      { name: 'missing', partitions: [{ partitionIndex: 0, timestamp: -1 }] },
    ],
  })
  t.same(
    answer?.topics.flatMap((topic) => topic.partitions.map((row) => row.errorCode)),
    (
      [
        'INVALID_REQUEST',
        'INVALID_REQUEST',
        'NOT_LEADER_OR_FOLLOWER',
        'UNKNOWN_TOPIC_OR_PARTITION',
        'UNKNOWN_TOPIC_OR_PARTITION',
      ] as const
    ).map(code),
    'each partition has its answer',
  )
})

t.test('OffsetForLeaderEpoch', async (t) => {
  const { ask, replicas } = startHandlers()
  replicas[0].propose(batchOf(['a', 'b', 'c']))
  replicas[0].epochs = [
    [1, 0],
    [3, 2],
  ]
  const end = async (leaderEpoch: number, currentLeaderEpoch = -1, partition = 0) =>
    (
      await ask(OffsetForLeaderEpoch, 4, {
        replicaId: -1,
        topics: [{ topic: 'events', partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
      })
    )?.topics[0]?.partitions[0]
  t.match(await end(1), { errorCode: 0, leaderEpoch: 1, endOffset: 2 })
  t.match(await end(2), { errorCode: 0, leaderEpoch: 1, endOffset: 2 })
  t.match(await end(3), { errorCode: 0, leaderEpoch: 3, endOffset: 3 }, 'the current one ends at the end')
  t.match(await end(4), { errorCode: 0, leaderEpoch: -1, endOffset: -1 })
  t.match(await end(1, 2), { errorCode: code('FENCED_LEADER_EPOCH'), endOffset: -1 })
  t.match(await end(1, 4), { errorCode: code('UNKNOWN_LEADER_EPOCH') })
  t.match(await end(1, -1, 9), { errorCode: code('UNKNOWN_TOPIC_OR_PARTITION') })
})

t.test('DeleteRecords', async (t) => {
  const { ask, replicas, clock } = startHandlers()
  replicas[0].propose(batchOf(['a', 'b', 'c', 'd']))
  replicas[0].commit(3)
  const remove = async (offset: number, name = 'events') =>
    (
      await ask(DeleteRecords, 2, {
        topics: [{ name, partitions: [{ partitionIndex: 0, offset }] }],
        timeoutMs: 1000,
      })
    )?.topics[0]?.partitions[0]
  t.match(await remove(2), { errorCode: 0, lowWatermark: 2 })
  t.equal(replicas[0].start, 2)
  t.match(await remove(1), { errorCode: 0, lowWatermark: 2 }, 'gone already')
  t.match(await remove(4), { errorCode: code('OFFSET_OUT_OF_RANGE'), lowWatermark: -1 }, 'not committed')
  t.match(await remove(-2), { errorCode: code('OFFSET_OUT_OF_RANGE') })
  t.match(await remove(-1), { errorCode: 0, lowWatermark: 3 }, 'all that is committed')
  t.match(await remove(1, '__consumer_offsets'), { errorCode: code('INVALID_TOPIC_EXCEPTION') })
  t.match(await remove(1, 'missing'), { errorCode: code('UNKNOWN_TOPIC_OR_PARTITION') })
  t.equal(clock.pendingTimers, 0)
  replicas[0].commit()
  replicas[0].raiseStart = () => new Promise(() => {})
  const late = remove(4)
  await clock.advance(1000)
  t.match(await late, { errorCode: code('REQUEST_TIMED_OUT') })
  replicas[0].raiseStart = () => Promise.reject(new Refused('NOT_LEADER_OR_FOLLOWER'))
  t.match(await remove(4), { errorCode: code('NOT_LEADER_OR_FOLLOWER') })
})

t.test('InitProducerId', async (t) => {
  const { ask, events } = startHandlers()
  const init = (request: { transactionalId?: string; producerId?: number; producerEpoch?: number } = {}) =>
    ask(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000, ...request })
  const ids = await Promise.all(Array.from({ length: 5 }, () => init()))
  t.same(
    ids.map((answer) => answer?.producerId),
    [1000, 1001, 2000, 2001, 3000],
    'each once, though they come from three blocks',
  )
  t.match(ids[0], { errorCode: 0, producerEpoch: 0 })
  t.match(await init({ producerId: 1000, producerEpoch: 3 }), {
    errorCode: 0,
    producerId: 3001,
    producerEpoch: 0,
  })
  t.match(await init({ transactionalId: 'tx' }), {
    errorCode: code('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'),
    producerId: -1,
  })
  t.match(events, [{ event: 'transaction.refused', message: /'tx'/ }])
  const refused = startHandlers({ allocate: () => Promise.reject(new Refused('NOT_CONTROLLER')) })
  t.match(await refused.ask(InitProducerId, 0, { transactionalId: null, transactionTimeoutMs: 0 }), {
    errorCode: code('COORDINATOR_NOT_AVAILABLE'),
    producerId: -1,
  })
})

t.test('DescribeProducers', async (t) => {
  const { ask, replicas } = startHandlers()
  replicas[0].producers = [
    {
      producerId: 7,
      producerEpoch: 1,
      lastSequence: 9,
      lastTimestamp: 1234,
      coordinatorEpoch: -1,
      currentTransactionStart: -1,
    },
  ]
  const topics = [{ name: 'events', partitionIndexes: [0, 3] }]
  t.match((await ask(DescribeProducers, 0, { topics }))?.topics[0]?.partitions, [
    {
      errorCode: 0,
      activeProducers: [
        { producerId: 7, producerEpoch: 1, lastSequence: 9, lastTimestamp: 1234, currentTxnStartOffset: -1 },
      ],
    },
    { errorCode: code('UNKNOWN_TOPIC_OR_PARTITION'), activeProducers: [] },
  ])
})

t.test('DescribeLogDirs', async (t) => {
  const { ask, replicas } = startHandlers()
  const bytes = batchOf(['a'])
  replicas[1].propose(bytes)
  const all = await ask(DescribeLogDirs, 4, { topics: null })
  t.match(all?.results, [
    {
      errorCode: 0,
      logDir: '/data',
      topics: [
        {
          name: 'events',
          partitions: [
            { partitionIndex: 0, partitionSize: 0, offsetLag: 0, isFutureKey: false },
            { partitionIndex: 1, partitionSize: bytes.length },
          ],
        },
      ],
      totalBytes: -1,
      usableBytes: 5_000_000,
    },
  ])
  t.equal(all?.results[0]?.topics[0]?.partitions.length, 2, 'those that are here')
  const some = await ask(DescribeLogDirs, 1, {
    topics: [
      { topic: 'events', partitions: [1] },
      { topic: 'missing', partitions: [0] },
    ],
  })
  t.match(some?.results[0]?.topics, [{ partitions: [{ partitionIndex: 1 }] }])
  t.equal(some?.results[0]?.topics.length, 1)
})

t.test('ApiVersions names what the table serves', async (t) => {
  const { ask } = startHandlers()
  const softwareName = { clientSoftwareName: 'some-client', clientSoftwareVersion: '1.2.3' }
  for (const version of [0, 1, 2, 3, 4]) {
    const answer = await ask(ApiVersions, version, softwareName)
    t.equal(answer?.errorCode, 0)
    t.same(
      answer?.apiKeys.map((range) => range.apiKey),
      handlers.map(({ api }) => api.key).sort((a, b) => a - b),
      `v${version}`,
    )
    t.match(
      answer?.apiKeys[0],
      { apiKey: 0, minVersion: 0, maxVersion: 11 },
      'old librdkafka compresses only from 0',
    )
    t.same([answer?.supportedFeatures, answer?.finalizedFeatures], [[], []])
  }
  t.equal(new Set(handlers.map(({ api }) => api.key)).size, handlers.length, 'each API once')
  const served: readonly Handler[] = [apiVersions(() => served)]
  const few = startHandlers({ handlers: served })
  t.same((await few.ask(ApiVersions, 0, {}))?.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  for (const clientSoftwareName of ['', '-x', 'x ', 'naïve']) {
    t.match(await ask(ApiVersions, 3, { ...softwareName, clientSoftwareName }), {
      errorCode: code('INVALID_REQUEST'),
    })
  }
})
