/** What brokers hear of leaders elsewhere: who leads, who does so no more, and nothing that is older than what they know. */
import t from 'tap'
import { Announcements, hear } from '../../src/broker/announcements.ts'
import { Leaders } from '../../src/broker/leaders.ts'
import type { Partition } from '../../src/broker/partition.ts'
import { ManualClock, turns } from '../server/world.ts'
import { FakeReplica } from './fake-replica.ts'

const topic = { id: '11111111-1111-4111-8111-111111111111' }

/** Broker 1 leads partition 0, and broker 2 hears of it. */
function start() {
  const clock = new ManualClock()
  const replica = new FakeReplica()
  const partition = { topic, index: 0, replica } as unknown as Partition
  const [here, there] = [new Leaders(clock), new Leaders(clock)]
  const announcements = new Announcements({
    nodeId: 1,
    clock,
    leaders: here,
    partitions: () => [partition],
    isConnected: () => true,
    onEvent: () => {},
    call: async (_id, _kind, payload) => {
      hear(there, 1, payload)
      return Buffer.alloc(0)
    },
  })
  announcements.setPeers([2])
  t.teardown(() => announcements.close())
  return {
    replica,
    there,
    /** What both know, once it is told. */
    known: async () => {
      announcements.advanced(partition)
      await turns()
      t.strictSame(there.of(topic.id, 0), here.of(topic.id, 0))
      return there.of(topic.id, 0)
    },
  }
}

t.test('a leader that is ready says so, and when it leads no more', async (t) => {
  const { replica, known } = start()
  replica.inSync = [1, 2]
  replica.isReady = false
  t.equal(await known(), undefined, 'elected is not ready')
  replica.isReady = true
  t.strictSame(await known(), { leaderId: 1, epoch: 3, isr: [1, 2] })
  // The majority is gone: it steps down, in the same epoch or a later one, and knows of nobody else.
  replica.inSync = []
  replica.resign(-1, 4)
  t.strictSame(await known(), { leaderId: -1, epoch: 3, isr: [] })
  replica.role = 'leader'
  replica.epoch = 6
  t.match(await known(), { leaderId: -1, epoch: 3 })
  replica.isReady = true
  replica.inSync = [1]
  t.strictSame(await known(), { leaderId: 1, epoch: 6, isr: [1] })
})

t.test('what an earlier epoch says comes too late', async (t) => {
  const { replica, known, there } = start()
  await known()
  there.heard(topic.id, 0, { leaderId: 2, epoch: 4, isr: [2] })
  replica.inSync = []
  replica.resign(2, 4)
  await turns()
  t.strictSame(there.of(topic.id, 0), { leaderId: 2, epoch: 4, isr: [2] })
})

t.test('a topic is led when all its partitions are', async (t) => {
  const { replica, known, there } = start()
  let isLed = false
  void there.whenLed(topic.id, 1, 1000).then(() => {
    isLed = true
  })
  replica.isReady = false
  await known()
  t.notOk(isLed)
  replica.isReady = true
  await known()
  t.ok(isLed)
  replica.inSync = []
  replica.resign(-1, 3)
  await known()
  isLed = false
  void there.whenLed(topic.id, 1, 1000).then(() => {
    isLed = true
  })
  await turns()
  t.notOk(isLed, 'not by one that leads no more')
})
