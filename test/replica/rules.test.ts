/** Rules that need whole members under load: slow disks, lost majorities, stalls, many transfers. */
import t from 'tap'
import { Refused } from '../../src/base/errors.ts'
import { Cluster } from './cluster.ts'
import { batchOf, type Fate, propose } from './fixture.ts'

t.test(
  "R-25: a follower whose disk is twenty times slower gets on, and is nobody else's burden",
  async (t) => {
    const settings = { inflightBytesMax: 4000, appendBytesMax: 1000 }
    const cluster = new Cluster(3, settings)
    await cluster.open()
    const leader = await cluster.leader()
    const slow = cluster.idOf(leader) === 3 ? 2 : 3
    const broker = cluster.brokers[slow - 1]
    // Longer than a heartbeat: were a round trip taken for lost by then, it would never get anywhere.
    if (broker !== undefined) {
      broker.device = ({ kind }) =>
        kind === 'sync'
          ? new Promise((resolve) => void cluster.clock.setTimer(100, resolve))
          : Promise.resolve()
    }
    const epochs = cluster.members.map(({ epoch }) => epoch)
    const fates: Fate[] = []
    let before = 0
    for (let second = 0; second < 20; second++) {
      for (let step = 0; step < 50; step++) {
        propose(leader, fates, `${second}-${step}`)
        await cluster.clock.advance(20)
      }
      const { durableOffset = 0 } = leader.progress().find(({ id }) => id === slow) ?? {}
      t.ok(durableOffset - before >= 10, `second ${second}: ${durableOffset - before} records further`)
      before = durableOffset
    }
    t.equal(fates.filter((fate) => fate.endsWith(' committed')).length, 1000, 'nobody waits for it')
    t.same(
      cluster.members.map(({ epoch }) => epoch),
      epochs,
    )
    await cluster.clock.advance(10_000)
    t.equal(cluster.member(slow).highWatermark, 1000, 'it has everything when there is a pause')
  },
)

t.test(
  'R-30: the majority is away for ten minutes: what is taken is bounded, nothing is acknowledged',
  async (t) => {
    const cluster = new Cluster()
    cluster.settings = { uncommittedBytesMax: 20_000 }
    await cluster.open()
    const leader = await cluster.leader()
    const { end } = leader.log
    cluster.isolate(cluster.idOf(leader))
    const refusals = new Map<string, number>()
    const fates: Fate[] = []
    let taken = 0
    for (let step = 0; step < 6000; step++) {
      try {
        const bytes = batchOf('x'.repeat(500))
        const { endOffset, epoch } = leader.propose(bytes)
        taken += bytes.length
        leader.onCommitted(endOffset, epoch, (refused) => fates.push(refused?.code ?? 'committed'))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        refusals.set(error.code, (refusals.get(error.code) ?? 0) + 1)
      }
      // Faster at first, so that it is full before the leader gives up.
      await cluster.clock.advance(step < 100 ? 1 : 100)
    }
    t.ok(taken <= 20_600, `${taken} bytes`)
    t.ok((refusals.get('NOT_ENOUGH_REPLICAS') ?? 0) > 10, 'full')
    t.ok((refusals.get('NOT_LEADER_OR_FOLLOWER') ?? 0) > 5000, 'and then no leader any more')
    t.ok(fates.length > 10 && fates.every((fate) => fate === 'REQUEST_TIMED_OUT'))
    t.ok(leader.log.end - end <= 40)
  },
)

t.test('R-34: 200 transfers under load: nothing waits for long, and nothing is lost', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  await cluster.leader()
  const fates: Fate[] = []
  const gaps: number[] = []
  let transfers = 0
  for (; transfers < 200; transfers++) {
    const from = await cluster.leader()
    const fromMs = cluster.clock.monotonic()
    from.transferLeadership(1 + (cluster.idOf(from) % 3))
    const committed = (): number => fates.filter((fate) => fate.startsWith(`t${transfers} `)).length
    for (let waitedMs = 0; waitedMs < 1000 && committed() === 0; waitedMs++) {
      const leader = cluster.members.find((member) => member.isReady && member !== from)
      if (leader !== undefined) propose(leader, fates, `t${transfers}`)
      else if (from.isReady) {
        try {
          propose(from, fates, 'meanwhile')
        } catch (error) {
          if (!(error instanceof Refused)) throw error
        }
      }
      await cluster.clock.advance(1)
    }
    gaps.push(cluster.clock.monotonic() - fromMs)
  }
  gaps.sort((a, b) => a - b)
  const p99 = gaps[Math.floor(gaps.length * 0.99)] ?? Infinity
  t.ok(p99 <= 100, `p99 ${p99} ms, longest ${gaps.at(-1)} ms`)
  t.equal(Math.max(...cluster.members.map(({ epoch }) => epoch)), transfers + 1, 'each at the first attempt')
})

t.test('R-43: a leader that stood still for five time-outs is replaced once, and follows', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const id = cluster.idOf(leader)
  await cluster.clock.advance(300)
  const before = leader.epoch
  cluster.brokers[id - 1]?.process.stall()
  await cluster.clock.advance(1000)
  cluster.brokers[id - 1]?.process.goOn()
  cluster.deliverHeld()
  await cluster.clock.advance(1000)
  const next = await cluster.leader()
  t.not(next, leader)
  t.equal(next.epoch, before + 1)
  t.equal(leader.leaderId, cluster.idOf(next))
})

t.test('R-01, R-04: who was away, or let go and does not know it, deposes nobody', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const id = cluster.idOf(leader)
  const other = 1 + (id % 3)
  const { epoch } = leader
  cluster.isolate(other)
  await cluster.clock.advance(60_000)
  cluster.heal()
  await cluster.clock.advance(2000)
  t.equal(await cluster.leader(), leader)
  t.same(
    cluster.members.map((member) => member.epoch),
    [epoch, epoch, epoch],
    'it asked for a minute, and no epoch has changed',
  )

  cluster.isolate(other)
  const change = leader.changeVoters(cluster.ids.filter((one) => one !== other))
  await cluster.clock.advance(500)
  await change
  cluster.heal()
  const before = cluster.sent.get('pre-voteRequest') ?? 0
  await cluster.clock.advance(60_000)
  t.ok((cluster.sent.get('pre-voteRequest') ?? 0) > before + 100, 'it goes on asking')
  t.same([leader.role, leader.epoch], ['leader', epoch])
})
