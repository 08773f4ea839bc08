import t from 'tap'
import { cluster } from '../../src/machines/cluster/cluster.ts'
import type { ClusterCommand } from '../../src/machines/cluster/commands.ts'
import { type ClusterState, votersAtOpen } from '../../src/machines/cluster/state.ts'

const now = { wallMs: 1_700_000_000_000, monotonicMs: 0 }
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Decides, checks that the changes survive their encoding, applies them, and gives the one reply. */
function ask(state: ClusterState, command: ClusterCommand) {
  const decision = cluster.decide(state, command, now, 7)
  for (const change of decision.changes) {
    const { key, value } = cluster.changes.encode(change)
    cluster.apply(state, cluster.changes.decode(key, value))
  }
  const reply = decision.replies[0]
  if (reply === undefined || reply.to !== 7) throw new Error('one reply, to the caller')
  return reply
}

function formed(brokers = 1): ClusterState {
  const state = cluster.empty()
  for (let id = 1; id <= brokers; id++) {
    ask(state, {
      type: 'registerBroker',
      id,
      diskId: uuid(id),
      host: '127.0.0.1',
      port: 9091 + id,
      rack: null,
      peerHost: '127.0.0.1',
      peerPort: 9191 + id,
      freshClusterId: uuid(100 + id),
    })
  }
  return state
}

const topic = (
  name: string,
  extra: Partial<Extract<ClusterCommand, { type: 'createTopic' }>> = {},
): ClusterCommand => ({
  type: 'createTopic',
  name,
  freshId: uuid(name.length + 1000),
  partitions: 1,
  replicationFactor: 1,
  assignment: null,
  configs: new Map(),
  validateOnly: false,
  partitionsMax: 100,
  away: [],
  ...extra,
})

t.test(
  'the first broker forms the cluster; it keeps its id, and a wiped disk is another broker',
  async (t) => {
    const state = formed()
    t.equal(state.clusterId, uuid(101))
    const again = {
      type: 'registerBroker',
      id: 1,
      host: 'moved',
      port: 1,
      rack: 'a',
      peerHost: 'moved',
      peerPort: 2,
      freshClusterId: uuid(9),
    } as const
    t.match(ask(state, { ...again, diskId: uuid(1) }), { reply: { clusterId: uuid(101) } })
    t.match(state.brokers.get(1), { host: 'moved', port: 1, rack: 'a' })
    t.match(ask(state, { ...again, diskId: uuid(66) }), { refused: 'DUPLICATE_BROKER_REGISTRATION' })
  },
)

t.test('topics: made, found by name and id, widened, configured, deleted', async (t) => {
  const state = formed()
  t.match(ask(state, topic('orders', { partitions: 3 })), {
    reply: { name: 'orders', partitions: 3, replicationFactor: 1 },
  })
  const orders = state.topics.byName('orders')
  t.equal(orders, state.topics.byId(orders?.id ?? ''))
  t.match(ask(state, topic('orders', { freshId: uuid(77) })), { refused: 'TOPIC_ALREADY_EXISTS' })
  t.match(
    ask(state, topic('orders')),
    { reply: { partitions: 3 } },
    'asked again by who made it: it is the same',
  )
  const widen = {
    type: 'createPartitions',
    topic: 'orders',
    assignment: null,
    partitionsMax: 100,
    away: [],
  } as const
  t.match(ask(state, { ...widen, count: 3, validateOnly: false }), { refused: 'INVALID_PARTITIONS' })
  t.match(ask(state, { ...widen, count: 5, validateOnly: true }), { reply: { count: 5 } })
  t.equal(orders?.placements.length, 3, 'a dry run changes nothing')
  t.match(ask(state, { ...widen, count: 5, validateOnly: false }), { reply: { count: 5 } })
  t.equal(orders?.placements.length, 5)

  const alter = {
    type: 'alterTopicConfigs',
    topic: 'orders',
    remove: [],
    replace: false,
    validateOnly: false,
  } as const
  t.match(
    ask(state, {
      ...alter,
      set: new Map([
        ['retention.ms', '5'],
        ['segment.bytes', '4096'],
      ]),
    }),
    { reply: null },
  )
  t.match(ask(state, { ...alter, set: new Map(), remove: ['retention.ms'] }), { reply: null })
  t.strictSame([...(orders?.configs ?? [])], [['segment.bytes', '4096']])
  t.match(ask(state, { ...alter, set: new Map([['segment.bytes', '-1']]) }), { refused: 'INVALID_CONFIG' })
  t.match(ask(state, { ...alter, set: new Map([['retention.ms', '9']]), replace: true }), { reply: null })
  t.strictSame([...(orders?.configs ?? [])], [['retention.ms', '9']])

  t.match(ask(state, { type: 'deleteTopic', id: orders?.id ?? '' }), { reply: { name: 'orders' } })
  t.equal(state.topics.byName('orders'), undefined)
  t.match(ask(state, { type: 'deleteTopic', id: orders?.id ?? '' }), { refused: 'UNKNOWN_TOPIC_ID' })
})

t.test('what a topic cannot be', async (t) => {
  const state = formed()
  ask(state, topic('a.b'))
  const cases: [ReturnType<typeof topic>, string][] = [
    [topic('../x'), 'INVALID_TOPIC_EXCEPTION'],
    [topic('..'), 'INVALID_TOPIC_EXCEPTION'],
    [topic(''), 'INVALID_TOPIC_EXCEPTION'],
    [topic('x'.repeat(250)), 'INVALID_TOPIC_EXCEPTION'],
    [topic('a_b'), 'INVALID_TOPIC_EXCEPTION'],
    [topic('n\u0000l'), 'INVALID_TOPIC_EXCEPTION'],
    [topic('zero', { partitions: 0 }), 'INVALID_PARTITIONS'],
    [topic('many', { partitions: 101 }), 'POLICY_VIOLATION'],
    [topic('wide', { replicationFactor: 2 }), 'INVALID_REPLICATION_FACTOR'],
    [topic('odd', { configs: new Map([['cleanup.policy', 'compact']]) }), 'INVALID_CONFIG'],
    [topic('gone', { assignment: [[9]] }), 'INVALID_REPLICA_ASSIGNMENT'],
    [topic('twice', { assignment: [[1, 1]] }), 'INVALID_REPLICA_ASSIGNMENT'],
    [topic('none', { assignment: [[]] }), 'INVALID_REPLICA_ASSIGNMENT'],
  ]
  for (const [command, refused] of cases)
    t.match(ask(state, command), { refused, detail: /\w+ \w+/ }, refused)
  t.equal(state.topics.size, 1)
})

t.test('leaders and replicas come out even over three brokers', async (t) => {
  const state = formed(3)
  ask(state, topic('t', { partitions: 30, replicationFactor: 3 }))
  ask(state, topic('uu', { partitions: 30, replicationFactor: 2 }))
  const leaders = new Map<number, number>()
  for (const { placements } of state.topics.all()) {
    for (const replicas of placements) {
      t.equal(new Set(replicas).size, replicas.length)
      leaders.set(replicas[0] ?? 0, (leaders.get(replicas[0] ?? 0) ?? 0) + 1)
    }
  }
  t.strictSame([...leaders].sort(), [
    [1, 20],
    [2, 20],
    [3, 20],
  ])
})

t.test('producer ids never come twice', async (t) => {
  const state = formed()
  const allocate = () => ask(state, { type: 'allocateProducerIds', count: 1000 })
  t.match(allocate(), { reply: { first: 0, count: 1000 } })
  t.match(allocate(), { reply: { first: 1000, count: 1000 } })
})

t.test('settings of brokers: dynamic ones only', async (t) => {
  const state = formed()
  const alter = {
    type: 'alterBrokerConfigs',
    broker: '',
    remove: [],
    replace: false,
    validateOnly: false,
  } as const
  t.match(ask(state, { ...alter, set: new Map([['log.retention.ms', '1000']]) }), { reply: null })
  t.strictSame([...(state.brokerConfigs.get('') ?? [])], [['log.retention.ms', '1000']])
  t.match(ask(state, { ...alter, set: new Map([['num.partitions', '2']]) }), {
    refused: 'INVALID_REQUEST',
    detail: /at start only/,
  })
  t.match(ask(state, { ...alter, set: new Map([['no.such', '2']]) }), { refused: 'INVALID_CONFIG' })
})

t.test('an image is the whole state', async (t) => {
  const state = formed(3)
  ask(
    state,
    topic('orders', { partitions: 4, replicationFactor: 2, configs: new Map([['retention.ms', '7']]) }),
  )
  ask(state, { type: 'allocateProducerIds', count: 1000 })
  ask(state, {
    type: 'alterBrokerConfigs',
    broker: '2',
    set: new Map([['log.retention.ms', '1000']]),
    remove: [],
    replace: false,
    validateOnly: false,
  })
  const copy = cluster.image.decode(cluster.image.encode(state))
  t.same(copy, state)
  t.same([...copy.topics.all()], [...state.topics.all()])
})

t.test('a change or an image of a newer release is refused, not misread', async (t) => {
  const { key, value } = cluster.changes.encode({ type: 'producerIdsAllocated', next: 5 })
  const newer = Buffer.from(key)
  newer.writeInt16BE(99, 2)
  t.throws(() => cluster.changes.decode(newer, value), { name: 'Faulted' })
  const image = cluster.image.encode(formed())
  image.writeUInt16BE(99, 0)
  t.throws(() => cluster.image.decode(image), { name: 'Faulted' })
})

t.test('replicas of a partition lie in as many racks as there are, and leaders come out even', async (t) => {
  const state = cluster.empty()
  for (let id = 1; id <= 6; id++) {
    ask(state, {
      type: 'registerBroker',
      id,
      diskId: uuid(id),
      host: '127.0.0.1',
      port: 9091 + id,
      rack: ['a', 'a', 'a', 'b', 'b', 'c'][id - 1] ?? null,
      peerHost: null,
      peerPort: 0,
      freshClusterId: uuid(100),
    })
  }
  const racks = (replicas: readonly number[]) =>
    new Set(replicas.map((id) => state.brokers.get(id)?.rack)).size
  ask(state, topic('spread', { partitions: 12, replicationFactor: 3 }))
  ask(state, topic('pairs', { partitions: 12, replicationFactor: 2 }))
  const spread = state.topics.byName('spread')?.placements ?? []
  t.same(spread.map(racks), Array(12).fill(3))
  t.same(state.topics.byName('pairs')?.placements.map(racks), Array(12).fill(2))
  const leaders = spread.map(([leader]) => leader)
  for (let id = 1; id <= 6; id++) t.equal(leaders.filter((leader) => leader === id).length, 2)
})

t.test(
  'a partition moves: both sides hold it until its leader says that the voters have changed',
  async (t) => {
    const state = formed(4)
    ask(state, topic('orders', { replicationFactor: 3, assignment: [[1, 2, 3]], partitions: null }))
    const orders = state.topics.byName('orders')
    if (orders === undefined) throw new Error('it was made')
    const { id: topicId } = orders
    const reassign = (replicas: readonly number[] | null) =>
      ask(state, { type: 'reassignPartition', topicId, index: 0, replicas })
    const finish = (moveId: number) => ask(state, { type: 'finishMove', topicId, index: 0, moveId })
    t.match(reassign(null), { refused: 'NO_REASSIGNMENT_IN_PROGRESS' })
    t.match(reassign([]), { refused: 'INVALID_REPLICA_ASSIGNMENT' })
    t.match(reassign([4, 4]), { refused: 'INVALID_REPLICA_ASSIGNMENT' })
    t.match(reassign([9]), { refused: 'INVALID_REPLICA_ASSIGNMENT' })
    reassign([4, 2, 1])
    t.same(orders.placements[0], [4, 2, 1, 3])
    t.same(orders.moves.get(0), { id: 1, from: [1, 2, 3], to: [4, 2, 1] })
    reassign(null)
    t.same(
      orders.placements[0],
      [1, 2, 3, 4],
      'giving up: everybody holds it until the voters are the old ones again',
    )
    finish(1)
    t.ok(orders.moves.has(0), 'a late report about the move before changes nothing')
    finish(2)
    t.same(orders.placements[0], [1, 2, 3])
    t.equal(orders.moves.size, 0)
    t.same(votersAtOpen(orders, 0, 1), [1, 2, 3])
    t.same(votersAtOpen(orders, 0, 4), [])
    t.match(ask(state, { type: 'retireBroker', id: 3 }), { refused: 'INVALID_REQUEST' })
    reassign([4, 2, 1])
    finish(3)
    t.same(cluster.image.decode(cluster.image.encode(state)), state, 'an image holds all of it')
    reassign([3, 4, 1])
    t.same(votersAtOpen(orders, 0, 3), [], 'who left and came back begins with nothing')
    t.same(votersAtOpen(orders, 0, 1), [1, 2, 3])
    finish(4)
    reassign([4, 3, 1])
    t.equal(orders.moves.size, 0, 'another order needs nobody')
    t.same(orders.placements[0], [4, 3, 1])
    ask(state, { type: 'retireBroker', id: 2 })
    t.notOk(state.brokers.has(2))
    t.match(ask(state, { type: 'retireBroker', id: 2 }), { refused: 'BROKER_ID_NOT_REGISTERED' })
  },
)
