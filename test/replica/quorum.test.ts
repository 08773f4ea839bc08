/** Three brokers in one process: the host, loop and log that a quorum of one runs on, and an outbox. */
import t from 'tap'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Member } from '../../src/replica/member.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import { Broker, propose, valuesOf } from './fixture.ts'

class Cluster {
  readonly clock = new VirtualClock()
  readonly brokers: Broker[]
  readonly members: Member[] = []
  readonly #cut = new Set<string>()
  /** Messages that came to another broker, by kind. */
  readonly sent = new Map<string, number>()
  frames = 0
  readonly #held: (() => void)[] = []

  constructor(size = 3) {
    const send = (from: number, to: number, messages: readonly PeerMessage[]): void => {
      this.frames++
      for (const { message } of messages) this.sent.set(message.type, (this.sent.get(message.type) ?? 0) + 1)
      this.clock.soon(() => {
        if (!this.#cut.has(`${from}->${to}`)) this.#deliver(from, to, messages)
      })
    }
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    this.brokers = ids.map((id) => new Broker({ id, clock: this.clock, send }))
  }

  get ids(): number[] {
    return this.brokers.map(({ id }) => id)
  }

  async open(name = 't-0'): Promise<void> {
    for (const { id } of this.brokers) await this.start(id, name)
  }

  async start(id: number, name = 't-0'): Promise<Member> {
    const member = await (this.brokers[id - 1] as Broker).open(name, this.ids)
    this.members[id - 1] = member
    return member
  }

  #deliver(from: number, to: number, messages: readonly PeerMessage[]): void {
    const broker = this.brokers[to - 1] as Broker
    // Who stands still reads no socket; afterwards what waits there is read once the late timers have fired.
    if (broker.process.isStalled) this.#held.push(() => this.#deliver(from, to, messages))
    else for (const { replica, message } of messages) broker.host.receive(from, replica, message)
  }

  deliverHeld(): void {
    const held = this.#held.splice(0)
    this.clock.soon(() => {
      for (const deliver of held) deliver()
    })
  }

  /** Cut off both ways, from everybody. */
  isolate(id: number): void {
    for (const other of this.ids) this.#cut.add(`${id}->${other}`).add(`${other}->${id}`)
  }
  heal(): void {
    this.#cut.clear()
  }

  member(id: number): Member {
    return this.members[id - 1] as Member
  }

  /** Lets time pass until one leads and is ready. */
  async leader(except: readonly number[] = []): Promise<Member> {
    for (let round = 0; round < 200; round++) {
      const leader = this.members.find((member, index) => member.isReady && !except.includes(index + 1))
      if (leader !== undefined) return leader
      await this.clock.advance(10)
    }
    throw new Error('nobody leads')
  }

  idOf(member: Member): number {
    return this.members.indexOf(member) + 1
  }
}

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
  const votes = cluster.sent.get('voteRequest')
  follower.process.stall()
  await cluster.clock.advance(1000)
  follower.process.goOn()
  cluster.deliverHeld()
  await cluster.clock.advance(300)
  t.equal(cluster.sent.get('voteRequest'), votes, 'it did not even ask')
  t.equal((await cluster.leader()).epoch, epoch)
})

t.test('many quorums share their frames: one per peer and turn', async (t) => {
  const cluster = new Cluster()
  for (let index = 0; index < 20; index++) await cluster.open(`t-${index}`)
  await cluster.clock.advance(1000)
  const { frames } = cluster
  const heartbeats = cluster.sent.get('heartbeat') ?? 0
  await cluster.clock.advance(300)
  const sentFrames = cluster.frames - frames
  const sentHeartbeats = (cluster.sent.get('heartbeat') ?? 0) - heartbeats
  t.ok(sentHeartbeats > 300, `${sentHeartbeats} heartbeats`)
  t.ok(sentFrames < sentHeartbeats, `${sentFrames} frames for ${sentHeartbeats} heartbeats and their answers`)
})
