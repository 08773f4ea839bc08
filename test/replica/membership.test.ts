/** Voters that change, replicas that come back without what is gone, and disks that are not the ones that promised. */
import t from 'tap'
import { Cluster, openCounters } from './cluster.ts'
import { type Broker, propose, valuesOf } from './fixture.ts'

/** Three voters, and a fourth broker that has the replica and no vote. */
async function fourBrokers(): Promise<Cluster> {
  const cluster = new Cluster(4)
  cluster.voters = [1, 2, 3]
  await cluster.open()
  return cluster
}

t.test('a new quorum has a leader after a heartbeat: the first voter', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  await cluster.clock.advance(60)
  t.equal(cluster.member(1).isReady, true)
  t.equal(cluster.member(1).epoch, 1)
})

t.test('a voter is replaced under load: nothing waits for long, nothing is lost (R-31)', async (t) => {
  const cluster = await fourBrokers()
  const leader = await cluster.leader()
  const fates: string[] = []
  const count = 40
  const changed = leader.changeVoters([1, 2, 4])
  t.rejects(leader.changeVoters([1, 2]), { code: 'REASSIGNMENT_IN_PROGRESS' })
  for (let round = 0; round < count; round++) {
    propose(leader, fates, `v${round}`)
    await cluster.clock.advance(3)
  }
  await changed
  await cluster.clock.advance(50)
  t.equal(fates.filter((fate) => fate.endsWith(' committed')).length, count)
  t.same(leader.voters, [1, 2, 4])
  t.same(cluster.member(4).voters, [1, 2, 4])
  t.same(await valuesOf(cluster.member(4)), await valuesOf(leader))

  // The new one counts: with 2 away, 4 makes the majority. The old one does not.
  cluster.isolate(2)
  propose(leader, fates, 'with 4')
  await cluster.clock.advance(50)
  t.equal(fates.at(-1), 'with 4 committed')
  await cluster.clock.advance(2000)
  t.equal(cluster.member(3).role, 'follower', 'who left does not campaign')
  t.equal(leader.role, 'leader')
})

t.test('a leader that is not to vote any more hands over', async (t) => {
  const cluster = await fourBrokers()
  const leader = await cluster.leader()
  t.equal(cluster.idOf(leader), 1)
  const changed = leader.changeVoters([2, 3, 4])
  await cluster.clock.advance(100)
  await changed
  const next = await cluster.leader()
  t.not(next, leader)
  t.same(next.voters, [2, 3, 4])
  t.equal(leader.role, 'follower')
  const fates: string[] = []
  propose(next, fates, 'a')
  await cluster.clock.advance(50)
  t.same(fates, ['a committed'])
})

t.test('a change that cannot go on is given up; one whose leader goes is refused', async (t) => {
  const cluster = await fourBrokers()
  const leader = await cluster.leader()
  await t.rejects(leader.changeVoters([]), { code: 'INVALID_REPLICA_ASSIGNMENT' })
  await t.rejects(leader.changeVoters([1, 1]), { code: 'INVALID_REPLICA_ASSIGNMENT' })
  await t.rejects(cluster.member(2).changeVoters([1, 2]), { code: 'NOT_LEADER_OR_FOLLOWER' })
  await leader.changeVoters([3, 2, 1])
  cluster.isolate(4)
  const hopeless = t.rejects(leader.changeVoters([1, 2, 4]), { code: 'NO_REASSIGNMENT_IN_PROGRESS' })
  await cluster.clock.advance(500)
  t.same(leader.observers, [4])
  leader.abandonChange()
  await cluster.clock.advance(20)
  await hopeless
  t.same(leader.voters, [1, 2, 3])
  const cut = t.rejects(leader.changeVoters([1, 2, 4]), { code: 'REQUEST_TIMED_OUT' })
  cluster.isolate(1)
  await cluster.clock.advance(600)
  await cut
})

t.test('a change to voters who are not there waits, and nobody else does', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const fates: string[] = []
  propose(leader, fates, 'before')
  await cluster.clock.advance(50)
  cluster.isolate(3)
  await cluster.clock.advance(500)
  const changed = leader.changeVoters([3])
  await cluster.clock.advance(500)
  propose(leader, fates, 'meanwhile')
  await cluster.clock.advance(50)
  t.same(fates, ['before committed', 'meanwhile committed'])
  t.same(leader.voters, [1, 2, 3])
  cluster.heal()
  await Promise.all([changed, cluster.clock.advance(1000)])
  const last = await cluster.leader()
  t.equal(cluster.idOf(last), 3)
  t.same(last.voters, [3])
  t.same(await valuesOf(last), ['before', 'meanwhile'])
})

t.test('a sole voter becomes one of three, and one of three the sole one', async (t) => {
  const cluster = new Cluster()
  cluster.voters = [1]
  await cluster.open()
  const first = await cluster.leader()
  const fates: string[] = []
  propose(first, fates, 'alone')
  await cluster.clock.advance(10)
  const grown = first.changeVoters([1, 2, 3])
  await cluster.clock.advance(200)
  await grown
  propose(first, fates, 'together')
  await cluster.clock.advance(50)
  cluster.brokers[0]?.losePower(1)
  const second = await cluster.leader([1])
  t.same(await valuesOf(second), ['alone', 'together'])
  t.ok(second.epoch > first.epoch, 'although it never wrote a ballot as long as it was alone')
  await cluster.start(1)
  await cluster.clock.advance(300)
  const shrunk = second.changeVoters([cluster.idOf(second)])
  await cluster.clock.advance(200)
  await shrunk
  for (const id of cluster.ids) cluster.isolate(id)
  propose(second, fates, 'alone again')
  await cluster.clock.advance(1000)
  t.same(fates, ['alone committed', 'together committed', 'alone again committed'])
})

t.test('an observer has it all and counts for nothing', async (t) => {
  const cluster = await fourBrokers()
  const leader = await cluster.leader()
  leader.observe([4])
  const fates: string[] = []
  propose(leader, fates, 'a')
  await cluster.clock.advance(100)
  t.same(await valuesOf(cluster.member(4)), ['a'])
  cluster.isolate(2)
  cluster.isolate(3)
  propose(leader, fates, 'b')
  await cluster.clock.advance(100)
  t.same(fates, ['a committed'])
})

t.test('voters survive restarts, and a trimmed log', async (t) => {
  const cluster = await fourBrokers()
  const leader = await cluster.leader()
  const changed = leader.changeVoters([1, 2, 4])
  await cluster.clock.advance(100)
  await changed
  for (let round = 0; round < 60; round++) propose(leader, [], `value ${round} ${'.'.repeat(60)}`)
  await cluster.clock.advance(50)
  await Promise.all([leader.raiseStart(50), cluster.clock.advance(50)])
  for (const broker of cluster.brokers) broker.losePower(broker.id)
  await cluster.open()
  const next = await cluster.leader()
  t.same(next.voters, [1, 2, 4])
  t.equal(next.log.start, 50)
})

t.test('a follower behind the start of a log begins anew there (R-22, R-27)', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const fates: string[] = []
  for (let round = 0; round < 5; round++) propose(leader, fates, `early ${round}`)
  await cluster.clock.advance(50)
  cluster.brokers[2]?.kill()
  for (let round = 0; round < 60; round++) propose(leader, fates, `value ${round} ${'.'.repeat(60)}`)
  await cluster.clock.advance(50)
  await Promise.all([leader.raiseStart(40), cluster.clock.advance(50)])
  const back = await cluster.start(3)
  await cluster.clock.advance(500)
  t.equal(back.log.start, 40)
  t.equal(back.highWatermark, 65)
  t.same(await valuesOf(back), await valuesOf(leader))
  t.ok(cluster.brokers[2]?.events.some(({ event }) => event === 'replica.installed'))
  propose(leader, fates, 'later')
  await cluster.clock.advance(100)
  t.same((await valuesOf(back)).at(-1), 'later')

  // It is as good as any: with it alone the quorum goes on, also after a loss of power.
  cluster.brokers[2]?.losePower(3)
  const again = await cluster.start(3)
  cluster.isolate(1)
  const next = await cluster.leader([1])
  await cluster.clock.advance(100)
  t.equal(next.highWatermark, 66)
  t.equal(again.log.start, 40)
})

t.test('a machine is installed: its image, piece by piece, and the log from there on (R-27)', async (t) => {
  const cluster = new Cluster(3, { appendBytesMax: 16 })
  await cluster.open()
  const openExecutor = (id: number) => openCounters(cluster, id)
  const leader = await cluster.leader()
  const [executor] = await Promise.all([openExecutor(1), openExecutor(2), openExecutor(3)])
  cluster.brokers[2]?.kill()
  for (let round = 0; round < 35; round++) {
    const added = executor.execute({ type: 'add', name: `x${round % 3}`, by: 1 })
    await cluster.clock.advance(5)
    await added
  }
  await cluster.clock.advance(100)
  t.ok(leader.log.start > 10)
  const back = await cluster.start(3)
  const installed = await openExecutor(3)
  await cluster.clock.advance(500)
  t.equal(back.highWatermark, 35)
  t.ok((back.log.images.newest()?.offset ?? 0) >= leader.log.start)
  t.ok((cluster.sent.get('install') ?? 0) > 1, `${cluster.sent.get('install')} pieces`)

  // What it has grown into is the same state: it serves when it leads.
  leader.transferLeadership(3)
  await cluster.clock.advance(200)
  t.equal(back.isReady, true)
  t.same(
    installed.query(({ totals }) => [...totals].sort()),
    [
      ['x0', 12],
      ['x1', 12],
      ['x2', 11],
    ],
  )
})

t.test('a wiped disk under an old id is not counted, until it has left and come back (R-32)', async (t) => {
  const cluster = new Cluster()
  cluster.disks = new Map(cluster.brokers.map(({ id, diskId }) => [id, diskId]))
  await cluster.open()
  cluster.meet()
  const leader = await cluster.leader()
  const fates: string[] = []
  cluster.isolate(3)
  propose(leader, fates, 'a')
  await cluster.clock.advance(50)
  t.same(fates, ['a committed'])

  const wiped = cluster.brokers[1] as Broker
  wiped.wipe()
  await cluster.start(2)
  cluster.meet()
  propose(leader, fates, 'b')
  await cluster.clock.advance(100)
  t.same(fates, ['a committed'], 'its word would make the majority')
  t.ok(cluster.brokers[0]?.events.some(({ event }) => event === 'replica.voter.estranged'))

  cluster.heal()
  await cluster.clock.advance(1000)
  const next = await cluster.leader([2])
  t.equal((await valuesOf(next))[0], 'a')
  const without = next.changeVoters([1, 3])
  await cluster.clock.advance(300)
  await without
  const again = next.changeVoters([1, 2, 3])
  await cluster.clock.advance(300)
  await again
  const other = [1, 3].find((id) => id !== cluster.idOf(next)) ?? 0
  cluster.isolate(other)
  propose(next, fates, 'c')
  await cluster.clock.advance(100)
  t.equal(fates.at(-1), 'c committed', 'with its new disk it counts')
})

t.test(
  'a member that starts again knows what was committed, before it hears from anybody (R-36)',
  async (t) => {
    const cluster = new Cluster()
    await cluster.open()
    const leader = await cluster.leader()
    for (let round = 0; round < 5; round++) propose(leader, [], `v${round}`)
    await cluster.clock.advance(6000)
    propose(leader, [], 'late')
    await cluster.clock.advance(100)
    for (const id of cluster.ids) cluster.isolate(id)
    for (const broker of cluster.brokers) broker.kill()
    await cluster.open()
    // Written at most every five seconds: the last one came after that.
    for (const member of cluster.members) t.equal(member.highWatermark, 5)
    for (const member of cluster.members) t.equal(member.role, 'follower')

    // Damaged or gone: it is heard again.
    const broker = cluster.brokers[2] as Broker
    broker.kill()
    broker.disk.mount().remove('/data/t-0/watermark')
    t.equal((await cluster.start(3)).highWatermark, 0)
    cluster.heal()
    await cluster.leader()
    await cluster.clock.advance(100)
    t.equal(cluster.member(3).highWatermark, 6)
  },
)

t.test('min.insync.replicas is a floor above the majority', async (t) => {
  const cluster = new Cluster()
  cluster.settings = { minInsyncReplicas: 3 }
  await cluster.open()
  const leader = await cluster.leader()
  await cluster.clock.advance(100)
  t.same(leader.inSync, [1, 2, 3])
  const fates: string[] = []
  cluster.isolate(3)
  propose(leader, fates, 'a')
  await cluster.clock.advance(100)
  t.same(fates, [])
  t.equal(leader.highWatermark, 1, 'committed all the same: consumers see it')
  await cluster.clock.advance(200)
  t.same(leader.inSync, [1, 2])
  cluster.heal()
  await cluster.clock.advance(500)
  t.same(fates, ['a committed'])
})

t.test('the leader knows where everybody stands, observers too', async (t) => {
  const cluster = new Cluster(4)
  cluster.voters = [1, 2, 3]
  await cluster.open()
  const leader = await cluster.leader()
  leader.observe([4])
  const id = cluster.idOf(leader)
  const cut = id === 3 ? 2 : 3
  await cluster.clock.advance(100)
  t.same(leader.observers, [4])
  cluster.isolate(cut)
  const cutMs = cluster.clock.monotonic()
  const fates: string[] = []
  propose(leader, fates, 'a', 'b')
  await cluster.clock.advance(100)
  const progress = leader.progress()
  t.equal(progress[0]?.id, id, 'itself first')
  t.same(
    progress.toSorted((a, b) => a.id - b.id).map((one) => [one.id, one.isVoter, one.durableOffset]),
    [1, 2, 3, 4].map((one) => [one, one !== 4, one === cut ? 0 : 2]),
  )
  for (const { id: one, endOffset, contactMs, caughtUpMs } of progress) {
    t.equal(endOffset, one === cut ? 0 : 2)
    t.equal(contactMs > cutMs, one !== cut, 'who was heard since')
    t.equal(caughtUpMs > cutMs, one !== cut, 'who has had everything since')
  }
  const others = cluster.members.filter((member) => member !== leader)
  for (const member of others) t.same([member.progress(), member.inSync, member.observers], [[], [], []])
})
