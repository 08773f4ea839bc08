/** R-35, T-15: what must not be old is only answered by who surely leads. */
import t from 'tap'
import { Cluster } from './cluster.ts'
import { propose } from './fixture.ts'

/** What became of a question: 'open', 'leads', or the refusal's code. */
function ask(member: { confirmLeadership(): Promise<void> }): { fate: string } {
  const question = { fate: 'open' }
  member.confirmLeadership().then(
    () => {
      question.fate = 'leads'
    },
    (error: { code: string }) => {
      question.fate = error.code
    },
  )
  return question
}

t.test('a leader that is heard confirms at once, in one round for all who ask in a turn', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  await cluster.clock.advance(35)
  const before = cluster.sent.get('heartbeat') ?? 0
  const questions = Array.from({ length: 1000 }, () => ask(leader))
  await cluster.clock.advance(2)
  t.ok(questions.every(({ fate }) => fate === 'leads'))
  t.equal((cluster.sent.get('heartbeat') ?? 0) - before, 2)
  const follower = cluster.members.find((member) => member !== leader)
  await t.rejects(() => follower?.confirmLeadership() ?? Promise.resolve(), {
    code: 'NOT_LEADER_OR_FOLLOWER',
  })
})

t.test('who was deposed and does not know it refuses, within an election time-out', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const old = await cluster.leader()
  const id = cluster.idOf(old)
  // It stands still; the others go on.
  cluster.brokers[id - 1]?.process.stall()
  const next = await cluster.leader([id])
  const fates: string[] = []
  propose(next, fates, 'news')
  await cluster.clock.advance(20)
  t.same(fates, ['news committed'])
  t.ok(old.isReady, 'it still believes that it leads')
  const question = ask(old)
  await cluster.clock.advance(1)
  cluster.brokers[id - 1]?.process.goOn()
  cluster.deliverHeld()
  await cluster.clock.advance(100)
  t.equal(question.fate, 'NOT_LEADER_OR_FOLLOWER')

  // Cut off, it learns nothing: its time runs out.
  cluster.isolate(cluster.idOf(next))
  const alone = ask(next)
  const askedMs = cluster.clock.monotonic()
  while (alone.fate === 'open') await cluster.clock.advance(10)
  t.equal(alone.fate, 'NOT_LEADER_OR_FOLLOWER')
  t.ok(cluster.clock.monotonic() - askedMs <= 200 + 30 + 20, 'an election time-out, a heartbeat, two ticks')
})

t.test('it waits for a majority, however long that takes, and no longer', async (t) => {
  const cluster = new Cluster()
  await cluster.open()
  const leader = await cluster.leader()
  const [one = 0, other = 0] = cluster.ids.filter((id) => id !== cluster.idOf(leader))
  cluster.isolate(one)
  const first = ask(leader)
  await cluster.clock.advance(5)
  t.equal(first.fate, 'leads', 'with the answer of one of two')
  cluster.brokers[other - 1]?.process.stall()
  const second = ask(leader)
  await cluster.clock.advance(100)
  t.equal(second.fate, 'open')
  cluster.brokers[other - 1]?.process.goOn()
  cluster.deliverHeld()
  await cluster.clock.advance(10)
  t.equal(second.fate, 'leads')
})

t.test('a sole voter knows; who closes refuses', async (t) => {
  const cluster = new Cluster(1)
  await cluster.open()
  const leader = await cluster.leader()
  await leader.confirmLeadership()
  await leader.close()
  await t.rejects(leader.confirmLeadership(), { code: 'NOT_LEADER_OR_FOLLOWER' })
  const three = new Cluster()
  await three.open()
  const closing = await three.leader()
  three.isolate(three.idOf(closing))
  const open = ask(closing)
  const closed = closing.close()
  await three.clock.advance(50)
  await closed
  t.equal(open.fate, 'NOT_LEADER_OR_FOLLOWER')
})
