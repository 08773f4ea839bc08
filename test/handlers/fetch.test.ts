import t from 'tap'
import { errorCode } from '../../src/base/error-codes.ts'
import { Faulted } from '../../src/base/errors.ts'
import { zeroUuid } from '../../src/base/uuid.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import type { RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { turns } from '../server/world.ts'
import { batchOf, type HandlerFixture, startHandlers, topicId } from './fixture.ts'

type Asked = Partial<RequestInput<typeof Fetch>['topics'][number]['partitions'][number]>

function request(partitions: readonly Asked[], rest: Partial<RequestInput<typeof Fetch>> = {}) {
  return {
    maxWaitMs: 500,
    minBytes: 1,
    topics: [
      {
        topic: 'events',
        topicId,
        partitions: partitions.map((asked, index) => ({
          partition: index,
          fetchOffset: 0,
          partitionMaxBytes: 1_000_000,
          ...asked,
        })),
      },
    ],
    ...rest,
  }
}

const rows = (response: ResponseOf<typeof Fetch> | undefined) => response?.responses[0]?.partitions ?? []
const recordsOf = (response: ResponseOf<typeof Fetch> | undefined) =>
  rows(response).map(({ records }) => Buffer.concat(records ?? []))

function watch<T>(promise: Promise<T>) {
  const seen: { value?: T; isSettled: boolean } = { isSettled: false }
  void promise.then((value) => Object.assign(seen, { value, isSettled: true }))
  return seen
}

function stored({ replicas }: HandlerFixture, index: 0 | 1, ...values: string[][]): Buffer[] {
  return values.map((some) => {
    const bytes = batchOf(some)
    replicas[index].propose(bytes)
    return bytes
  })
}

t.test('whole batches up to the high watermark, from the one that holds the offset', async (t) => {
  const fixture = startHandlers()
  const [first, second, third] = stored(fixture, 0, ['a', 'b'], ['c', 'd', 'e'], ['f'])
  fixture.replicas[0].commit(5)
  for (const version of [4, 6, 11, 12, 13, 16]) {
    const answer = await fixture.ask(Fetch, version, request([{ fetchOffset: 3 }]))
    t.match(rows(answer), [{ partitionIndex: 0, errorCode: 0, highWatermark: 5, lastStableOffset: 5 }])
    t.same(recordsOf(answer), [second], `v${version}: the batch begins before the offset`)
    if (version >= 5) t.equal(rows(answer)[0]?.logStartOffset, 0)
    t.equal(answer?.sessionId, 0)
  }
  t.same(recordsOf(await fixture.ask(Fetch, 12, request([{}]))), [
    Buffer.concat([first ?? third, second ?? third] as Buffer[]),
  ])
  t.same(rows(await fixture.ask(Fetch, 12, request([{}])))[0]?.abortedTransactions, null)
  t.same(rows(await fixture.ask(Fetch, 12, request([{}], { isolationLevel: 1 })))[0]?.abortedTransactions, [])
})

t.test('a fetch at the end waits, and wakes when something is committed', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas, broker, clock } = fixture
  const answer = watch(ask(Fetch, 12, request([{}, {}])))
  await turns()
  t.equal(broker.purgatory.size, 1)
  const [bytes] = stored(fixture, 1, ['a'])
  replicas[1].advance()
  await turns()
  t.notOk(answer.isSettled, 'appended is not committed')
  replicas[1].commit()
  await turns()
  t.same(recordsOf(answer.value), [Buffer.alloc(0), bytes])
  t.same([broker.purgatory.size, clock.pendingTimers], [0, 0])

  const empty = watch(ask(Fetch, 12, request([{ fetchOffset: 0 }, { fetchOffset: 1 }], { maxWaitMs: 700 })))
  await clock.advance(699)
  t.notOk(empty.isSettled)
  await clock.advance(1)
  t.match(
    rows(empty.value),
    [{ errorCode: 0 }, { errorCode: 0, highWatermark: 1 }],
    'empty when the time is over',
  )
  t.same(recordsOf(empty.value), [Buffer.alloc(0), Buffer.alloc(0)], 'and never null')
  t.same(rows(await ask(Fetch, 12, request([{}], { maxWaitMs: 0 })))[0]?.errorCode, 0, 'no time to wait')
})

t.test('minBytes counts over the partitions, each up to its own limit', async (t) => {
  const fixture = startHandlers()
  const size = batchOf(['x'.repeat(100)]).length
  const answer = watch(
    fixture.ask(Fetch, 12, request([{ partitionMaxBytes: size + 10 }, {}], { minBytes: size * 2 + 11 })),
  )
  const add = async (index: 0 | 1) => {
    stored(fixture, index, ['x'.repeat(100)])
    fixture.replicas[index].commit()
    await turns()
  }
  await add(0)
  await add(0)
  await add(0)
  await add(1)
  t.notOk(answer.isSettled, 'one batch and ten bytes count of the first partition')
  await add(1)
  t.equal(recordsOf(answer.value)[1]?.length, 2 * size)
})

t.test('limits', async (t) => {
  const fixture = startHandlers()
  const size = batchOf(['x'.repeat(100)]).length
  stored(fixture, 0, ['x'.repeat(100)], ['x'.repeat(100)], ['x'.repeat(100)])
  stored(fixture, 1, ['x'.repeat(100)], ['x'.repeat(100)])
  for (const replica of fixture.replicas) replica.commit()
  const sizes = async (asked: Asked[], rest: Partial<RequestInput<typeof Fetch>>, reserved?: number) =>
    recordsOf(
      await fixture.ask(Fetch, 12, request(asked, rest), reserved === undefined ? {} : { reserved }),
    ).map(({ length }) => length / size)
  t.same(await sizes([{}, {}], {}), [3, 2])
  t.same(await sizes([{ partitionMaxBytes: size * 2.5 }, {}], {}), [2, 2], 'of a partition: whole batches')
  t.same(await sizes([{}, {}], { maxBytes: size * 4 }), [3, 1], 'of the request, in the order asked')
  t.same(await sizes([{}, {}], { maxBytes: 1 }), [1, 0], 'the first batch comes whatever the limits say')
  t.same(
    await sizes([{ fetchOffset: 3 }, { partitionMaxBytes: 0 }], { maxBytes: 0 }),
    [0, 1],
    'of the first that has any',
  )
  t.same(await sizes([{}, {}], {}, 0), [1, 0], 'when slow readers hold the memory: one batch')
  t.same(await sizes([{}, {}], {}, size * 3), [3, 0])
})

t.test('offsets', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas } = fixture
  stored(fixture, 0, ['a', 'b'], ['c', 'd'])
  replicas[0].commit(2)
  replicas[0].start = 1
  const error = async (fetchOffset: number) =>
    rows(await ask(Fetch, 12, request([{ fetchOffset }], { maxWaitMs: 0 })))[0]?.errorCode
  const out = errorCode('OFFSET_OUT_OF_RANGE')
  t.equal(await error(0), out, 'below the start')
  t.equal(await error(1), 0)
  t.equal(await error(3), 0, 'between the high watermark and the end: empty, no error')
  t.equal(await error(4), 0, 'at the end')
  t.equal(await error(5), out, 'above the end')
  t.equal(await error(2 ** 63), out)
  t.equal(await error(-1), out)
  const waits = watch(ask(Fetch, 12, request([{ fetchOffset: 3 }])))
  await turns()
  t.notOk(waits.isSettled)
  replicas[0].commit()
  await turns()
  t.equal(recordsOf(waits.value)[0]?.length, batchOf(['c', 'd']).length)
  const trimmed = watch(ask(Fetch, 12, request([{ fetchOffset: 4 }])))
  await turns()
  stored(fixture, 0, ['e'])
  replicas[0].start = 5
  replicas[0].commit()
  await turns()
  t.equal(rows(trimmed.value)[0]?.errorCode, out, 'its place was trimmed while it waited')
})

t.test('a new leader that is not ready lets wait, and never says out of range', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas, clock } = fixture
  stored(fixture, 0, ['a', 'b'])
  replicas[0].isReady = false
  const answer = watch(ask(Fetch, 12, request([{ fetchOffset: 2 }])))
  await turns()
  t.notOk(answer.isSettled)
  replicas[0].isReady = true
  replicas[0].commit()
  await turns()
  t.notOk(answer.isSettled, 'ready, and nothing new')
  await clock.advance(500)
  t.match(rows(answer.value), [{ errorCode: 0, highWatermark: 2 }])
  replicas[0].isReady = false
  const unready = watch(ask(Fetch, 12, request([{ fetchOffset: 0 }])))
  await turns()
  t.notOk(unready.isSettled, 'nothing is served before')
  await clock.advance(500)
  t.match(rows(unready.value), [{ errorCode: errorCode('NOT_LEADER_OR_FOLLOWER'), highWatermark: -1 }])
})

t.test('a fetch that waits is woken by what ends its hope', async (t) => {
  const notLeader = errorCode('NOT_LEADER_OR_FOLLOWER')
  const cases: [string, (fixture: HandlerFixture) => void, number][] = [
    ['another leader', ({ replicas }) => replicas[0].resign(2, 9), notLeader],
    ['a deleted topic', ({ partitions }) => partitions[0].close(), notLeader],
    ['a failed disk', ({ replicas }) => replicas[0].fail(), errorCode('KAFKA_STORAGE_ERROR')],
  ]
  for (const [name, happen, code] of cases) {
    const fixture = startHandlers()
    const answer = watch(fixture.ask(Fetch, 16, request([{}, {}], { maxWaitMs: 60_000 })))
    await turns()
    happen(fixture)
    await turns()
    t.match(rows(answer.value), [{ errorCode: code }, { errorCode: 0 }], name)
  }
  const fixture = startHandlers()
  const { ask, broker, clock } = fixture
  const gone = watch(ask(Fetch, 12, request([{}], { maxWaitMs: 60_000 }), { connection: 'gone' }))
  const stays = watch(ask(Fetch, 12, request([{}], { maxWaitMs: 60_000 }), { connection: 'stays' }))
  await turns()
  broker.purgatory.abandon('gone')
  await turns()
  t.same([gone.isSettled, gone.value, stays.isSettled], [true, undefined, false], 'its connection is gone')
  broker.purgatory.close()
  await turns()
  t.match(rows(stays.value), [{ errorCode: 0 }], 'the broker stops')
  t.equal(clock.pendingTimers, 0)
  t.ok(await ask(Fetch, 12, request([{}], { maxWaitMs: 60_000 })), 'nobody waits any more')
})

t.test('the place where fetches wait is bounded', async (t) => {
  const { ask, broker } = startHandlers({ settings: { 'lograft.fetches.parked.max': '2' } })
  const waiting = [1, 2, 3].map((id) => watch(ask(Fetch, 12, request([{}]), { connection: String(id) })))
  await turns()
  t.same(
    waiting.map(({ isSettled }) => isSettled),
    [false, false, true],
  )
  t.equal(broker.purgatory.size, 2)
})

t.test('partitions that cannot be read are answered at once, with the others', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas } = fixture
  const [bytes] = stored(fixture, 1, ['a'])
  replicas[1].commit()
  const elsewhere = await ask(
    Fetch,
    12,
    request([{ partition: 2 }, { partition: 1 }, { partition: 8 }], { minBytes: 1e6 }),
  )
  t.same(
    rows(elsewhere).map((row) => row.errorCode),
    [errorCode('NOT_LEADER_OR_FOLLOWER'), 0, errorCode('UNKNOWN_TOPIC_OR_PARTITION')],
  )
  t.same(recordsOf(elsewhere)[1], bytes)
  const topics = (topic: string, id: string) => ({
    ...request([{}]),
    topics: [{ ...request([{}]).topics[0], topic, topicId: id } as never],
  })
  t.match(rows(await ask(Fetch, 12, topics('missing', topicId))), [
    { errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION') },
  ])
  t.match(rows(await ask(Fetch, 13, topics('events', zeroUuid))), [
    { errorCode: errorCode('UNKNOWN_TOPIC_ID') },
  ])
  replicas[0].resign(2, 9)
  t.match(await ask(Fetch, 16, request([{}])), {
    responses: [{ partitions: [{ errorCode: 6, currentLeader: { leaderId: 2, leaderEpoch: 9 } }] }],
    nodeEndpoints: [{ nodeId: 2, host: 'two.example' }],
  })
  replicas[1].readFault = new Faulted('disk', 'read')
  t.match(rows(await ask(Fetch, 12, request([{ partition: 1 }]))), [
    { errorCode: errorCode('KAFKA_STORAGE_ERROR') },
  ])
  t.match(rows(await ask(Fetch, 5, request([{ partition: 1 }]))), [
    { errorCode: errorCode('NOT_LEADER_OR_FOLLOWER') },
  ])
  t.match(fixture.events, [{ event: 'partition.read.failed', partition: 'events-1' }], 'told once')
  t.equal(fixture.events.length, 1)
  t.match(
    rows(await ask(Fetch, 12, request([{ partition: 1 }], { replicaId: 1 }))),
    [{ errorCode: errorCode('TOPIC_AUTHORIZATION_FAILED') }],
    'nobody reads as a replica',
  )
})

t.test('epochs', async (t) => {
  const fixture = startHandlers()
  const { ask, replicas } = fixture
  stored(fixture, 0, ['a', 'b'], ['c'])
  replicas[0].commit()
  replicas[0].epochs = [
    [1, 0],
    [3, 2],
  ]
  const row = async (asked: Asked) => rows(await ask(Fetch, 12, request([asked])))[0]
  t.match(await row({ currentLeaderEpoch: 2 }), { errorCode: errorCode('FENCED_LEADER_EPOCH') })
  t.match(await row({ currentLeaderEpoch: 4 }), { errorCode: errorCode('UNKNOWN_LEADER_EPOCH') })
  t.match(await row({ currentLeaderEpoch: 3 }), { errorCode: 0 })
  const none = { epoch: -1, endOffset: -1 }
  t.match(await row({ fetchOffset: 2, lastFetchedEpoch: 1 }), { errorCode: 0, divergingEpoch: none })
  const parted = await row({ fetchOffset: 3, lastFetchedEpoch: 1 })
  t.match(parted, { errorCode: 0, divergingEpoch: { epoch: 1, endOffset: 2 } }, 'epoch 1 ended at 2 here')
  t.equal(Buffer.concat(parted?.records ?? []).length, 0)
  t.match(await row({ fetchOffset: 2, lastFetchedEpoch: 2 }), { divergingEpoch: { epoch: 1, endOffset: 2 } })
  t.match(await row({ fetchOffset: 2, lastFetchedEpoch: 7 }), { errorCode: errorCode('OFFSET_OUT_OF_RANGE') })
})

t.test('sessions are declined in the way that clients understand', async (t) => {
  const { ask } = startHandlers()
  const session = (sessionId: number, sessionEpoch: number) =>
    ask(Fetch, 12, request([{}], { sessionId, sessionEpoch, maxWaitMs: 0 }))
  for (const [id, epoch] of [
    [0, -1],
    [0, 0],
    [5, 0],
    [5, -1],
  ] as const) {
    const answer = await session(id, epoch)
    t.match(answer, { errorCode: 0, sessionId: 0 }, `${id}, ${epoch}: served in full`)
    t.equal(rows(answer).length, 1)
  }
  for (const [id, epoch] of [
    [5, 1],
    [0, 3],
  ] as const) {
    t.match(await session(id, epoch), {
      errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'),
      sessionId: 0,
      responses: [],
    })
  }
  t.match(
    await ask(Fetch, 12, { ...request([]), topics: [] }),
    { errorCode: 0, responses: [] },
    'nothing asked, no waiting',
  )
})

t.test('a large answer is read in pieces, between which others get their turn', async (t) => {
  const fixture = startHandlers()
  const values = Array.from({ length: 7 }, (_, n) => [String(n).repeat(900_000)])
  const batches = stored(fixture, 0, ...values)
  fixture.replicas[0].commit(7)
  let others = 0
  let next = setImmediate(function turn() {
    others++
    next = setImmediate(turn)
  })
  t.teardown(() => clearImmediate(next))
  const large = { partitionMaxBytes: 8_000_000 }
  const answer = await fixture.ask(Fetch, 12, request([large], { maxBytes: 8_000_000 }))
  t.ok(recordsOf(answer)[0]?.equals(Buffer.concat(batches)), 'nothing is missing, nothing comes twice')
  t.ok(others >= 2, `${others} turns of others`)

  others = 0
  await fixture.ask(Fetch, 12, request([{}]))
  t.ok(others <= 1, 'for a small one nobody waits')

  setImmediate(() => {
    fixture.replicas[0].readFault = new Faulted('disk', 'read')
  })
  const cut = await fixture.ask(Fetch, 12, request([large], { maxBytes: 8_000_000 }))
  t.match(rows(cut), [{ errorCode: 0 }])
  const sound = recordsOf(cut)[0]?.length ?? 0
  t.ok(sound >= 1_800_000 && sound < 6_000_000, `what was read before the disk failed: ${sound} bytes`)
})

t.test('of many that wait for the same record so many go on in one turn, and then the others', async (t) => {
  const fixture = startHandlers({ settings: { 'lograft.fetches.woken.max': '20' } })
  const count = 200
  let answered = 0
  const asks = Array.from({ length: count }, async (_, n) => {
    const answer = await fixture.ask(Fetch, 12, request([{}]), { connection: `c${n}` })
    answered++
    return answer
  })
  await turns()
  t.equal(fixture.broker.purgatory.size, count)
  fixture.broker.purgatory.abandon('c150')
  const [batch] = stored(fixture, 0, ['a'])
  fixture.replicas[0].commit(1)
  let [before, most] = [answered, 0]
  for (let turn = 0; turn < 30; turn++) {
    await turns(1)
    most = Math.max(most, answered - before)
    before = answered
  }
  t.ok(most <= 2 * 20 + 1, `${most} in one turn, and the one that is gone`)
  const answers = await Promise.all(asks)
  t.same(
    answers.map((answer) => recordsOf(answer)[0] ?? null).filter((bytes) => bytes?.equals(batch as Buffer))
      .length,
    count - 1,
  )
  t.equal(answers[150], undefined, 'but for the one that is gone')
  t.equal(fixture.broker.purgatory.size, 0)
})
