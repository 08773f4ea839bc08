/**
 * One group of this client's consumers and those of other libraries: joins, leaves, kills; nothing skipped, nothing read twice
 * but what at-least-once allows.
 */
import kafkajsLibrary from 'kafkajs'
import t, { type Test } from 'tap'
import type { AssignorName } from '../../client/assignors.ts'
import { Client } from '../../client/client.ts'
import type { Consumer } from '../../client/consumer.ts'
import { nodeTransport, type Stream, type Transport } from '../../client/transport.ts'
import { bootstrap } from '../wire/broker.ts'
import { missing, unique } from '../wire/clients.ts'
import type { MemberArgs } from '../wire/member.ts'
import { Member } from '../wire/observed-member.ts'
import { JavaMember, missingJava } from './java-member.ts'

t.setTimeout(400_000)
t.jobs = 4

const PARTITIONS = 6
const all = [0, 1, 2, 3, 4, 5]
const address = await bootstrap(t)
const client = new Client({ bootstrap: address })
t.teardown(() => client.close())

/** A transport that can be cut off: what is killed says no farewell. */
function mortal(): { transport: Transport; kill: () => void } {
  const streams = new Set<Stream>()
  let isDead = false
  const connect: Transport['net']['connect'] = async (options) => {
    if (isDead) throw new Error('killed')
    const stream = await nodeTransport.net.connect(options)
    streams.add(stream)
    return stream
  }
  const kill = (): void => {
    isDead = true
    for (const stream of streams) stream.destroy()
  }
  return { transport: { ...nodeTransport, net: { connect } }, kill }
}

/** One of our consumers. */
class Ours {
  readonly consumer: Consumer
  /** 'partition:offset' and how often it was read. */
  readonly read = new Map<string, number>()
  /** First offset of each partition since it was assigned. */
  readonly resumedAt = new Map<number, number>()
  readonly given: number[] = []
  readonly taken: number[] = []
  readonly following: Promise<void>
  readonly kill: () => void
  readonly #client: Client

  constructor(topic: string, groupId: string, assignors: readonly AssignorName[]) {
    const { transport, kill } = mortal()
    this.#client = new Client({ bootstrap: address, transport, callTimeoutMs: 2_000 })
    this.kill = kill
    this.consumer = this.#client.consumer({
      topics: [topic],
      groupId,
      assignors,
      from: 'beginning',
      heartbeatIntervalMs: 200,
      sessionTimeoutMs: 6_000,
      autoCommitIntervalMs: 100,
      rebalance: {
        assigned: (partitions) => {
          for (const { partition } of partitions) this.resumedAt.delete(partition)
          this.given.push(...partitions.map(({ partition }) => partition))
        },
        revoked: (partitions) => {
          this.taken.push(...partitions.map(({ partition }) => partition))
        },
      },
    })
    this.following = this.#follow()
  }

  get owned(): number[] {
    return this.consumer.assignment.map(({ partition }) => partition).sort()
  }

  async close(): Promise<void> {
    await this.#client.close({ timeoutMs: 2_000 })
    await this.following
  }

  async #follow(): Promise<void> {
    try {
      for await (const { partition, records } of this.consumer.batches()) {
        for (const { offset } of records) {
          if (!this.resumedAt.has(partition)) this.resumedAt.set(partition, offset)
          const name = `${partition}:${offset}`
          this.read.set(name, (this.read.get(name) ?? 0) + 1)
        }
      }
    } catch {
      // Killed.
    }
  }
}

class Shared {
  readonly topic = unique('shared')
  readonly group = unique('group')
  readonly #ended: (() => Promise<unknown>)[] = []
  readonly ours: Ours[] = []
  readonly theirs: (Member | JavaMember)[] = []
  sent = 0

  constructor(t: Test) {
    t.teardown(() => Promise.all(this.#ended.map((end) => end())))
  }

  async create(): Promise<this> {
    await client.admin().createTopics([{ name: this.topic, partitions: PARTITIONS }])
    return this
  }

  join(assignors: readonly AssignorName[]): Ours {
    const ours = new Ours(this.topic, this.group, assignors)
    this.ours.push(ours)
    this.#ended.push(() => ours.close())
    return ours
  }

  joinTheirs(library: Library, strategy: AssignorName): Member | JavaMember {
    const args = { bootstrap: address, topic: this.topic, group: this.group, strategy }
    const member = library === 'java' ? new JavaMember(args) : new Member({ ...args, library })
    this.theirs.push(member)
    this.#ended.push(() => member.peer.end('SIGKILL'))
    return member
  }

  async send(count: number): Promise<void> {
    const producer = client.producer()
    await producer.sendAll(
      all.flatMap((partition) =>
        Array.from({ length: count }, (_, n) => ({
          topic: this.topic,
          partition,
          value: `${partition}:${this.sent + n}`,
        })),
      ),
    )
    await producer.close()
    this.sent += count
  }

  get readOnce(): number {
    const names = this.ours.flatMap(({ read }) => [...read.keys()])
    return new Set([...names, ...this.theirs.flatMap((member) => [...member.look().values.keys()])]).size
  }

  async allRead(): Promise<void> {
    await until(`all of ${this.sent * PARTITIONS} are read`, () => this.readOnce === this.sent * PARTITIONS)
  }

  /** By hand-over in order nothing is read twice. */
  get readTwice(): string[] {
    const times = new Map<string, number>()
    for (const { read } of this.ours)
      for (const [name, count] of read) times.set(name, (times.get(name) ?? 0) + count)
    for (const { values } of this.theirs)
      for (const name of values.keys()) times.set(name, (times.get(name) ?? 0) + 1)
    return [...times].filter(([, count]) => count > 1).map(([name]) => name)
  }
}

/** On a busy machine a JVM takes 45 s until its consumer is in the group. */
const withinMs = 90_000

async function until(what: string, holds: () => boolean, shown: () => string = () => ''): Promise<void> {
  const begun = performance.now()
  while (!holds()) {
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what} ${shown()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Each partition has one owner, and nobody has more than his share. */
function isDivided(...members: readonly (readonly number[])[]): boolean {
  const sizes = members.map(({ length }) => length)
  const isFair = Math.max(...sizes) - Math.min(...sizes) <= 1
  return (
    isFair &&
    sizes.reduce((sum, size) => sum + size, 0) === PARTITIONS &&
    `${members.flat().sort()}` === `${all}`
  )
}

const committedBy = async (group: string): Promise<Map<number, number>> =>
  new Map((await client.admin().committedOffsets(group)).map(({ partition, offset }) => [partition, offset]))

type Library = MemberArgs['library'] | 'java'
const peers: readonly [Library, AssignorName, string | false][] = [
  ['java', 'cooperative-sticky', missingJava()],
  ['java', 'sticky', missingJava()],
  ['java', 'range', missingJava()],
  ['confluent_kafka', 'cooperative-sticky', missing('confluent_kafka')],
  ['confluent_kafka', 'range', missing('confluent_kafka')],
  ['kafka', 'roundrobin', missing('kafka')],
  ['kafkajs', 'range', false],
]

for (const [library, strategy, skip] of peers) {
  t.test(`with ${library} (${strategy})`, { skip, buffered: true }, async (t) => {
    const shared = await new Shared(t).create()
    await shared.send(40)
    const first = shared.join([strategy])
    await until('the first has all', () => first.owned.length === PARTITIONS)
    await shared.allRead()

    const second = shared.joinTheirs(library, strategy)
    await until('they share', () => isDivided(first.owned, second.look().owned))
    if (strategy === 'cooperative-sticky') {
      t.same([...first.taken].sort(), second.owned, 'gave up what the other got, and went on with the rest')
    }
    for (let round = 0; round < 5; round++) await shared.send(20)
    await shared.allRead()
    t.same(shared.readTwice, [], 'a join in order makes nobody read twice')

    await second.peer.end('SIGKILL')
    await shared.send(20)
    await until('all come back from who was killed', () => first.owned.length === PARTITIONS)
    await shared.allRead()
    for (const partition of second.owned) {
      const [resumed, committed] = [
        first.resumedAt.get(partition) ?? -1,
        second.committed.get(partition) ?? 0,
      ]
      t.ok(resumed >= committed, `${partition} goes on at ${resumed}, committed was ${committed}`)
    }

    const third = shared.joinTheirs(library, strategy)
    await until(
      'they share again',
      () => isDivided(first.owned, third.look().owned),
      () => `(ours has ${first.owned}, theirs ${third.look().owned})`,
    )
    await shared.send(20)
    await shared.allRead()
    const before = await committedBy(shared.group)
    const orphans = first.owned
    first.kill()
    await shared.send(20)
    await until('the other has all', () => third.look().owned.length === PARTITIONS)
    await shared.allRead()
    for (const partition of orphans) {
      const offsets = third.read.get(partition) ?? []
      const resumed = offsets[offsets.lastIndexOf(-1) + 1] ?? -1
      t.ok(resumed >= (before.get(partition) ?? 0), `${partition} goes on at ${resumed}`)
    }

    const fourth = shared.join([strategy])
    await until('a newcomer of ours is led by the other', () => isDivided(fourth.owned, third.look().owned))
    await third.peer.end('SIGTERM')
    await until('who leaves is followed', () => fourth.owned.length === PARTITIONS)
    await shared.send(20)
    await shared.allRead()
  })
}

const libraries = [...new Set(peers.filter(([, , skip]) => skip === false).map(([library]) => library))]
t.test(`with ${libraries.join(', ')} in one group`, async (t) => {
  const shared = await new Shared(t).create()
  const ours = shared.join(['range'])
  const present: (Member | JavaMember)[] = []
  const settled = async (what: string): Promise<void> => {
    await until(what, () => isDivided(ours.owned, ...present.map((member) => member.look().owned)))
    await shared.send(20)
    await shared.allRead()
  }
  for (const library of libraries) {
    present.push(shared.joinTheirs(library, 'range'))
    await settled(`${library} has its share`)
  }
  t.same(shared.readTwice, [], 'joins in order make nobody read twice')
  for (let i = 0; present.length > 0; i++) {
    await present.shift()?.peer.end(i % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await settled(`${present.length} of them are left`)
  }
})

t.test("with kafkajs' own assigner", async (t) => {
  const shared = await new Shared(t).create()
  const ours = new Ours(shared.topic, shared.group, ['range', 'roundrobin', 'RoundRobinAssigner'])
  t.teardown(() => ours.close())
  await until('the first has all', () => ours.owned.length === PARTITIONS)
  const kafka = new kafkajsLibrary.Kafka({ brokers: [address], logLevel: kafkajsLibrary.logLevel.NOTHING })
  const theirs = kafka.consumer({ groupId: shared.group, heartbeatInterval: 200, maxWaitTimeInMs: 100 })
  let owned: number[] = []
  theirs.on('consumer.group_join', ({ payload }) => {
    owned = payload.memberAssignment[shared.topic] ?? []
  })
  await theirs.connect()
  t.teardown(() => theirs.disconnect())
  await theirs.subscribe({ topics: [shared.topic] })
  const read = new Set<string>()
  await theirs.run({
    eachMessage: async ({ partition, message }) => {
      read.add(`${partition}:${message.offset}`)
    },
  })
  await until('they share', () => isDivided(ours.owned, owned))
  await shared.send(20)
  await until('all is read', () => new Set([...read, ...ours.read.keys()]).size === 20 * PARTITIONS)
})

t.test('cooperative-sticky among ourselves', async (t) => {
  const shared = await new Shared(t).create()
  await shared.send(40)
  const members = [shared.join(['cooperative-sticky'])]
  const owned = (): number[] => members.flatMap((member) => member.owned).sort()
  const spread = (): number[] => members.map((member) => member.owned.length).sort()
  await until('the first has all', () => owned().length === PARTITIONS)
  members.push(shared.join(['cooperative-sticky']))
  await until('two share', () => `${spread()}` === '3,3' && `${owned()}` === `${all}`)
  members.push(shared.join(['cooperative-sticky']))
  await until('three share', () => `${spread()}` === '2,2,2' && `${owned()}` === `${all}`)
  await shared.send(40)
  await shared.allRead()
  t.same(shared.readTwice, [], 'nothing was read twice')
  t.equal(members[0]?.given.length, 6, 'what stays is not assigned again')
  t.equal(members[0]?.taken.length, 4)
  await members.pop()?.close()
  await until('two share again', () => `${spread()}` === '3,3' && `${owned()}` === `${all}`)
  members.pop()?.kill()
  await until('one has all', () => owned().length === PARTITIONS)
  await shared.send(40)
  await shared.allRead()
})

t.test('sticky among ourselves: as few as possible move', async (t) => {
  const shared = await new Shared(t).create()
  const members = [shared.join(['sticky']), shared.join(['sticky'])]
  const spread = (): number[] => members.map((member) => member.owned.length).sort()
  await until('two share', () => `${spread()}` === '3,3')
  const before = members.map((member) => member.owned)
  members.push(shared.join(['sticky']))
  await until('three share', () => `${spread()}` === '2,2,2')
  for (const [i, member] of members.slice(0, 2).entries()) {
    t.ok(
      member.owned.every((partition) => before[i]?.includes(partition)),
      `${member.owned} of ${before[i]}`,
    )
  }
})
