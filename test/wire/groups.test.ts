/** Groups of members from different libraries: shared partitions, a member killed, nothing skipped. */
import t, { type Test } from 'tap'
import { bootstrap } from './broker.ts'
import { missing, unique } from './clients.ts'
import type { MemberArgs } from './member.ts'
import { Member } from './observed-member.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(280_000)

const PARTITIONS = 6
const all = [0, 1, 2, 3, 4, 5]
const broker = await bootstrap(t)
const admin = kafkajs(broker).admin()
const producer = kafkajs(broker).producer()
await admin.connect()
await producer.connect()
t.teardown(async () => {
  await producer.disconnect()
  await admin.disconnect()
})

class Shared {
  readonly topic = unique('shared')
  readonly group = unique('group')
  readonly members: Member[] = []
  /** Records in each partition. */
  sent = 0

  async create(): Promise<void> {
    await admin.createTopics({
      topics: [{ topic: this.topic, numPartitions: PARTITIONS, replicationFactor: 1 }],
    })
  }

  join(library: MemberArgs['library'], strategy: string, instance?: string): Member {
    const { topic, group } = this
    const member = new Member({
      library,
      bootstrap: broker,
      topic,
      group,
      strategy,
      ...(instance && { instance }),
    })
    this.members.push(member)
    return member
  }

  /** `count` more records to every partition; the value is `partition:offset`. */
  async send(count: number): Promise<void> {
    const messages = all.flatMap((partition) =>
      Array.from({ length: count }, (_, n) => ({ partition, value: `${partition}:${this.sent + n}` })),
    )
    await producer.send({ topic: this.topic, messages, acks: -1 })
    this.sent += count
  }

  /** How many of the sent records some member has read. */
  get readOnce(): number {
    return new Set(this.members.flatMap((member) => [...member.look().values.keys()])).size
  }

  allRead = (): boolean => this.readOnce === this.sent * PARTITIONS

  check(t: Test): void {
    t.equal(this.readOnce, this.sent * PARTITIONS, 'every record was read by some member')
    const wrong = this.members.flatMap((m) => [...m.values].filter(([at, value]) => at !== value))
    t.same(wrong, [], 'each at its offset, with its own bytes')
    const disorders = this.members.flatMap((member) => (member.orderly ? member.disorders : []))
    t.same(disorders, [], 'within an assignment, offsets follow each other')
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.peer.end('SIGKILL')))
  }
}

const share = async (t: Test): Promise<Shared> => {
  const shared = new Shared()
  t.teardown(() => shared.end())
  await shared.create()
  return shared
}

interface Pair {
  survivor: MemberArgs['library']
  victim: MemberArgs['library']
  strategy: string
  skip: string | false
}

const pairs: Pair[] = [
  { survivor: 'confluent_kafka', victim: 'kafkajs', strategy: 'range', skip: missing('confluent_kafka') },
  { survivor: 'kafkajs', victim: 'confluent_kafka', strategy: 'range', skip: missing('confluent_kafka') },
  { survivor: 'kafka', victim: 'platformatic', strategy: 'roundrobin', skip: missing('kafka') },
  {
    survivor: 'platformatic',
    victim: 'confluent_kafka',
    strategy: 'roundrobin',
    skip: missing('confluent_kafka'),
  },
  {
    survivor: 'confluent_kafka',
    victim: 'confluent_kafka',
    strategy: 'cooperative-sticky',
    skip: missing('confluent_kafka'),
  },
]

for (const { survivor, victim, strategy, skip } of pairs) {
  t.test(
    `${survivor} and ${victim} share a topic (${strategy}); ${victim} is killed`,
    { skip },
    async (t) => {
      const shared = await share(t)
      await shared.send(50)
      const first = shared.join(survivor, strategy)
      await first.until('the first member has all partitions', () => first.owned.length === PARTITIONS)
      if (strategy === 'cooperative-sticky') {
        // A commit that meets a rebalance makes librdkafka give up all it has, as lost; with Kafka 4.3.1, too.
        const isCommitted = (): boolean => all.every((p) => first.look().committed.get(p) === shared.sent)
        await first.until('the first member has nothing left to commit', isCommitted)
      }
      const second = shared.join(victim, strategy)
      await second.until('the second member has some partitions', () => second.owned.length > 0)
      const divided = (): boolean =>
        first.look().owned.length + second.owned.length === PARTITIONS &&
        new Set([...first.owned, ...second.owned]).size === 6
      await first.until('the first member has the others', divided)
      t.same([...first.owned, ...second.owned].sort(), all, `divided: ${first.owned} and ${second.owned}`)
      if (strategy === 'cooperative-sticky') {
        const revoked = first.peer.events.flatMap((told) => (told.event === 'revoked' ? told.partitions : []))
        t.same(
          revoked.sort(),
          second.owned,
          'the first member gave up what the second got, and kept on with the rest',
        )
      }

      for (let round = 0; round < 5; round++) await shared.send(20)
      const theirs = second.owned
      await second.until('the second member reads and commits', () =>
        theirs.every((p) => (second.committed.get(p) ?? 0) > 0),
      )
      await second.peer.end('SIGKILL')
      second.look()
      for (let round = 0; round < 5; round++) await shared.send(20)
      await first.until('the survivor has all partitions', () => first.owned.length === PARTITIONS)
      await shared.send(20)
      await first.until('every record is read', shared.allRead)

      shared.check(t)
      for (const partition of first.orderly ? theirs : []) {
        const offsets = first.read.get(partition) ?? []
        const resumed = offsets[offsets.lastIndexOf(-1) + 1] ?? -1
        t.ok(
          resumed >= (second.committed.get(partition) ?? 0),
          `partition ${partition} goes on from the committed offset`,
        )
      }
    },
  )
}

t.test(
  'a static member that restarts gets its partitions back without a rebalance',
  { skip: missing('confluent_kafka') },
  async (t) => {
    const shared = await share(t)
    await shared.send(20)
    const a = shared.join('confluent_kafka', 'range', 'a')
    await a.until('a has all partitions', () => a.owned.length === PARTITIONS)
    const b = shared.join('confluent_kafka', 'range', 'b')
    await b.until('b has its half', () => b.owned.length === 3)
    await a.until('a has its half', () => a.owned.length === 3)
    const before = { assignments: a.assignments, owned: a.owned, theirs: b.owned }

    await b.peer.end('SIGKILL')
    const again = shared.join('confluent_kafka', 'range', 'b')
    await again.until('b is back', () => again.owned.length > 0)
    await shared.send(20)
    await a.until('all is read', shared.allRead)
    t.same(again.owned, before.theirs, 'b has the partitions it had')
    t.same(
      { assignments: a.look().assignments, owned: a.owned },
      { assignments: before.assignments, owned: before.owned },
      'a noticed nothing',
    )
    shared.check(t)

    const twin = shared.join('confluent_kafka', 'range', 'b')
    await twin.until('the twin takes over', () => twin.owned.length > 0)
    const failed = (): boolean =>
      again.peer.events.some((told) => told.event === 'failed' && told.error === '_FATAL')
    await again.until('the older one is fenced', failed)
    t.match(again.peer.stderr, /fenced by other consumer/, 'the older of two with one instance id is fenced')
  },
)
