/** Where replicas and leaderships go when a broker is to have none: plans alone, no broker is asked. */
import t from 'tap'
import { type Move, type PlacedPartition, planDrain } from '../../client/drain-plan.ts'
import { KafkaError } from '../../client/errors.ts'
import type { TopicMetadata } from '../../client/metadata.ts'
import { planTransfers } from '../../client/transfer-plan.ts'

const broker = (nodeId: number, rack: string | null = null) => ({ nodeId, rack })
const placed = (topic: string, ...placements: number[][]): PlacedPartition[] =>
  placements.map((replicas, partition) => ({ topic, partition, replicas }))

/** The same partitions, once the moves are done. */
function after(partitions: readonly PlacedPartition[], moves: readonly Move[]): PlacedPartition[] {
  return partitions.map((place) => {
    const move = moves.find(({ topic, partition }) => topic === place.topic && partition === place.partition)
    return move === undefined ? place : { ...place, replicas: move.to }
  })
}

function count(partitions: readonly PlacedPartition[], counts: (replicas: readonly number[]) => number[]) {
  const tally: Record<number, number> = {}
  for (const { replicas } of partitions) {
    for (const id of counts(replicas)) tally[id] = (tally[id] ?? 0) + 1
  }
  return tally
}

t.test('replicas go to the broker that holds least and not yet this partition', async (t) => {
  const partitions = [...placed('a', [1, 2], [2, 3], [3, 1]), ...placed('b', [4])]
  const moves = planDrain(
    1,
    [1, 2, 3, 4].map((id) => broker(id)),
    partitions,
  )
  t.strictSame(moves, [
    { topic: 'a', partition: 0, from: [1, 2], to: [2, 4] },
    { topic: 'a', partition: 2, from: [3, 1], to: [3, 2] },
  ])
  t.strictSame(planDrain(9, [broker(1), broker(2)], partitions), [], 'who holds nothing moves nothing')
})

t.test('the others come out even, in replicas and in preferred leaders', async (t) => {
  const brokers = [1, 2, 3, 4, 5, 6].map((id) => broker(id))
  const partitions = placed(
    'a',
    ...Array.from({ length: 60 }, (_, at) => [0, 1, 2].map((copy) => ((at + copy) % 6) + 1)),
  )
  const moves = planDrain(3, brokers, partitions)
  const then = after(partitions, moves)
  t.equal(moves.length, 30)
  for (const { replicas } of then) {
    t.equal(new Set(replicas).size, 3)
    t.notOk(replicas.includes(3))
  }
  const holds = Object.values(count(then, (replicas) => [...replicas]))
  t.strictSame([holds.length, Math.min(...holds), Math.max(...holds)], [5, 36, 36])
  const prefers = Object.values(count(then, ([first]) => (first === undefined ? [] : [first])))
  t.equal(prefers.length, 5)
  t.ok(Math.max(...prefers) - Math.min(...prefers) <= 2, `${prefers}`)
  for (const { from, to } of moves) {
    t.equal(to.filter((id) => !from.includes(id)).length, 1, 'one newcomer, the others stay')
  }
})

t.test('racks stay apart where every broker has one', async (t) => {
  const racked = [broker(1, 'a'), broker(2, 'a'), broker(3, 'b'), broker(4, 'b'), broker(5, 'c')]
  const partitions = placed('t', [1, 3], [3, 1], [4, 5, 1])
  const newcomers = (moves: readonly Move[]) =>
    moves.flatMap(({ from, to }) => to.filter((id) => !from.includes(id)))
  t.strictSame(newcomers(planDrain(1, racked, partitions)), [2, 2, 2], 'racks without a replica come first')
  const crowded = planDrain(1, racked, placed('t', [1, 2, 3, 5]))
  t.strictSame(newcomers(crowded), [4], 'every rack is taken: the next best')
  const half = [broker(1, 'a'), broker(2, 'a'), broker(3, 'b'), broker(4)]
  const full = [...placed('t', [3, 1]), ...placed('u', [2, 4])]
  t.strictSame(newcomers(planDrain(1, half, full)), [2], 'racks that some lack do not count')
  t.strictSame(newcomers(planDrain(1, half, [...full, ...placed('v', [2])])), [4])
})

t.test('too few brokers', async (t) => {
  const refused = (ids: number[], replicas: number[]): unknown => {
    try {
      return planDrain(
        1,
        ids.map((id) => broker(id)),
        placed('orders', replicas),
      )
    } catch (error) {
      return error
    }
  }
  const error = refused([1, 2, 3], [1, 2, 3])
  t.ok(error instanceof KafkaError)
  t.match(error, {
    code: 'INVALID_REPLICATION_FACTOR',
    message:
      'broker 1 cannot leave: topic orders has 3 replicas of each partition, and without it only 2 brokers are left',
    advice: /start another broker/,
  })
  t.match(refused([1], [1]), { message: /1 replica of each partition, .* only 0 brokers are left/ })
  t.match(refused([2], [1, 2]), { message: /only 1 broker is left/ }, 'the leaving one may be down')
})

const topic = (name: string, ...rows: [leader: number, replicas: number[], inSync: number[]][]) =>
  ({
    name,
    topicId: '',
    isInternal: false,
    partitions: rows.map(([leader, replicas, inSync], index) => ({
      ...{ index, leader, leaderEpoch: 0, replicas, inSync, offline: [] },
    })),
  }) satisfies TopicMetadata

t.test('leaderships go to replicas in sync, those that lead least first', async (t) => {
  const topics = [
    topic('a', [1, [1, 2, 3], [1, 2, 3]], [1, [1, 2, 3], [3, 1]], [2, [2, 1], [2, 1]]),
    topic('b', [1, [1, 2], [1]], [-1, [1], []], [1, [1, 3, 2], [1, 2, 3]]),
  ]
  const to = (plan: ReturnType<typeof planTransfers>) =>
    plan.transfers.map((row) => [`${row.topic}-${row.partition}`, row.from, row.to, row.replicas])
  const plan = planTransfers(topics, 1)
  t.strictSame(to(plan), [
    ['a-0', 1, 3, [1, 2, 3]],
    ['a-1', 1, 3, [1, 2, 3]],
    ['b-2', 1, 2, [1, 3, 2]],
  ])
  t.strictSame(plan.stuck, [{ topic: 'b', partition: 0 }], 'nobody else is in sync')
  const given = planTransfers(topics, 1, 2)
  t.strictSame(
    to(given).map(([name, , heir]) => [name, heir]),
    [
      ['a-0', 2],
      ['b-2', 2],
    ],
  )
  t.equal(given.stuck.length, 2, 'all to one: what it cannot take stays')
  t.strictSame(planTransfers(topics, 9), { transfers: [], stuck: [] })
})
