/** Logs that are written off the event loop: who waits for what is written hears of it. */
import t from 'tap'
import type { DiskOperation } from '../../src/embedded/sim-disk.ts'
import { Cluster } from './cluster.ts'
import { Broker, propose, valuesOf } from './fixture.ts'

const isWrite = ({ kind, path }: DiskOperation): boolean => kind === 'write' && path.endsWith('.log')

t.test('where written counts as durable, it does when it is written', async (t) => {
  const broker = new Broker()
  broker.leaveBytesMin = 1
  const replica = await broker.open('t-0', [1], { flushMessages: Infinity })
  await broker.clock.advance(0)
  const held: (() => void)[] = []
  broker.device = (operation) =>
    isWrite(operation) ? new Promise((resolve) => held.push(resolve)) : Promise.resolve()
  const fates: string[] = []
  propose(replica, fates, 'a')
  await broker.clock.advance(0)
  propose(replica, fates, 'b')
  await broker.clock.advance(1000)
  t.same(fates, [])
  t.equal(replica.highWatermark, 0)
  for (let left = 10; left > 0; left--) {
    for (const go of held.splice(0)) go()
    await broker.clock.advance(0)
  }
  t.same(fates, ['a committed', 'b committed'])
  t.same(await valuesOf(replica), ['a', 'b'])
})

t.test('a write that fails is told to who waits, without anybody asking again', async (t) => {
  const broker = new Broker()
  broker.leaveBytesMin = 1
  const replica = await broker.open('t-0', [1], { flushMessages: Infinity })
  await broker.clock.advance(0)
  const fates: string[] = []
  broker.fault = (operation) => (isWrite(operation) ? { code: 'EIO' } : undefined)
  propose(replica, fates, 'a')
  await broker.clock.advance(10)
  t.same(fates, ['a KAFKA_STORAGE_ERROR'])
})

t.test('a follower gets what its leader has written, when it has, in as many messages', async (t) => {
  for (const flushMessages of [1, Infinity]) {
    const appends = []
    for (const leaveBytesMin of [Infinity, 1]) {
      const cluster = new Cluster(3)
      cluster.settings = { flushMessages, flushMs: Infinity }
      for (const broker of cluster.brokers) broker.leaveBytesMin = leaveBytesMin
      await cluster.open()
      cluster.meet()
      const leader = await cluster.leader()
      for (const broker of cluster.brokers)
        broker.device = () => new Promise((resolve) => void cluster.clock.setTimer(3, resolve))
      const fates: string[] = []
      const before = cluster.sent.get('append') ?? 0
      for (let i = 0; i < 20; i++) {
        propose(leader, fates, `v${i}`)
        await cluster.clock.advance(20)
      }
      t.equal(fates.length, 20)
      for (const member of cluster.members) t.equal(member.log.end, 20)
      appends.push((cluster.sent.get('append') ?? 0) - before)
    }
    t.equal(appends[0], appends[1], 'none of them a question where the follower stands')
  }
})
