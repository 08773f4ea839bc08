import t from 'tap'
import { errorCode } from '../../src/base/error-codes.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import * as batch from '../../src/records/batch.ts'
import { turns } from '../server/world.ts'
import { batchOf, startHandlers } from './fixture.ts'

function request(acks: number, partitions: Record<number, Buffer | null>, name = 'events') {
  const partitionData = Object.entries(partitions).map(([index, records]) => ({
    index: Number(index),
    records: records === null ? null : [records],
  }))
  return { acks, timeoutMs: 1500, topicData: [{ name, partitionData }] }
}

/** What a promise has come to, without waiting for it. */
function watch<T>(promise: Promise<T>) {
  const seen: { value?: T; error?: unknown; isSettled: boolean } = { isSettled: false }
  promise.then(
    (value) => Object.assign(seen, { value, isSettled: true }),
    (error: unknown) => Object.assign(seen, { error, isSettled: true }),
  )
  return seen
}

t.test('acks=all is answered when every batch is committed', async (t) => {
  const { ask, replicas } = startHandlers()
  const answer = watch(ask(Produce, 9, request(-1, { 0: batchOf(['a', 'b']), 1: batchOf(['c']) })))
  await turns()
  t.same([replicas[0].end, replicas[1].end], [2, 1], 'the order is fixed at once')
  replicas[0].commit()
  await turns()
  t.notOk(answer.isSettled, 'one of two')
  replicas[1].commit()
  await turns()
  t.match(answer.value?.responses, [
    {
      name: 'events',
      partitionResponses: [
        { index: 0, errorCode: 0, baseOffset: 0, logAppendTimeMs: -1, logStartOffset: 0, recordErrors: [] },
        { index: 1, errorCode: 0, baseOffset: 0 },
      ],
    },
  ])
  const next = watch(ask(Produce, 3, request(-1, { 0: batchOf(['d']) })))
  await turns()
  replicas[0].commit()
  await turns()
  t.match(next.value?.responses[0]?.partitionResponses, [{ errorCode: 0, baseOffset: 2 }])
})

t.test('acks=all: what is not committed in time is said to be open, never success', async (t) => {
  const { ask, replicas, clock } = startHandlers()
  const answer = watch(ask(Produce, 9, request(-1, { 0: batchOf(['a']), 1: batchOf(['b']) })))
  await turns()
  replicas[1].commit()
  await clock.advance(1499)
  t.notOk(answer.isSettled)
  await clock.advance(1)
  t.match(answer.value?.responses[0]?.partitionResponses, [
    { errorCode: errorCode('REQUEST_TIMED_OUT'), baseOffset: -1 },
    { errorCode: 0, baseOffset: 0 },
  ])
  replicas[0].commit()
  t.equal(clock.pendingTimers, 0)
})

t.test(
  'acks=all: leadership lost between append and commit is an error, with the way to the new leader',
  async (t) => {
    const { ask, replicas } = startHandlers()
    const answer = watch(ask(Produce, 11, request(-1, { 0: batchOf(['a']) })))
    await turns()
    replicas[0].resign(2, 7)
    await turns()
    t.match(answer.value, {
      responses: [
        {
          partitionResponses: [
            {
              errorCode: errorCode('NOT_LEADER_OR_FOLLOWER'),
              baseOffset: -1,
              currentLeader: { leaderId: 2, leaderEpoch: 7 },
            },
          ],
        },
      ],
      nodeEndpoints: [{ nodeId: 2, host: 'two.example', port: 9092, rack: 'b' }],
    })
    t.match(
      (await ask(Produce, 9, request(1, { 0: batchOf(['a']) })))?.responses[0]?.partitionResponses,
      [{ errorCode: errorCode('NOT_LEADER_OR_FOLLOWER'), currentLeader: { leaderId: -1 } }],
      'old versions have no place for it',
    )
  },
)

t.test('acks=1 does not wait for the quorum, but for the log', async (t) => {
  const { ask, replicas } = startHandlers()
  const answer = await ask(Produce, 9, request(1, { 0: batchOf(['a', 'b']) }))
  t.match(answer?.responses[0]?.partitionResponses, [{ errorCode: 0, baseOffset: 0 }])
  t.equal(replicas[0].highWatermark, 0)
  const failing = ask(Produce, 9, request(1, { 0: batchOf(['c']) }))
  replicas[0].fail() // the write at the end of the turn
  t.match((await failing)?.responses[0]?.partitionResponses, [
    { errorCode: errorCode('KAFKA_STORAGE_ERROR') },
  ])
})

t.test('acks=1 and acks=0 cannot run far ahead of the disk', async (t) => {
  const { ask, replicas } = startHandlers({ settings: { 'lograft.uncommitted.bytes.max': '8192' } })
  const big = () => batchOf(['x'.repeat(1000)])
  for (const acks of [1, 0]) {
    await ask(Produce, 9, request(acks, { 0: big() }))
    const behind = watch(ask(Produce, 9, request(acks, { 0: big() })))
    await turns()
    t.notOk(behind.isSettled, `acks=${acks}: over a quarter of the bound`)
    replicas[0].commit()
    await turns()
    t.ok(behind.isSettled)
  }
})

t.test('acks=0 has no answer; an error closes the connection', async (t) => {
  const { ask, replicas } = startHandlers()
  t.equal(await ask(Produce, 9, request(0, { 0: batchOf(['a']) })), undefined)
  t.equal(replicas[0].end, 1)
  await t.rejects(ask(Produce, 9, request(0, { 1: batchOf(['b']), 7: batchOf(['c']) })), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  t.equal(replicas[1].end, 1, 'the others were appended')
})

t.test('acks=all needs min.insync.replicas, the others do not', async (t) => {
  const { ask, replicas } = startHandlers({ configs: { 'min.insync.replicas': '2' } })
  const produce = async (acks: number, sequence = -1) => {
    const mine = sequence < 0 ? {} : { producerId: 9, producerEpoch: 0, baseSequence: sequence }
    const answer = watch(ask(Produce, 9, request(acks, { 0: batchOf(['a'], mine) })))
    await turns()
    replicas[0].commit()
    await turns()
    return answer.value?.responses[0]?.partitionResponses[0]
  }
  t.match(await produce(-1), {
    errorCode: errorCode('NOT_ENOUGH_REPLICAS'),
    errorMessage: /1 replicas of events-0 are in sync, and min.insync.replicas is 2/,
    baseOffset: -1,
  })
  t.equal(replicas[0].end, 0, 'nothing is written')
  t.match(await produce(1), { errorCode: 0, baseOffset: 0 })

  t.match(await produce(-1, 0), { errorCode: errorCode('NOT_ENOUGH_REPLICAS') })
  replicas[0].inSync = [1, 2]
  t.match(
    await produce(-1, 1),
    { errorCode: errorCode('NOT_ENOUGH_REPLICAS') },
    'what was pipelined behind a refused batch waits for its retry',
  )
  t.match(await produce(-1, 0), { errorCode: 0, baseOffset: 1 })
  t.match(await produce(-1, 1), { errorCode: 0, baseOffset: 2 })
})

t.test('errors are of a partition: the others go on', async (t) => {
  const { ask, replicas, events } = startHandlers()
  const damaged = batchOf(['d'])
  damaged[damaged.length - 1] = 0xff
  const answer = watch(
    ask(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        {
          name: 'events',
          partitionData: [
            { index: 0, records: [damaged] },
            { index: 1, records: [batchOf(['ok'])] },
            { index: 2, records: [batchOf(['elsewhere'])] },
            { index: 3, records: [batchOf(['nowhere'])] },
            { index: 0, records: null },
            { index: 0, records: [Buffer.concat([batchOf(['1']), batchOf(['2'])])] },
            {
              index: 0,
              records: [
                batchOf(['t'], { producerId: 5, producerEpoch: 0, baseSequence: 0, isTransactional: true }),
              ],
            },
          ],
        },
        { name: 'missing', partitionData: [{ index: 0, records: [batchOf(['m'])] }] },
        { name: '__consumer_offsets', partitionData: [{ index: 0, records: [batchOf(['i'])] }] },
      ],
    }),
  )
  await turns()
  replicas[1].commit()
  await turns()
  const rows = answer.value?.responses.flatMap(({ partitionResponses }) => partitionResponses) ?? []
  t.same(
    rows.map((row) => row.errorCode),
    [
      'CORRUPT_MESSAGE',
      'NONE',
      'NOT_LEADER_OR_FOLLOWER',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'INVALID_RECORD',
      'INVALID_RECORD',
      'INVALID_TXN_STATE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'INVALID_TOPIC_EXCEPTION',
    ].map((name) => errorCode(name as 'NONE')),
  )
  t.match(rows[0]?.errorMessage, /checksum/)
  t.equal(replicas[0].end, 0, 'nothing bad was stored')
  t.match(events[0], { event: 'produce.refused', level: 'debug', partition: 'events-0' })
  t.match(
    (await ask(Produce, 9, request(5, { 0: batchOf(['a']), 1: batchOf(['b']) })))?.responses[0]
      ?.partitionResponses,
    [{ errorCode: errorCode('INVALID_REQUIRED_ACKS') }, { errorCode: errorCode('INVALID_REQUIRED_ACKS') }],
  )
})

t.test('rules of the topic', async (t) => {
  const { ask, replicas, clock, partitions } = startHandlers({
    configs: { 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': '200' },
  })
  const sent = batchOf(['a'], { timestamp: 5 })
  const answer = await ask(Produce, 9, request(1, { 0: sent }))
  t.match(answer?.responses[0]?.partitionResponses, [{ errorCode: 0, logAppendTimeMs: clock.now() }])
  const stored = replicas[0].batches[0] ?? Buffer.alloc(0)
  t.equal(batch.maxTimestamp(stored, 0), clock.now())
  t.equal(batch.timestampType(stored, 0), 'LogAppendTime')
  t.ok(batch.verifyCrc(stored, 0), 'the checksum is right again')
  const large = request(1, { 0: batchOf(['x'.repeat(500)]) })
  t.match((await ask(Produce, 9, large))?.responses[0]?.partitionResponses, [
    { errorCode: errorCode('MESSAGE_TOO_LARGE') },
  ])
  partitions[0].configure({
    ...partitions[0].settings,
    maxMessageBytes: 1000,
    messageTimestampType: 'CreateTime',
  })
  const later = await ask(Produce, 9, request(1, { 0: batchOf(['x'.repeat(500)]) }))
  t.match(
    later?.responses[0]?.partitionResponses,
    [{ errorCode: 0, logAppendTimeMs: -1 }],
    'settings may change',
  )
})

t.test('idempotent producers', async (t) => {
  const mine = { producerId: 9, producerEpoch: 0, baseSequence: 0 }
  t.test('a duplicate is answered with its first place, once that is committed', async (t) => {
    const { ask, replicas } = startHandlers()
    const first = watch(ask(Produce, 9, request(-1, { 0: batchOf(['a', 'b'], mine) })))
    await turns()
    replicas[0].verdict = { baseOffset: 0, lastOffset: 1, timestamp: 77 }
    const again = watch(ask(Produce, 9, request(-1, { 0: batchOf(['a', 'b'], mine) })))
    await turns()
    t.notOk(again.isSettled, 'the original may still be lost (R-37)')
    t.equal(replicas[0].end, 2, 'not stored twice')
    replicas[0].commit()
    await turns()
    for (const { value } of [first, again]) {
      t.match(value?.responses[0]?.partitionResponses, [{ errorCode: 0, baseOffset: 0, logAppendTimeMs: -1 }])
    }
    const late = await ask(Produce, 9, request(-1, { 0: batchOf(['a', 'b'], mine) }))
    t.match(late?.responses[0]?.partitionResponses, [{ errorCode: 0, baseOffset: 0 }], 'committed already')
  })
  t.test('a gap is refused', async (t) => {
    const { ask, replicas } = startHandlers()
    replicas[0].verdict = { refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER', detail: 'sequence 5 after 1' }
    t.match(
      (await ask(Produce, 9, request(-1, { 0: batchOf(['a'], mine) })))?.responses[0]?.partitionResponses,
      [{ errorCode: errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER'), errorMessage: 'sequence 5 after 1' }],
    )
    t.equal(replicas[0].end, 0)
  })
})

t.test('what is pipelined behind a batch that met no leader is answered as that one was', async (t) => {
  const { ask, replicas, clock } = startHandlers()
  const [replica] = replicas
  const send = async (baseSequence: number, count = 1): Promise<number | undefined> => {
    const values = Array.from({ length: count }, (_, n) => `v${baseSequence + n}`)
    const records = batchOf(values, { producerId: 7, producerEpoch: 0, baseSequence })
    const answer = watch(ask(Produce, 9, request(-1, { 0: records })))
    await turns()
    if (replica.role === 'leader') replica.commit()
    await turns()
    return answer.value?.responses[0]?.partitionResponses[0]?.errorCode
  }
  const gap = { refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER', detail: '5 comes after 2' } as const
  replica.verdict = gap
  t.equal(await send(5), errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER'), 'a gap that nobody here has made')
  const elected = (): void => void Object.assign(replica, { role: 'leader', isReady: true })

  replica.resign(2, 4)
  t.equal(await send(3, 2), errorCode('NOT_LEADER_OR_FOLLOWER'))
  elected()
  t.equal(await send(5), errorCode('NOT_LEADER_OR_FOLLOWER'), 'not: out of order. Clients retry both')
  replica.verdict = 'append'
  t.equal(await send(3, 2), 0)
  t.equal(await send(5), 0)

  replica.resign(2, 6)
  t.equal(await send(6), errorCode('NOT_LEADER_OR_FOLLOWER'))
  elected()
  t.equal(
    await send(7),
    errorCode('NOT_LEADER_OR_FOLLOWER'),
    'the refused one may be in the log, from an attempt whose answer was open: a success would contradict its refusal',
  )
  await clock.advance(1001)
  t.equal(await send(7), 0, 'what was pipelined has arrived; this one was not')
  replica.verdict = gap
  t.equal(await send(9), errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER'), 'that is over')
})
