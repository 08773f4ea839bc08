/** R-47, gray failures: a leader whose disk is sick and not dead hands over, and nobody else does. */
import t from 'tap'
import { Refused } from '../../src/base/errors.ts'
import type { Member } from '../../src/replica/member.ts'
import { Cluster } from './cluster.ts'
import { batchOf, propose } from './fixture.ts'

const slowLeader = { slowMs: 100, windowMs: 500, windows: 3 }

/** From now on each sync of that broker takes so long. */
function slow(cluster: Cluster, id: number, ms: number): void {
  const broker = cluster.brokers[id - 1]
  if (broker === undefined) return
  broker.device = ({ kind }) =>
    kind === 'sync' && ms > 0
      ? new Promise((resolve) => void cluster.clock.setTimer(ms, resolve))
      : Promise.resolve()
}

/** Whoever leads takes something every 10 ms; returns how long each took to be committed. */
async function load(cluster: Cluster, forMs: number): Promise<number[]> {
  const latencies: number[] = []
  for (let passedMs = 0; passedMs < forMs; passedMs += 10) {
    const leader = cluster.members.find(({ isReady }) => isReady)
    if (leader !== undefined) take(cluster, leader, latencies)
    await cluster.clock.advance(10)
  }
  return latencies
}

function take(cluster: Cluster, leader: Member, latencies: number[]): void {
  const sinceMs = cluster.clock.monotonic()
  try {
    const { endOffset, epoch } = leader.propose(batchOf('value'))
    leader.onCommitted(endOffset, epoch, (refused) => {
      if (refused === null) latencies.push(cluster.clock.monotonic() - sinceMs)
    })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
  }
}

const said = (cluster: Cluster): number =>
  cluster.brokers.flatMap(({ events }) => events).filter(({ event }) => event === 'replica.leader.slow')
    .length

t.test('a disk that is 500 ms late moves the leadership within three windows, once', async (t) => {
  for (const lateMs of [150, 500, 5000]) {
    const cluster = new Cluster(3, { slowLeader, electionTimeoutMs: 1500, heartbeatMs: 150 })
    await cluster.open()
    const leader = await cluster.leader()
    const id = cluster.idOf(leader)
    await load(cluster, 2000)
    slow(cluster, id, lateMs)
    const other = 1 + (id % 3)
    // One of the others is as slow, and not chosen. (With most disks so late that no vote is written in time nobody could be.)
    if (lateMs < 1000) slow(cluster, other, lateMs)
    let movedMs = 0
    for (; leader.role === 'leader' && movedMs < 10_000; movedMs += 100) await load(cluster, 100)
    t.ok(movedMs <= 4 * slowLeader.windowMs + 1500, `${lateMs} ms late: moved after ${movedMs} ms`)
    await load(cluster, 5000)
    const next = await cluster.leader()
    t.ok(next !== leader && (lateMs > 1000 || cluster.idOf(next) !== other), 'to one that is well')
    t.equal(said(cluster), 1, 'and it stays there')
    slow(cluster, other, 0)
    await load(cluster, 2000)
    const latencies = (await load(cluster, 1000)).sort((a, b) => a - b)
    t.ok((latencies[Math.floor(latencies.length * 0.99)] ?? 99) <= 10, 'as fast as before')
  }
})

t.test(
  'nobody hands over: all are well, all are slow, one follower is, the process stands still, nothing happens',
  async (t) => {
    const cluster = new Cluster(3, { slowLeader, electionTimeoutMs: 1500, heartbeatMs: 150 })
    await cluster.open()
    const leader = await cluster.leader()
    const id = cluster.idOf(leader)
    await load(cluster, 5000)
    slow(cluster, 1 + (id % 3), 500)
    await load(cluster, 5000)
    for (const one of cluster.ids) slow(cluster, one, 200)
    await load(cluster, 5000)
    for (const one of cluster.ids) slow(cluster, one, 0)
    for (let round = 0; round < 10; round++) {
      cluster.brokers[id - 1]?.process.stall()
      await cluster.clock.advance(150)
      cluster.brokers[id - 1]?.process.goOn()
      cluster.deliverHeld()
      await load(cluster, 300)
    }
    // Slow, and used so rarely that nothing can be said.
    slow(cluster, id, 50)
    for (let round = 0; round < 10; round++) {
      propose(leader, [], 'now and then')
      await cluster.clock.advance(3000)
    }
    t.equal(said(cluster), 0)
    t.equal(await cluster.leader(), leader)
  },
)
