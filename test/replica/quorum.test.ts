/** Three brokers in one process: the host, loop and log that a quorum of one runs on, and an outbox. */
import t from 'tap'
import type { Member } from '../../src/replica/member.ts'
import { Cluster, openCounters } from './cluster.ts'
import { type Broker, type Fate, propose, valuesOf } from './fixture.ts'

t.test('three elect a leader, replicate, and hold the same bytes', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const fates: string[] = []
  for (const value of ['a', 'b', 'c']) propose(leader, fates, value, `${value}2`)
  await cluster.clock.advance(100)
  t.same(fates, ['a committed', 'b committed', 'c committed'])
  const id = cluster.idOf(leader)
  for (const member of cluster.members) {
    t.equal(member.highWatermark, 6)
    t.equal(member.leaderId, id)
    t.equal(member.epoch, leader.epoch)
    t.same(await valuesOf(member), ['a', 'a2', 'b', 'b2', 'c', 'c2'])
  }
  const bytes = cluster.brokers.map(({ disk }) =>
    disk.bytesOf(`/data/t-0/${'0'.repeat(20)}.log`).toString('hex'),
  )
  t.equal(new Set(bytes).size, 1)
  t.throws(() => cluster.members.find((member) => member !== leader)?.propose(Buffer.alloc(61)))
})

t.test('an acknowledged batch survives its leader; the others go on without it', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const first = await cluster.leader()
  const id = cluster.idOf(first)
  const fates: string[] = []
  propose(first, fates, 'kept')
  await cluster.clock.advance(50)
  t.same(fates, ['kept committed'])

  cluster.isolate(id)
  propose(first, fates, 'alone')
  await cluster.clock.advance(100)
  const second = await cluster.leader([id])
  t.ok(second.epoch > first.epoch)
  propose(second, fates, 'goes on')
  await cluster.clock.advance(300)
  t.not(first.role, 'leader', 'who hears nobody stops leading (R-05)')
  t.same(fates.toSorted(), ['alone REQUEST_TIMED_OUT', 'goes on committed', 'kept committed'])

  cluster.heal()
  await cluster.clock.advance(500)
  for (const member of cluster.members) t.same(await valuesOf(member), ['kept', 'goes on'])
  t.equal(first.epoch, second.epoch)
})

t.test('who leads is not ready in the middle of the turn that makes it so (R-08)', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const first = await cluster.leader()
  // The others hold the batch, and never hear that it is committed.
  first.onAdvance(() => {
    if (first.highWatermark === 1) cluster.isolate(cluster.idOf(first))
  })
  const early: number[] = []
  for (const { id, host } of cluster.brokers) {
    const receive = host.receive.bind(host)
    host.receive = (from, replica, message) => {
      const isHere = receive(from, replica, message)
      const { isReady, highWatermark } = cluster.member(id)
      if (isReady && highWatermark < 1 && first.highWatermark === 1) early.push(id)
      return isHere
    }
  }
  propose(first, [], 'told by the first')
  await cluster.clock.advance(50)
  t.equal(first.highWatermark, 1)
  const second = await cluster.leader([cluster.idOf(first)])
  t.equal(second.highWatermark, 1)
  t.same(early, [], 'nobody would have been answered with less')
})

t.test('all lose power at once: what was acknowledged is there (R-14, T-16)', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const fates: string[] = []
  for (let round = 0; round < 20; round++) {
    propose(leader, fates, `v${round}`)
    await cluster.clock.advance(round % 3)
  }
  await cluster.clock.advance(20)
  propose(leader, fates, 'perhaps')
  for (const broker of cluster.brokers) broker.losePower(broker.id)
  await cluster.open()
  const next = await cluster.leader()
  await cluster.clock.advance(100)
  const committed = fates.filter((fate) => fate.endsWith(' committed')).map((fate) => fate.split(' ')[0])
  t.equal(committed.length, 20)
  for (const member of cluster.members) {
    const values = await valuesOf(member)
    t.same(values.slice(0, 20), committed)
    t.ok(values.length <= 21)
  }
  t.ok(next.epoch > leader.epoch)
})

t.test(
  'written counts as durable: what a majority lost with its power is cut where it is left, and all go on',
  async (t) => {
    const cluster = new Cluster()
    cluster.settings = { flushMessages: Infinity, flushMs: Infinity }
    await cluster.open()
    const leader = await cluster.leader()
    const fates: string[] = []
    propose(leader, fates, 'before')
    await cluster.clock.advance(50)
    for (const { log } of cluster.members) await log.sync()
    const last = cluster.ids.find((id) => id !== cluster.idOf(leader)) ?? 0
    cluster.isolate(last)
    for (let round = 0; round < 5; round++) propose(leader, fates, `v${round}`)
    await cluster.clock.advance(50)
    t.equal(fates.length, 6, 'acknowledged by two')
    // One of them loses its power and what it had; it meets the one that never had it. The other still has all.
    const loser = cluster.ids.find((id) => id !== last && id !== cluster.idOf(leader)) ?? 0
    cluster.brokers[loser - 1]?.losePower(3)
    cluster.heal()
    cluster.isolate(cluster.idOf(leader))
    await cluster.start(loser)
    await cluster.clock.advance(5000)
    const next = [last, loser].map((id) => cluster.member(id)).find(({ isReady }) => isReady)
    if (next === undefined) throw new Error('two of three elect one')
    propose(next, fates, 'after')
    await cluster.clock.advance(50)
    cluster.heal()
    await cluster.clock.advance(5000)
    const values = await valuesOf(next)
    t.ok(values.includes('after'))
    for (const member of cluster.members) t.same(await valuesOf(member), values)
  },
)

t.test('a member that was away catches up, in appends of bounded size', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const away = cluster.ids.find((id) => id !== cluster.idOf(leader)) ?? 0
  cluster.brokers[away - 1]?.kill()
  const fates: string[] = []
  for (let round = 0; round < 100; round++) {
    propose(leader, fates, `value ${round} ${'.'.repeat(100)}`)
    await cluster.clock.advance(1)
  }
  await cluster.clock.advance(20)
  t.equal(fates.length, 100)
  const back = await cluster.start(away)
  await cluster.clock.advance(400)
  t.equal(back.highWatermark, 100)
  t.same(await valuesOf(back), await valuesOf(leader))
  t.equal(cluster.idOf(await cluster.leader()), cluster.idOf(leader), 'and nobody had to be elected for it')
})

t.test(
  'who begins anew and lacks nothing hears what is committed, also when no connection broke',
  async (t) => {
    const cluster = new Cluster()
    await cluster.open()
    const leader = await cluster.leader()
    propose(leader, [], 'a')
    await cluster.clock.advance(2000)
    const id = cluster.ids.find((one) => one !== cluster.idOf(leader)) ?? 0
    for (let seed = 1; seed < 6; seed++) {
      cluster.brokers[id - 1]?.losePower(seed)
      const back = await cluster.start(id)
      await cluster.clock.advance(1000)
      t.equal(back.highWatermark, 1)
      t.equal(cluster.idOf(await cluster.leader()), cluster.idOf(leader))
    }
  },
)

t.test('a vote is on disk before it leaves: a crash in between elects nobody twice (R-07)', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const ballots = cluster.brokers.map(({ disk }) => disk.mount().stat('/data/t-0/vote')?.size)
  t.same(ballots, [1024, 1024, 1024])
  for (const broker of cluster.brokers) {
    broker.losePower(7)
    await cluster.start(broker.id)
    t.ok(cluster.member(broker.id).epoch >= leader.epoch, 'the epoch is not forgotten')
  }
})

t.test('no candidacy and no vote leaves before its ballot is on disk (R-07)', async (t) => {
  const cluster = new Cluster()
  const held: (() => void)[] = []
  for (const broker of cluster.brokers) {
    broker.device = ({ kind, path }) =>
      kind === 'sync' && path.includes('/vote')
        ? new Promise((resolve) => held.push(resolve))
        : Promise.resolve()
  }
  await cluster.open()
  await cluster.clock.advance(2000)
  t.ok((cluster.sent.get('pre-voteReply') ?? 0) > 0, 'pre-votes promise nothing')
  t.equal(cluster.sent.get('voteRequest'), undefined)
  t.equal(cluster.sent.get('voteReply'), undefined)
  for (const broker of cluster.brokers) broker.device = () => Promise.resolve()
  for (const resolve of held.splice(0)) resolve()
  t.ok((await cluster.leader()).epoch > 0)
})

t.test(
  'a disk that fails on the leader: another takes over, nothing acknowledged is lost (R-15)',
  async (t) => {
    const cluster = new Cluster()
    await cluster.open()
    const leader = await cluster.leader()
    const id = cluster.idOf(leader)
    const fates: string[] = []
    propose(leader, fates, 'a')
    await cluster.clock.advance(50)
    const broker = cluster.brokers[id - 1] as Broker
    broker.fault = ({ kind }) => (kind === 'sync' ? { code: 'EIO' } : undefined)
    propose(leader, fates, 'b')
    await cluster.clock.advance(50)
    t.same(fates, ['a committed', 'b KAFKA_STORAGE_ERROR'])
    const next = await cluster.leader([id])
    await cluster.clock.advance(100)
    t.equal((await valuesOf(next))[0], 'a')
    t.notSame(cluster.idOf(next), id)
  },
)

t.test('leadership is handed over within a few messages', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const to = cluster.ids.find((id) => id !== cluster.idOf(leader)) ?? 0
  const fates: string[] = []
  propose(leader, fates, 'before')
  leader.transferLeadership(to)
  t.throws(() => propose(leader, fates, 'during'), { code: 'NOT_LEADER_OR_FOLLOWER' })
  await cluster.clock.advance(20)
  t.equal(cluster.member(to).isReady, true)
  propose(cluster.member(to), fates, 'after')
  await cluster.clock.advance(20)
  t.same(fates, ['before committed', 'after committed'])
})

t.test('the log start moves on every member, by one decision', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  for (let round = 0; round < 60; round++) propose(leader, [], `value ${round} ${'.'.repeat(60)}`)
  await cluster.clock.advance(50)
  const [start] = await Promise.all([leader.raiseStart(45), cluster.clock.advance(50)])
  t.equal(start, 45)
  t.same(
    cluster.members.map(({ log }) => log.start),
    [45, 45, 45],
  )
})

t.test('what arrives damaged is dropped, said, and sent again', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  await cluster.clock.advance(50)
  const follower = cluster.members.find((member) => member !== leader) as Member
  const { epoch, log } = leader
  const bytes = Buffer.alloc(61, 1)
  follower.receive(cluster.idOf(leader), {
    type: 'append',
    epoch,
    from: log.endPosition,
    fromEpoch: epoch,
    runs: [{ epoch, until: log.endPosition + 1 }],
    entries: { marks: [], batches: [bytes] },
    highWatermark: 0,
    attempt: 0,
  })
  const events = cluster.brokers.flatMap((broker) => broker.events)
  t.equal(events.filter(({ event }) => event === 'replica.append.damaged').length, 1)
  propose(leader, [], 'whole')
  await cluster.clock.advance(50)
  t.same(await valuesOf(follower), ['whole'])
})

t.test('who stood still hears the others before judging them (R-43)', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  await cluster.clock.advance(100)
  const { epoch } = leader
  const follower = cluster.brokers.find(({ id }) => id !== cluster.idOf(leader)) as Broker
  const votes = cluster.sent.get('pre-voteRequest')
  follower.process.stall()
  await cluster.clock.advance(1000)
  follower.process.goOn()
  cluster.deliverHeld()
  await cluster.clock.advance(300)
  t.equal(cluster.sent.get('pre-voteRequest'), votes, 'it did not even ask')
  t.equal((await cluster.leader()).epoch, epoch)
})

t.test('many quorums share their frames: one per peer and turn', async (t) => {
  const cluster = new Cluster()
  const leaders: Member[] = []
  for (let index = 0; index < 20; index++) {
    await cluster.open(`t-${index}`)
    leaders.push(cluster.member(1))
  }
  await cluster.clock.advance(1000)
  const { frames } = cluster
  const appends = cluster.sent.get('append') ?? 0
  const fates: Fate[] = []
  for (let round = 0; round < 10; round++) {
    for (const leader of leaders) propose(leader, fates, `v${round}`)
    await cluster.clock.advance(10)
  }
  t.equal(fates.length, 200)
  const sentFrames = cluster.frames - frames
  const sentAppends = (cluster.sent.get('append') ?? 0) - appends
  t.equal(sentAppends, 400)
  t.ok(
    sentFrames < sentAppends / 2,
    `${sentFrames} frames for ${sentAppends} appends, all answers, and what follows`,
  )
})

t.test(
  'a machine moves with the leadership: nothing answered is lost, nothing open is answered',
  async (t) => {
    const cluster = new Cluster()
    await cluster.open()
    const executors = await Promise.all(cluster.ids.map((id) => openCounters(cluster, id)))
    const executorOf = (member: Member) => executors[cluster.idOf(member) - 1] as (typeof executors)[number]
    const add = (by: number, executor: (typeof executors)[number]) =>
      executor.execute({ type: 'add', name: 'x', by })
    const heard = executors.map((executor) => {
      const totals: number[] = []
      executor.onApplied((change) => totals.push(change.type === 'set' ? change.total : -1))
      return totals
    })

    const first = await cluster.leader()
    await cluster.clock.advance(10)
    for (let round = 0; round < 25; round++) {
      const added = add(1, executorOf(first))
      await cluster.clock.advance(5)
      t.equal(await added, round + 1)
    }
    await cluster.clock.advance(100)
    t.same(
      heard.map((totals) => totals.at(-1)),
      [25, 25, 25],
      'the others follow',
    )
    for (const { log } of cluster.members) t.ok(log.images.newest() !== null, 'each has an image of its own')
    t.ok(
      cluster.members.every(({ log }) => log.start >= 10 && log.start <= (log.images.newest()?.offset ?? 0)),
    )

    cluster.isolate(cluster.idOf(first))
    const lonely = executorOf(first).execute({ type: 'add', name: 'lonely', by: 1 })
    const open = t.rejects(lonely, { code: 'NOT_COORDINATOR' })
    const waiting = t.rejects(executorOf(first).execute({ type: 'waitFor', name: 'x', atLeast: 1e6 }), {
      code: 'NOT_COORDINATOR',
    })
    const second = await cluster.leader([cluster.idOf(first)])
    await cluster.clock.advance(300)
    await Promise.all([open, waiting])
    const more = add(1, executorOf(second))
    await cluster.clock.advance(20)
    t.equal(await more, 26)
    await t.rejects(add(1, executorOf(first)), { code: 'NOT_COORDINATOR' })

    cluster.heal()
    await cluster.clock.advance(500)
    first.campaign()
    for (let round = 0; round < 50 && !first.isReady; round++) {
      second.transferLeadership(cluster.idOf(first))
      await cluster.clock.advance(20)
    }
    await cluster.clock.advance(20)
    t.same(
      executorOf(first).query(({ totals }) => [...totals]),
      [['x', 26]],
      'what it had decided alone is gone from its state',
    )
    for (const totals of heard)
      t.same(
        totals,
        Array.from({ length: 26 }, (_, index) => index + 1),
      )
  },
)
