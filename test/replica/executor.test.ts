/** A machine on a replica: what callers are told, and what is there after a crash. */
import t from 'tap'
import type { Log } from '../../src/log/log.ts'
import { Executor } from '../../src/replica/executor.ts'
import type { ExecutorSettings } from '../../src/replica/executor-options.ts'
import type { Replica } from '../../src/replica/replica.ts'
import { Cluster } from './cluster.ts'
import { type Change, type Counters, counters } from './counters.ts'
import { Broker } from './fixture.ts'

const settings: ExecutorSettings = {
  imageEveryBytes: 1 << 20,
  imageEveryChanges: 1e6,
  commandsPendingMax: 100,
}

function openOn(broker: Broker, replica: Replica, own: Partial<ExecutorSettings> = {}) {
  return Executor.open({
    machine: counters,
    replica,
    clock: broker.clock,
    settings: { ...settings, ...own },
    notLeader: 'NOT_COORDINATOR',
    onEvent: (event) => broker.events.push(event),
  })
}

async function serving(broker = new Broker(), own: Partial<ExecutorSettings> = {}) {
  const replica = await broker.open()
  const opening = openOn(broker, replica, own)
  await broker.clock.advance(0)
  return { broker, replica, executor: await opening }
}

const total = (name: string) => (state: Readonly<Counters>) => state.totals.get(name) ?? 0

/** Holds the syncs of segments until it is called. */
function holdSyncs(broker: Broker): () => Promise<void> {
  const held: (() => void)[] = []
  broker.device = ({ kind, path }) =>
    kind === 'sync' && path.endsWith('.log')
      ? new Promise((resolve) => held.push(resolve))
      : Promise.resolve()
  return async () => {
    for (const resolve of held.splice(0)) resolve()
    await broker.clock.advance(0)
  }
}

t.test('where it leads already, it serves as soon as it is open', async (t) => {
  const { executor, replica } = await serving()
  t.equal(executor.isReady, true)
  await executor.whenReady()
  t.equal(replica.isReady, true)
  t.equal(executor.query(total('x')), 0)
})

t.test('when nothing is pending, a reply without changes leaves at once', async (t) => {
  const { broker, executor } = await serving()
  const sync = holdSyncs(broker)
  t.equal(await executor.execute({ type: 'read', name: 'x' }), 0)
  await t.rejects(executor.execute({ type: 'refuse' }), {
    code: 'INVALID_REQUEST',
    detail: 'as it was asked to',
  })
  await sync()
})

t.test('replies wait for the sync; refusals of the machine, too', async (t) => {
  const { broker, executor } = await serving()
  const sync = holdSyncs(broker)
  const told: string[] = []
  const tell = (what: string, promise: Promise<unknown>): void => {
    promise.then(
      (reply) => told.push(`${what} ${reply}`),
      (error: Error) => told.push(`${what} ${error.message}`),
    )
  }
  tell('add', executor.execute({ type: 'add', name: 'x', by: 5 }))
  tell('read', executor.execute({ type: 'read', name: 'x' }))
  await broker.clock.advance(0)
  tell('later read', executor.execute({ type: 'read', name: 'x' }))
  tell('refuse', executor.execute({ type: 'refuse' }))
  await broker.clock.advance(100)
  t.same(told, [])
  t.equal(executor.query(total('x')), 5, 'a query reads what is decided')
  await sync()
  t.same(told, ['add 5', 'read 5', 'later read 5', 'refuse INVALID_REQUEST: as it was asked to'])
})

t.test('the commands of one turn share one batch', async (t) => {
  const { broker, executor, replica } = await serving()
  const syncs = broker.syncs
  const adds = Array.from({ length: 50 }, () => executor.execute({ type: 'add', name: 'x', by: 1 }))
  await broker.clock.advance(0)
  t.same((await Promise.all(adds)).at(-1), 50)
  t.equal(broker.syncs - syncs, 1)
  const { batches } = await replica.log.read(0, { boundOffset: 50, maxBytes: 1e6, minOne: true })
  t.equal(batches.length, 1)
  t.equal(batches[0]?.readInt32BE(57), 50, 'records in the batch')
})

t.test('a reply may come with a later decision', async (t) => {
  const { broker, executor } = await serving()
  const waiting = executor.execute({ type: 'waitFor', name: 'x', atLeast: 3 })
  let told = 0
  void waiting.then((reply) => {
    told = reply
  })
  for (const _ of [1, 2]) {
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await broker.clock.advance(0)
  }
  t.equal(told, 0)
  void executor.execute({ type: 'add', name: 'x', by: 1 })
  await broker.clock.advance(0)
  t.equal(told, 3)
})

t.test('its deadline comes when nobody calls', async (t) => {
  const { broker, executor } = await serving()
  t.equal(broker.clock.pendingTimers, 0)
  void executor.execute({ type: 'add', name: 'x', by: 7 })
  for (let round = 0; round < 10; round++) {
    void executor.execute({ type: 'clearIn', ms: 1000 })
    await broker.clock.advance(100)
    t.ok(broker.clock.pendingTimers <= 1, 'one timer, however often the deadline is put off')
  }
  await broker.clock.advance(890)
  t.equal(executor.query(total('x')), 7)
  await broker.clock.advance(20)
  t.equal(executor.query(total('x')), 0)
  t.equal(broker.clock.pendingTimers, 0)
})

t.test('after a restart the state is what was committed', async (t) => {
  const broker = new Broker()
  let { executor } = await serving(broker)
  const done = Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      executor.execute({ type: 'add', name: `c${index % 3}`, by: index }),
    ),
  )
  await broker.clock.advance(0)
  await done
  holdSyncs(broker)
  void executor.execute({ type: 'add', name: 'c0', by: 1000 }).catch(() => {})
  await broker.clock.advance(0)
  broker.device = () => Promise.resolve()
  broker.losePower(5)
  ;({ executor } = await serving(broker))
  t.equal(executor.query(total('c1')), 145)
  const c0 = executor.query(total('c0'))
  t.ok([135, 1135].includes(c0), 'what was not acknowledged may be there or not')
})

t.test('images: the log is trimmed, and a restart needs only what follows', async (t) => {
  const broker = new Broker()
  let { executor, replica } = await serving(broker, { imageEveryChanges: 20 })
  for (let round = 0; round < 100; round++) {
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await broker.clock.advance(1)
  }
  t.ok(replica.log.start >= 80, `the log starts at ${replica.log.start}`)
  const applied: Change[] = []
  broker.losePower()
  replica = await broker.open()
  const opening = openOn(broker, replica, { imageEveryChanges: 20 })
  await broker.clock.advance(0)
  executor = await opening
  executor.onApplied((change) => applied.push(change))
  t.equal(executor.query(total('x')), 100)
  const add = executor.execute({ type: 'add', name: 'x', by: 1 })
  await broker.clock.advance(0)
  t.equal(await add, 101)
  t.same(applied, [{ type: 'set', name: 'x', total: 101 }], 'nothing of what the image held')
})

t.test('an image is taken under load, too: commands are held for one commit', async (t) => {
  const { broker, executor, replica } = await serving(new Broker(), { imageEveryChanges: 10 })
  const sync = holdSyncs(broker)
  const replies: Promise<number>[] = []
  const images = new Set<number>()
  const checkImage = (): void => {
    const image = replica.log.images.newest()
    if (image === null || images.has(image.offset)) return
    images.add(image.offset)
    t.equal(image.image.toString(), `[["x",${image.offset}]]`, 'the image is the state at its offset')
  }
  let isCommitted = true
  for (let round = 0; round < 60; round++) {
    replies.push(executor.execute({ type: 'add', name: 'x', by: 1 }))
    await broker.clock.advance(0)
    // Never a moment in which nothing is pending.
    replies.push(executor.execute({ type: 'add', name: 'x', by: 1 }))
    await sync()
    isCommitted &&= replica.highWatermark === replica.log.end
    checkImage()
  }
  while (replica.highWatermark < 120) await sync()
  t.equal(isCommitted, false)
  t.same(
    await Promise.all(replies),
    Array.from({ length: 120 }, (_, index) => index + 1),
  )
  broker.device = () => Promise.resolve()
  await sync()
  t.ok(replica.log.start > 50, `the log starts at ${replica.log.start}`)
  checkImage()
  t.ok(images.size > 5, `${images.size} images`)
})

t.test('an image that cannot be written costs nothing but room', async (t) => {
  const { broker, executor, replica } = await serving(new Broker(), { imageEveryChanges: 10 })
  broker.fault = ({ path, kind }) =>
    kind === 'write' && path.includes('.image') ? { code: 'ENOSPC' } : undefined
  for (let round = 0; round < 25; round++) {
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await broker.clock.advance(1)
  }
  t.equal(executor.query(total('x')), 25)
  t.equal(replica.log.start, 0)
  t.equal(broker.events.filter(({ event }) => event === 'machine.image.failed').length, 2)
  broker.fault = () => undefined
  for (let round = 0; round < 10; round++) {
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await broker.clock.advance(1)
  }
  t.ok(replica.log.start > 25)
})

t.test('a trimmed log without its image is a fault, never an empty state', async (t) => {
  const { broker, executor, replica } = await serving(new Broker(), { imageEveryChanges: 10 })
  for (let round = 0; round < 30; round++) {
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await broker.clock.advance(1)
  }
  const start = replica.log.start
  t.ok(start > 0)
  broker.kill()
  const mount = broker.disk.mount()
  for (const name of mount.list('/data/t-0')) if (name.endsWith('.image')) mount.remove(`/data/t-0/${name}`)
  const again = await broker.open()
  await Promise.all([
    t.rejects(openOn(broker, again), { name: 'Faulted', message: /there is no image/ }),
    broker.clock.advance(0),
  ])
  t.equal(broker.events.filter(({ event }) => event === 'machine.failed').length, 1)
})

t.test('a failed disk: who waits is refused, and so is who comes', async (t) => {
  const { broker, executor } = await serving()
  const add = executor.execute({ type: 'add', name: 'x', by: 1 })
  const waiting = executor.execute({ type: 'waitFor', name: 'x', atLeast: 9 })
  broker.fault = ({ kind }) => (kind === 'sync' ? { code: 'EIO' } : undefined)
  await Promise.all([
    t.rejects(add, { code: 'NOT_COORDINATOR' }),
    t.rejects(waiting, { code: 'NOT_COORDINATOR' }),
    broker.clock.advance(0),
  ])
  t.equal(executor.isReady, false)
  await t.rejects(executor.execute({ type: 'read', name: 'x' }), { code: 'NOT_COORDINATOR' })
  t.throws(() => executor.query(total('x')), { code: 'NOT_COORDINATOR' })
  await t.rejects(executor.whenReady(), { code: 'NOT_COORDINATOR' })
})

t.test('a machine that breaks its own rules stops, and says so', async (t) => {
  const { broker, executor } = await serving()
  await t.rejects(executor.execute({ type: 'break' }), { code: 'NOT_COORDINATOR' })
  t.equal(executor.isReady, false)
  t.match(
    broker.events.filter(({ event }) => event === 'machine.failed'),
    [{ message: /a bug of the machine/, machine: 'counters' }],
  )
})

t.test('a proposal that is refused is not in the state', async (t) => {
  const broker = new Broker()
  const replica = await broker.open('t-0', [1], { uncommittedBytesMax: 300 })
  const opening = openOn(broker, replica)
  await broker.clock.advance(0)
  const executor = await opening
  const sync = holdSyncs(broker)
  const first = executor.execute({ type: 'add', name: 'x', by: 1 })
  await broker.clock.advance(0)
  const second = executor.execute({ type: 'add', name: 'y'.repeat(300), by: 1 })
  const both = Promise.allSettled([first, second])
  await broker.clock.advance(0)
  await sync()
  t.match(await both, [
    { status: 'rejected', reason: { code: 'NOT_COORDINATOR' } },
    { status: 'rejected', reason: { code: 'NOT_COORDINATOR' } },
  ])
  await sync()
  t.equal(executor.isReady, true, 'it goes on from what is committed')
  t.equal(executor.query(total('x')), 1, 'the first was in the log, and took effect after all')
  t.equal(executor.query(total('y'.repeat(300))), 0)
})

t.test('callers that wait are bounded', async (t) => {
  const { executor } = await serving(new Broker(), { commandsPendingMax: 3 })
  for (const _ of [1, 2, 3]) {
    executor.execute({ type: 'waitFor', name: 'x', atLeast: 9 }).catch(() => {})
  }
  await t.rejects(executor.execute({ type: 'read', name: 'x' }), { code: 'COORDINATOR_LOAD_IN_PROGRESS' })
  executor.close()
  executor.close()
  await t.rejects(executor.execute({ type: 'read', name: 'x' }), { code: 'NOT_COORDINATOR' })
})

t.test(
  'listeners hear each committed change once, in order, also when the state is loaded again',
  async (t) => {
    const broker = new Broker()
    const replica = await broker.open('t-0', [1], { uncommittedBytesMax: 400 })
    const opening = openOn(broker, replica, { imageEveryChanges: 4 })
    const heard: number[] = []
    await broker.clock.advance(0)
    const executor = await opening
    const unsubscribe = executor.onApplied((change) => heard.push(change.type === 'set' ? change.total : -1))
    const sync = holdSyncs(broker)
    for (let round = 0; round < 6; round++) {
      void executor.execute({ type: 'add', name: 'x', by: 1 }).catch(() => {})
      await sync()
      await sync()
    }
    t.same(heard, [1, 2, 3, 4, 5, 6])
    void executor.execute({ type: 'add', name: 'x', by: 1 }).catch(() => {})
    await broker.clock.advance(0)
    t.same(heard, [1, 2, 3, 4, 5, 6], 'not before it is committed')
    void executor.execute({ type: 'add', name: 'z'.repeat(400), by: 1 }).catch(() => {})
    for (let round = 0; round < 4; round++) await sync()
    t.same(heard, [1, 2, 3, 4, 5, 6, 7])
    unsubscribe()
    broker.device = () => Promise.resolve()
    void executor.execute({ type: 'add', name: 'x', by: 1 })
    await sync()
    t.equal(heard.length, 7)
  },
)

t.test('reading goes on while a long log is replayed', async (t) => {
  const broker = new Broker()
  const { executor } = await serving(broker)
  for (let round = 0; round < 20; round++) {
    for (let each = 0; each < 200; each++) {
      void executor.execute({ type: 'add', name: `${round}-${each}`.padEnd(200), by: 1 }).catch(() => {})
      if (each % 50 === 49) await broker.clock.advance(0)
    }
  }
  broker.kill()
  const replica = await broker.open()
  const opening = openOn(broker, replica)
  let reads = 0
  const read = replica.log.read.bind(replica.log)
  const log = replica.log as { -readonly [K in keyof Log]: Log[K] }
  log.read = (...args) => {
    reads++
    return read(...args)
  }
  await broker.clock.advance(0)
  const again = await opening
  t.equal(
    again.query(({ totals }) => totals.size),
    4000,
  )
  t.ok(reads > 3, `${reads} reads`)
})

t.test('what has no image yet is kept, also between a start and the loading of the machine', async (t) => {
  const cluster = new Cluster()
  cluster.hasMachine = true
  await cluster.open()
  const leader = await cluster.leader()
  const [behind = 0] = cluster.ids.filter((id) => id !== cluster.idOf(leader))
  const broker = cluster.brokers[behind - 1] as Broker
  // Images come at other times on each of them.
  const executor = await openOn(cluster.brokers[cluster.idOf(leader) - 1] as Broker, leader, {
    imageEveryChanges: 5,
  })
  await openOn(broker, cluster.member(behind))
  for (let i = 0; i < 12; i++) {
    const added = executor.execute({ type: 'add', name: 'x', by: 1 })
    await cluster.clock.advance(50)
    t.equal(await added, i + 1)
  }
  t.ok(leader.log.start > 0, 'the leader has an image, and its log begins there')
  t.equal(cluster.member(behind).log.start, 0, 'this one has none')

  broker.kill()
  const again = await cluster.start(behind)
  await cluster.clock.advance(500)
  t.equal(again.log.start, 0, 'nor now, while its machine is not loaded')
  const reopened = await openOn(broker, again)
  t.same(
    broker.events.filter(({ event }) => event === 'machine.failed'),
    [],
  )
  ;(await cluster.leader()).transferLeadership(behind)
  await Promise.all([reopened.whenReady(), cluster.clock.advance(1000)])
  t.equal(reopened.query(total('x')), 12)
})
