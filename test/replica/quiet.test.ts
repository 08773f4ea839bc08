/** A quorum to which nothing happens costs nothing, and still notices everything that a busy one does. */
import t from 'tap'
import type { Member } from '../../src/replica/member.ts'
import { Cluster } from './cluster.ts'
import { type Fate, propose } from './fixture.ts'

const quorums = 20

/** Every quorum of the cluster has a leader, and nothing has been said for a while. */
async function quiet(cluster: Cluster): Promise<Member[][]> {
  const all: Member[][] = []
  for (let index = 0; index < quorums; index++) {
    const members: Member[] = []
    // Each leads some, as placement does it.
    const first = index % 3
    cluster.voters = [1, 2, 3].map((_, at) => ((first + at) % 3) + 1)
    for (const id of [1, 2, 3]) members.push(await cluster.start(id, `t-${index}`))
    all.push(members)
  }
  await cluster.clock.advance(1000)
  for (const members of all) if (!members.some(({ isReady }) => isReady)) throw new Error('all have leaders')
  return all
}

const leaderOf = (members: readonly Member[]): Member => {
  const leader = members.find(({ isReady }) => isReady)
  if (leader === undefined) throw new Error('it has a leader')
  return leader
}
const epochsOf = (all: readonly Member[][]): number[] =>
  all.flatMap((members) => members.map(({ epoch }) => epoch))

t.test(
  'two minutes in which nothing happens: nothing is said but pulses, and nobody is elected',
  async (t) => {
    const cluster = new Cluster()
    const all = await quiet(cluster)
    const epochs = epochsOf(all)
    const { frames, pulses } = cluster
    await cluster.clock.advance(60_000)
    t.equal(cluster.frames - frames, 0, 'no heartbeat of any quorum')
    t.ok(cluster.pulses - pulses <= 6 * (60_000 / 30 + 1), `${cluster.pulses - pulses} pulses`)
    await cluster.clock.advance(60_000)
    t.same(epochsOf(all), epochs)
    for (const members of all) {
      t.same(leaderOf(members).inSync.toSorted(), [1, 2, 3], 'all are in sync')
      t.equal(leaderOf(members).progress().length, 3)
    }

    // It wakes when there is something to do, and falls silent again.
    const fates: Fate[] = []
    for (const members of all) propose(leaderOf(members), fates, 'a')
    await cluster.clock.advance(5)
    t.equal(fates.filter((fate) => fate === 'a committed').length, quorums)
    await cluster.clock.advance(200)
    for (const members of all) for (const { highWatermark } of members) t.equal(highWatermark, 1)
    const after = cluster.frames
    await cluster.clock.advance(10_000)
    t.equal(cluster.frames, after)
    t.same(epochsOf(all), epochs, 'silence is not taken for a lost majority')
  },
)

t.test('a broker dies: all that it led has another leader in time, and the rest goes on', async (t) => {
  const cluster = new Cluster()
  const all = await quiet(cluster)
  const led = all.filter((members) => members[0]?.isReady === true)
  const others = all.filter((members) => members[0]?.isReady !== true)
  t.ok(led.length >= 5 && others.length >= 10)
  const epochs = epochsOf(others)
  cluster.brokers[0]?.kill()
  let waitedMs = 0
  for (; !led.every((members) => members.slice(1).some(({ isReady }) => isReady)); waitedMs += 10) {
    if (waitedMs > 2000) t.fail('not in time')
    await cluster.clock.advance(10)
  }
  t.ok(waitedMs >= 150 && waitedMs <= 700, `${waitedMs} ms`)
  await cluster.clock.advance(2000)
  t.same(epochsOf(others), epochs, 'with two of three alive nobody is elected anew')
  const heartbeats = cluster.sent.get('heartbeat') ?? 0
  await cluster.clock.advance(1000)
  const sent = (cluster.sent.get('heartbeat') ?? 0) - heartbeats
  t.ok(
    sent >= quorums && sent <= 11 * quorums,
    `who is missing is looked for now and then: ${sent} heartbeats`,
  )

  for (const [index, members] of all.entries()) {
    const first = index % 3
    cluster.voters = [1, 2, 3].map((_, at) => ((first + at) % 3) + 1)
    members[0] = await cluster.start(1, `t-${index}`)
  }
  const fates: Fate[] = []
  for (const members of all) propose(leaderOf(members), fates, 'a')
  await cluster.clock.advance(150)
  for (const members of all) t.equal(members[0]?.log.end, 1, 'who is back is looked after at once')
})

t.test(
  'a leader that is cut off gives up; its quorums go on without it, and it follows when it is back',
  async (t) => {
    const cluster = new Cluster()
    const all = await quiet(cluster)
    cluster.isolate(2)
    await cluster.clock.advance(700)
    for (const members of all) {
      t.not(members[1]?.role, 'leader', 'within an election time-out and a little more (R-05)')
      t.not(leaderOf(members), members[1])
    }
    const epochs = all.map((members) => leaderOf(members).epoch)
    cluster.heal()
    await cluster.clock.advance(500)
    t.same(
      all.map((members) => leaderOf(members).epoch),
      epochs,
      'nobody is disturbed by who was away (R-01)',
    )
    for (const members of all) for (const { leaderId } of members) t.not(leaderId, -1)
  },
)

t.test('half of a way is none: who hears and is not heard (R-06)', async (t) => {
  for (const [from, to] of [
    [1, 2],
    [2, 1],
    [3, 1],
  ] as const) {
    const cluster = new Cluster()
    const all = await quiet(cluster)
    cluster.cut(from, to)
    await cluster.clock.advance(3000)
    const fates: Fate[] = []
    for (const members of all) propose(leaderOf(members), fates, 'a')
    await cluster.clock.advance(100)
    t.equal(fates.filter((fate) => fate === 'a committed').length, quorums, `${from} does not reach ${to}`)
    const epochs = epochsOf(all.map((members) => [leaderOf(members)]))
    await cluster.clock.advance(3000)
    t.same(epochsOf(all.map((members) => [leaderOf(members)])), epochs, 'nobody is elected again and again')
  }
})

t.test('one replica is gone and its broker lives: its quorum goes on, though the pulses come', async (t) => {
  const cluster = new Cluster()
  const all = await quiet(cluster)
  const members = all[0] as Member[]
  const leader = leaderOf(members)
  const others = members.filter((member) => member !== leader)
  const epochs = epochsOf(all.slice(1))
  const closed = leader.close()
  await cluster.clock.advance(1)
  await closed
  await cluster.clock.advance(600)
  t.ok(
    others.some(({ isReady }) => isReady),
    'another leads',
  )
  t.same(epochsOf(all.slice(1)), epochs, 'all others are as they were')
  await cluster.clock.advance(500)
  const { frames } = cluster
  // A follower goes, too: its leader has no majority any more, and knows it.
  const next = others.find(({ isReady }) => isReady) as Member
  const last = others.find((member) => member !== next) as Member
  const gone = last.close()
  await cluster.clock.advance(1)
  await gone
  await cluster.clock.advance(400)
  t.not(next.role, 'leader')
  t.ok(cluster.frames > frames)
})

t.test('leadership is handed over while all is quiet', async (t) => {
  const cluster = new Cluster()
  const all = await quiet(cluster)
  for (const members of all) {
    const leader = leaderOf(members)
    leader.transferLeadership(1 + ((members.indexOf(leader) + 1) % 3))
  }
  await cluster.clock.advance(300)
  for (const members of all) t.ok(leaderOf(members).isReady)
  const epochs = epochsOf(all)
  await cluster.clock.advance(5000)
  t.same(epochsOf(all), epochs)
  const { frames } = cluster
  await cluster.clock.advance(5000)
  t.equal(cluster.frames, frames, 'and it is quiet again')
})

t.test(
  'who stood still is not deposed for less than half an election time-out, and elects nobody (R-43)',
  async (t) => {
    const cluster = new Cluster()
    const all = await quiet(cluster)
    const epochs = epochsOf(all)
    for (const id of [1, 2, 3]) {
      cluster.brokers[id - 1]?.process.stall()
      await cluster.clock.advance(150)
      cluster.brokers[id - 1]?.process.goOn()
      cluster.deliverHeld()
      await cluster.clock.advance(500)
    }
    t.same(epochsOf(all), epochs)
    const { frames } = cluster
    await cluster.clock.advance(5000)
    t.equal(cluster.frames, frames)
  },
)

t.test('a broker that restarts begins another session: what it said before counts no more', async (t) => {
  const cluster = new Cluster()
  const all = await quiet(cluster)
  const broker = cluster.brokers[1]
  // So fast that nobody misses it.
  broker?.kill()
  for (const [index, members] of all.entries()) {
    const first = index % 3
    cluster.voters = [1, 2, 3].map((_, at) => ((first + at) % 3) + 1)
    members[1] = await cluster.start(2, `t-${index}`)
  }
  await cluster.clock.advance(1000)
  const fates: Fate[] = []
  for (const members of all) propose(leaderOf(members), fates, 'a')
  await cluster.clock.advance(100)
  t.equal(fates.filter((fate) => fate === 'a committed').length, quorums)
})
