/** A quorum of one, on a disk that can fail: the same path that a quorum of three takes. */
import t from 'tap'
import type { Refused } from '../../src/base/errors.ts'
import { nodeWorld } from '../../src/io/node-world.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { ReplicaHost } from '../../src/replica/replica-host.ts'
import { Broker, batchOf, logSettings, propose, synced, valuesOf } from './fixture.ts'

/** A device that holds syncs until it is told. */
function gate(broker: Broker) {
  const held: (() => void)[] = []
  broker.device = ({ kind, path }) =>
    kind === 'sync' && path.endsWith('.log')
      ? new Promise((resolve) => held.push(resolve))
      : Promise.resolve()
  return {
    get waiting(): number {
      return held.length
    },
    async open(): Promise<void> {
      for (const resolve of held.splice(0)) resolve()
      await broker.clock.advance(0)
    },
  }
}

t.test('elected is not ready: it serves when the start of its epoch is durable (R-08)', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  t.equal(replica.role, 'leader')
  t.equal(replica.isReady, false)
  t.throws(() => replica.propose(batchOf('early')), { code: 'NOT_LEADER_OR_FOLLOWER' })
  const ready = replica.whenReady()
  await broker.clock.advance(0)
  await ready
  t.equal(replica.isReady, true)
  t.equal(replica.epoch, 1)
  t.equal(replica.leaderId, 1)
  t.equal(broker.clock.pendingTimers, 0, 'a sole voter sets no timer')
  t.equal(broker.disk.mount().stat('/data/t-0/vote'), null, 'and writes no ballot')
})

t.test('offsets are dense from 0, over restarts and new epochs', async (t) => {
  const broker = new Broker()
  let replica = await broker.open()
  await broker.clock.advance(0)
  const fates: string[] = []
  t.equal(propose(replica, fates, 'a', 'b'), 2)
  t.same(fates, [])
  t.equal(replica.highWatermark, 0)
  await broker.clock.advance(0)
  t.same(fates, ['a committed'])
  t.equal(replica.highWatermark, 2)

  for (const restart of ['close', 'kill', 'power'] as const) {
    if (restart === 'close') await Promise.all([replica.close(), broker.clock.advance(0)])
    if (restart === 'power') broker.losePower()
    else broker.kill()
    const { epoch } = replica
    replica = await broker.open()
    await broker.clock.advance(0)
    t.equal(replica.epoch, epoch + 1, `a new epoch after ${restart}`)
    t.equal(replica.highWatermark, replica.log.end)
    propose(replica, fates, restart)
    await broker.clock.advance(0)
  }
  t.same(await valuesOf(replica), ['a', 'b', 'close', 'kill', 'power'])
  t.equal(replica.log.epochOf(4), 4)
})

t.test('what arrives during a sync shares the next: group commit', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  await broker.clock.advance(0)
  const { waiting: _, ...disk } = gate(broker)
  const syncs = broker.syncs
  const fates: string[] = []
  propose(replica, fates, 'a')
  propose(replica, fates, 'b')
  await broker.clock.advance(0)
  for (const value of ['c', 'd', 'e']) {
    propose(replica, fates, value)
    await broker.clock.advance(0)
  }
  t.same(fates, [], 'nothing is acknowledged before its sync has ended')
  t.equal(broker.syncs - syncs, 1)
  await disk.open()
  t.same(fates, ['a committed', 'b committed'])
  await disk.open()
  t.same(fates, ['a committed', 'b committed', 'c committed', 'd committed', 'e committed'])
  t.equal(broker.syncs - syncs, 2, 'five batches, two syncs')
})

t.test('so many syncs at a time, whatever the number of logs', async (t) => {
  const broker = new Broker({ settings: { syncsInFlightMax: 2 } })
  const replicas = await Promise.all([0, 1, 2, 3, 4].map((index) => broker.open(`t-${index}`)))
  await broker.clock.advance(0)
  const disk = gate(broker)
  const fates: string[] = []
  for (const replica of replicas) propose(replica, fates, replica.name)
  await broker.clock.advance(0)
  t.equal(disk.waiting, 2)
  await disk.open()
  t.equal(disk.waiting, 2)
  t.equal(fates.length, 2)
  await disk.open()
  t.equal(disk.waiting, 1)
  await disk.open()
  t.equal(fates.length, 5)
})

t.test('callers are called in the order of offsets; what is committed calls back at once', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  await broker.clock.advance(0)
  const order: number[] = []
  const ends = ['a', 'b', 'c'].map((value) => replica.propose(batchOf(value)).endOffset)
  for (const end of [ends[2], ends[0], ends[1], ends[0]]) {
    replica.onCommitted(end ?? 0, replica.epoch, () => order.push(end ?? 0))
  }
  await broker.clock.advance(0)
  t.same(order, [1, 1, 2, 3])
  let refused: Refused | null | undefined
  replica.onCommitted(2, replica.epoch, (answer) => {
    refused = answer
  })
  t.equal(refused, null)
  replica.onCommitted(2, replica.epoch - 1, (answer) => {
    refused = answer
  })
  t.match(refused, { code: 'REQUEST_TIMED_OUT' }, 'another epoch has committed another record there')
})

t.test(
  'written is what a kill of the process leaves: not what waits behind a move of the start',
  async (t) => {
    const broker = new Broker()
    let replica = await broker.open()
    await broker.clock.advance(0)
    propose(replica, [], 'trimmed')
    await broker.clock.advance(0)
    let journalSynced = (): void => {}
    broker.device = ({ kind, path }) =>
      kind === 'sync' && path.endsWith('/journal')
        ? new Promise((resolve) => {
            journalSynced = resolve
          })
        : Promise.resolve()
    const raised = replica.raiseStart(1)
    const { endOffset, epoch } = replica.propose(batchOf('kept'))
    const fates: string[] = []
    replica.onWritten(endOffset, epoch, (refused) => fates.push(refused?.code ?? 'written'))
    await broker.clock.advance(10)
    t.same(fates, [], 'it is in memory')
    journalSynced()
    broker.device = () => Promise.resolve()
    await Promise.all([raised, broker.clock.advance(10)])
    t.same(fates, ['written'])
    let answer: Refused | null | undefined
    replica.onWritten(endOffset, epoch, (refused) => {
      answer = refused
    })
    t.equal(answer, null, 'what is written calls back at once')
    broker.kill()
    replica = await broker.open()
    await broker.clock.advance(0)
    t.same(await valuesOf(replica), ['kept'])

    broker.device = ({ kind, path }) =>
      kind === 'sync' && path.endsWith('/journal') ? new Promise(() => {}) : Promise.resolve()
    propose(replica, [], 'next')
    await broker.clock.advance(10)
    replica.raiseStart(2).catch(() => {}) // the process dies before
    const late = replica.propose(batchOf('late'))
    replica.onWritten(late.endOffset, late.epoch, (refused) => fates.push(refused?.code ?? 'written'))
    await broker.clock.advance(10)
    broker.kill()
    broker.device = () => Promise.resolve()
    replica = await broker.open()
    await broker.clock.advance(0)
    t.same(await valuesOf(replica), ['next'], 'late was in no file')
    t.same(fates, ['written'], 'and nobody was told that it was')
  },
)

t.test('a failed sync: never acknowledged, never tried again, offline (R-15)', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  await broker.clock.advance(0)
  const fates: string[] = []
  propose(replica, fates, 'safe')
  await broker.clock.advance(0)

  let failures = 0
  broker.fault = ({ kind, path }) => {
    if (kind !== 'sync' || !path.endsWith('.log')) return undefined
    failures++
    return { code: 'EIO' }
  }
  let advances = 0
  replica.onAdvance(() => advances++)
  propose(replica, fates, 'lost')
  const raised = replica.raiseStart(1)
  await t.rejects(Promise.all([raised, broker.clock.advance(0)]), { code: 'KAFKA_STORAGE_ERROR' })
  t.same(fates, ['safe committed', 'lost KAFKA_STORAGE_ERROR'])
  t.equal(replica.isReady, false)
  t.equal(replica.role, 'follower')
  t.equal(replica.leaderId, -1)
  t.equal(replica.highWatermark, 1, 'what was committed stays readable')
  t.same(await valuesOf(replica), ['safe'])
  t.match(replica.fault, { door: 'disk' })
  t.equal(advances, 1, 'listeners hear of it')
  t.match(
    broker.events.filter(({ event }) => event === 'replica.faulted'),
    [{ level: 'error', replica: 't-0' }],
  )

  broker.fault = () => undefined
  t.throws(() => replica.propose(batchOf('more')), { code: 'KAFKA_STORAGE_ERROR' })
  await t.rejects(replica.whenReady(), { code: 'KAFKA_STORAGE_ERROR' })
  await broker.clock.advance(1000)
  t.equal(failures, 1)

  broker.losePower()
  const again = await broker.open()
  await broker.clock.advance(0)
  t.same(await valuesOf(again), ['safe'], 'after a restart it serves what it had acknowledged')
})

t.test('a full disk: the batch is refused, and so is all that waits', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  await broker.clock.advance(0)
  broker.fault = ({ kind }) => (kind === 'write' ? { code: 'ENOSPC', written: 10 } : undefined)
  const fates: string[] = []
  propose(replica, fates, 'a')
  await broker.clock.advance(0)
  t.same(fates, ['a KAFKA_STORAGE_ERROR'])
})

t.test('flush.messages above 1: written counts, a sync follows by count and by time', async (t) => {
  const broker = new Broker()
  const replica = await broker.open('t-0', [1], { flushMessages: 5, flushMs: 100 })
  await broker.clock.advance(0)
  const syncs = broker.syncs
  const fates: string[] = []
  propose(replica, fates, 'a', 'b')
  await broker.clock.advance(0)
  t.same(fates, ['a committed'])
  t.equal(broker.syncs, syncs)
  propose(replica, fates, 'c', 'd', 'e')
  await broker.clock.advance(0)
  t.equal(broker.syncs, syncs + 1, 'five records: a sync')
  propose(replica, fates, 'f')
  await broker.clock.advance(50)
  t.equal(broker.syncs, syncs + 1)
  await broker.clock.advance(100)
  t.equal(broker.syncs, syncs + 2, 'flush.ms: a sync')
  await broker.clock.advance(1000)
  t.equal(broker.syncs, syncs + 2)
  t.equal(broker.clock.pendingTimers, 0, 'nothing to flush, no timer')

  replica.configure({ ...synced, flushMessages: Infinity })
  for (let round = 0; round < 10; round++) {
    propose(replica, fates, `${round}`)
    await broker.clock.advance(1000)
  }
  t.equal(broker.syncs, syncs + 2)
  t.equal(replica.highWatermark, 16)
  replica.configure(synced)
  await broker.clock.advance(0)
  t.equal(broker.syncs, syncs + 3, 'made strict again, it syncs what is not')
})

t.test('flush.messages above 1: an epoch is durable before anything is served in it', async (t) => {
  const broker = new Broker()
  const held: (() => void)[] = []
  broker.device = ({ kind }) =>
    kind === 'sync' ? new Promise((resolve) => held.push(resolve)) : Promise.resolve()
  const replica = await broker.open('t-0', [1], { flushMessages: Infinity })
  await broker.clock.advance(1000)
  t.equal(replica.isReady, false)
  broker.device = () => Promise.resolve()
  for (const resolve of held) resolve()
  await broker.clock.advance(0)
  t.equal(replica.isReady, true)
  propose(replica, [], 'a')
  await broker.clock.advance(0)
  t.equal(replica.highWatermark, 1)
  broker.losePower(3)
  const again = await broker.open('t-0', [1], { flushMessages: Infinity })
  await broker.clock.advance(0)
  t.equal(again.epoch, 2, 'records may be lost, their epoch is not used twice')
})

t.test('uncommitted bytes are bounded (R-30)', async (t) => {
  const broker = new Broker()
  const replica = await broker.open('t-0', [1], { uncommittedBytesMax: 300 })
  await broker.clock.advance(0)
  const disk = gate(broker)
  const fates: string[] = []
  propose(replica, fates, 'x'.repeat(1000))
  t.throws(() => replica.propose(batchOf('y')), { code: 'NOT_ENOUGH_REPLICAS' }, 'one batch may be larger')
  await broker.clock.advance(0)
  t.throws(() => replica.propose(batchOf('y')), { code: 'NOT_ENOUGH_REPLICAS' })
  await disk.open()
  t.equal(fates.length, 1)
  for (const value of ['a', 'b', 'c']) propose(replica, fates, value)
  t.throws(() => replica.propose(batchOf('x'.repeat(200))), { code: 'NOT_ENOUGH_REPLICAS' })
  await broker.clock.advance(0)
  await disk.open()
  propose(replica, fates, 'd')
  await broker.clock.advance(0)
  await disk.open()
  t.equal(fates.length, 5)
})

t.test('the log start moves by a decision that is on disk before a file goes', async (t) => {
  const broker = new Broker()
  let replica = await broker.open()
  await broker.clock.advance(0)
  for (let round = 0; round < 60; round++) propose(replica, [], `value ${round} ${'.'.repeat(60)}`)
  await broker.clock.advance(0)
  t.ok(replica.log.segments.length > 3)
  await t.rejects(replica.raiseStart(61), { code: 'OFFSET_OUT_OF_RANGE' })

  const removed: string[] = []
  broker.fault = ({ kind, path }) => {
    if (kind === 'remove' && path.endsWith('.log')) removed.push(path)
    return undefined
  }
  const starts: number[] = []
  replica.onAdvance(({ log }) => starts.push(log.start))
  const [start, lower] = await Promise.all([
    replica.raiseStart(40),
    replica.raiseStart(20),
    broker.clock.advance(0),
  ])
  t.equal(start, 40)
  t.equal(lower, 40)
  t.equal(starts.at(-1), 40)
  t.ok(removed.length > 0)
  t.equal(await replica.raiseStart(10), 40, 'lower than it is: nothing happens')
  t.equal(replica.highWatermark, 60)
  await t.rejects(replica.log.read(39, { boundOffset: 60, maxBytes: 100, minOne: true }), {
    code: 'OFFSET_OUT_OF_RANGE',
  })

  broker.losePower()
  broker.fault = () => undefined
  replica = await broker.open()
  await broker.clock.advance(0)
  t.equal(replica.log.start, 40)
  t.equal(replica.highWatermark, 60)
  propose(replica, [], 'next')
  await broker.clock.advance(0)
  t.equal((await valuesOf(replica)).at(-1), 'next')
})

t.test(
  'a committed move of the log start that was not carried out is carried out after a restart',
  async (t) => {
    const broker = new Broker()
    let replica = await broker.open()
    await broker.clock.advance(0)
    for (let round = 0; round < 60; round++) propose(replica, [], `value ${round} ${'.'.repeat(60)}`)
    await broker.clock.advance(0)
    void replica.raiseStart(50).catch(() => {})
    replica.retainFrom(30)
    await broker.clock.advance(0)
    await t.rejects(replica.raiseStart(40), { code: 'POLICY_VIOLATION' })
    t.equal(replica.log.start, 30, 'not beyond what this member needs itself')
    broker.losePower()
    replica = await broker.open()
    await broker.clock.advance(0)
    t.equal(replica.log.start, 50)
  },
)

t.test('closing finishes what was begun, and refuses the rest', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  await broker.clock.advance(0)
  const fates: string[] = []
  propose(replica, fates, 'a')
  const closed = replica.close()
  t.throws(() => replica.propose(batchOf('b')), { code: 'NOT_LEADER_OR_FOLLOWER' })
  await Promise.all([closed, replica.close(), broker.clock.advance(0)])
  t.same(fates, ['a committed'])
  t.equal(replica.isReady, false)
  await t.rejects(replica.whenReady(), { code: 'NOT_LEADER_OR_FOLLOWER' })
  await t.rejects(replica.raiseStart(1), { code: 'NOT_LEADER_OR_FOLLOWER' })

  const alone = await broker.open('t-1', [1, 2, 3])
  const ready = t.rejects(alone.whenReady(), { code: 'NOT_LEADER_OR_FOLLOWER' }, 'it will never be')
  await Promise.all([broker.host.close(), broker.clock.advance(0)])
  await ready
  t.equal(broker.clock.pendingTimers, 0)
})

t.test('listeners hear of a turn once', async (t) => {
  const broker = new Broker()
  const replica = await broker.open()
  const heard: number[] = []
  const unsubscribe = replica.onAdvance(({ highWatermark }) => heard.push(highWatermark))
  await broker.clock.advance(0)
  t.same(heard, [0, 0], 'elected; ready')
  for (const value of ['a', 'b', 'c']) propose(replica, [], value)
  await broker.clock.advance(0)
  t.same(heard, [0, 0, 3])
  unsubscribe()
  propose(replica, [], 'd')
  await broker.clock.advance(0)
  t.same(heard, [0, 0, 3])
})

t.test('a callback that throws takes nobody else with it', async (t) => {
  const broker = new Broker()
  const [bad, good] = [await broker.open('bad'), await broker.open('good')]
  await broker.clock.advance(0)
  const unsubscribe = bad.onAdvance(() => {
    throw new Error('a bug of a listener')
  })
  const fates: string[] = []
  bad.propose(batchOf('a'))
  propose(good, fates, 'b')
  await t.rejects(broker.clock.advance(0), { message: 'a bug of a listener' })
  unsubscribe()
  await broker.clock.advance(0)
  t.same(fates, ['b committed'])
})

t.test('on the real disk and clock: propose, commit, restart', async (t) => {
  const dataDir = t.testdir()
  const world = nodeWorld()
  const files = new FilePool({ disk: world.disk, openMax: 16 })
  const open = async () => {
    const host = new ReplicaHost({
      world,
      nodeId: 1,
      outbox: { send: () => t.fail('a sole voter sends nothing') },
      settings: { tickMs: 50, electionTimeoutMs: 1500, heartbeatMs: 150, syncsInFlightMax: 4 },
      onEvent: () => {},
    })
    const folder = `${dataDir}/t-0`
    const log = await openLog({ world, folder, settings: logSettings, files })
    const replica = await host.open({ name: 't-0', folder, log, voters: [1], settings: synced })
    await replica.whenReady()
    return { host, replica }
  }
  let { host, replica } = await open()
  for (let round = 0; round < 20; round++) {
    await new Promise<void>((resolve, reject) => {
      const { endOffset, epoch } = replica.propose(batchOf(`${round}`))
      replica.onCommitted(endOffset, epoch, (refused) => (refused === null ? resolve() : reject(refused)))
    })
  }
  t.equal(replica.highWatermark, 20)
  await host.close()
  ;({ host, replica } = await open())
  t.equal(replica.epoch, 2)
  t.same((await valuesOf(replica)).length, 20)
  await host.close()
})
