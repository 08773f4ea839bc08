/** Parts of the client that need no broker. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { type GroupMemberInfo, range, roundRobin } from '../../client/assignors.ts'
import { Frames } from '../../client/frames.ts'
import type { PartitionMetadata } from '../../client/metadata.ts'
import { murmur2 } from '../../client/murmur2.ts'
import { nameOf } from '../../client/partition.ts'
import { partitionOfKey, StickyPartition } from '../../client/partitioner.ts'
import { settingsOf } from '../../client/settings.ts'
import { cooperativeSticky, sticky } from '../../client/sticky-assignor.ts'
import { memberInfo, subscriptionFor } from '../../client/subscription.ts'

t.test('brokers are told the version of the package', async (t) => {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
  const { softwareVersion } = settingsOf({ bootstrap: 'localhost' })
  t.equal(softwareVersion, (JSON.parse(manifest) as { version: string }).version)
})

t.test('murmur2 as in Java', async (t) => {
  // org.apache.kafka.common.utils.UtilsTest#testMurmur2
  const vectors: readonly [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [key, hash] of vectors) t.equal(murmur2(Buffer.from(key)), hash, key)
  t.equal(murmur2(Buffer.alloc(0)), 275646681, 'nothing at all')
  t.equal(partitionOfKey(Buffer.from('21'), 7), (-973932308 & 0x7fffffff) % 7)
})

t.test('records without keys stay, and move on when a batch is done', async (t) => {
  const partitions = [0, 1, 2, 3].map((index): PartitionMetadata => {
    const leader = index === 3 ? -1 : 1
    return { index, leader, leaderEpoch: 0, replicas: [1], inSync: [1], offline: [] }
  })
  let draw = 0
  const sticky = new StickyPartition(100, { float: () => (draw = (draw + 0.37) % 1) })
  const taken = Array.from({ length: 400 }, () => sticky.next(partitions, 25, false))
  for (let i = 0; i < taken.length; i += 4)
    t.equal(new Set(taken.slice(i, i + 4)).size, 1, 'four records of 25 bytes fill it')
  t.same([...new Set(taken)].sort(), [0, 1, 2], 'a partition without a leader is passed over')
  for (let i = 4; i < taken.length; i += 4) t.not(taken[i], taken[i - 1], 'the next batch goes elsewhere')
  const filled = Array.from({ length: 100 }, () => sticky.next(partitions, 25, true))
  t.equal(new Set(filled).size, 1, 'while its batch has room, nobody leaves a partition')
})

const member = (
  memberId: string,
  topics: string[],
  groupInstanceId: string | null = null,
): GroupMemberInfo => ({
  memberId,
  groupInstanceId,
  topics,
})
const shown = (assignment: Map<string, { topic: string; partition: number }[]>) =>
  Object.fromEntries([...assignment].map(([id, places]) => [id, places.map(nameOf).join(' ')]))

t.test('assignors', async (t) => {
  const counts = new Map([
    ['a', 3],
    ['b', 2],
  ])
  const both = [member('y', ['a', 'b']), member('x', ['a', 'b'])]
  // The examples of Java's RangeAssignor and RoundRobinAssignor.
  t.same(shown(range.assign(both, counts)), { x: 'a-0 a-1 b-0', y: 'a-2 b-1' })
  t.same(shown(roundRobin.assign(both, counts)), { x: 'a-0 a-2 b-1', y: 'a-1 b-0' })
  const uneven = [member('c0', ['t0']), member('c1', ['t0', 't1']), member('c2', ['t0', 't1', 't2'])]
  const three = new Map([
    ['t0', 1],
    ['t1', 2],
    ['t2', 3],
  ])
  t.same(shown(roundRobin.assign(uneven, three)), { c0: 't0-0', c1: 't1-0', c2: 't1-1 t2-0 t2-1 t2-2' })
  const statics = [member('a', ['a'], 'z'), member('b', ['a'], 'y'), member('c', ['a'])]
  t.same(
    shown(range.assign(statics, new Map([['a', 3]]))),
    { b: 'a-0', a: 'a-1', c: 'a-2' },
    'static members first',
  )
  const idle = [...both, member('z', ['a', 'b'])]
  t.same(shown(range.assign(idle, new Map([['b', 2]]))), { x: 'b-0', y: 'b-1', z: '' })
  for (const assignor of [range, roundRobin]) {
    t.same(
      shown(assignor.assign([member('x', ['gone'])], new Map())),
      { x: '' },
      'a topic that does not exist',
    )
  }
})

t.test('sticky assignors', async (t) => {
  const places = (...names: string[]) =>
    names.map((name) => ({ topic: name.split('-')[0] ?? '', partition: Number(name.split('-')[1]) }))
  const had = (memberId: string, topics: string[], owned: string[], generationId = 1): GroupMemberInfo => ({
    ...member(memberId, topics),
    owned: places(...owned),
    generationId,
  })
  const six = new Map([['a', 6]])
  const fresh = sticky.assign([member('x', ['a']), member('y', ['a'])], six)
  t.same(shown(fresh), { x: 'a-0 a-2 a-4', y: 'a-1 a-3 a-5' })
  const joined = [
    had('x', ['a'], ['a-0', 'a-2', 'a-4']),
    had('y', ['a'], ['a-1', 'a-3', 'a-5']),
    member('z', ['a']),
  ]
  t.same(shown(sticky.assign(joined, six)), { x: 'a-0 a-2', y: 'a-1 a-3', z: 'a-4 a-5' }, 'one of each moves')
  t.same(
    shown(cooperativeSticky.assign(joined, six)),
    { x: 'a-0 a-2', y: 'a-1 a-3', z: '' },
    'but is given up before it is given away',
  )
  const released = [had('x', ['a'], ['a-0', 'a-2']), had('y', ['a'], ['a-1', 'a-3']), member('z', ['a'])]
  t.same(shown(cooperativeSticky.assign(released, six)), { x: 'a-0 a-2', y: 'a-1 a-3', z: 'a-4 a-5' })
  t.same(
    shown(
      sticky.assign(
        [had('x', ['a'], ['a-0', 'a-1'], 3), had('y', ['a'], ['a-0', 'a-1'], 4)],
        new Map([['a', 2]]),
      ),
    ),
    { x: 'a-1', y: 'a-0' },
    'of two claims the later generation counts',
  )
  t.same(
    shown(
      sticky.assign(
        [had('x', ['b'], ['a-0', 'gone-1']), member('y', ['a'])],
        new Map([
          ['a', 1],
          ['b', 1],
        ]),
      ),
    ),
    { x: 'b-0', y: 'a-0' },
    'what is not subscribed, or not there any more, is not kept',
  )
  // Unequal subscriptions: nobody could give to somebody with fewer by two.
  const uneven = sticky.assign(
    [had('x', ['a', 'b'], ['a-0', 'a-1', 'a-2', 'a-3']), member('y', ['a']), member('z', ['b'])],
    new Map([
      ['a', 4],
      ['b', 2],
    ]),
  )
  t.same(
    [...uneven.values()].map((list) => list.length),
    [2, 2, 2],
  )

  let seed = 1
  const random = (n: number): number => {
    seed = (seed * 48271) % 0x7fffffff
    return seed % n
  }
  const sorted = (assignment: Map<string, { topic: string; partition: number }[]>) =>
    [...assignment].map(([id, list]) => [id, ...list.map(nameOf).sort()])
  for (let round = 0; round < 100; round++) {
    const counts = new Map(Array.from({ length: 1 + random(4) }, (_, i) => [`t${i}`, 1 + random(9)] as const))
    let members = Array.from({ length: 1 + random(5) }, (_, i) => member(`m${i}`, [...counts.keys()]))
    for (let generation = 0; generation < 4; generation++) {
      const assignment = sticky.assign(members, counts)
      const names = [...assignment.values()].flat().map(nameOf)
      const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
      const sizes = [...assignment.values()].map((list) => list.length)
      if (new Set(names).size !== total || names.length !== total) t.fail(`round ${round}: not each once`)
      if (Math.max(...sizes) - Math.min(...sizes) > 1) t.fail(`round ${round}: ${sizes}`)
      const survivors = members.slice(random(2)).map((m): GroupMemberInfo => {
        return { ...m, owned: assignment.get(m.memberId) ?? [], generationId: generation }
      })
      if (survivors.length === members.length) {
        const again = sticky.assign(survivors, counts)
        if (JSON.stringify(sorted(again)) !== JSON.stringify(sorted(assignment)))
          t.fail(`round ${round}: it moved`)
      }
      members = survivors.length > 0 ? [...survivors] : members
      if (random(2) === 0) members = [...members, member(`n${round}-${generation}`, [...counts.keys()])]
    }
  }
})

t.test('what members tell of their past, in the words of each library', async (t) => {
  const now = {
    owned: [
      { topic: 'a', partition: 1 },
      { topic: 'a', partition: 2 },
    ],
    generationId: 7,
  }
  for (const assignor of [sticky, cooperativeSticky]) {
    const metadata = subscriptionFor(assignor, ['a', 'b'], now)
    const read = memberInfo(assignor, { memberId: 'x', groupInstanceId: null, metadata })
    t.same(read, { memberId: 'x', groupInstanceId: null, topics: ['a', 'b'], ...now }, assignor.name)
  }
  const read = (assignor: typeof sticky, hex: string) =>
    memberInfo(assignor, {
      memberId: 'x',
      groupInstanceId: null,
      metadata: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
    })
  const [topics, previous] = ['00000001 0001 61', '00000001 0001 61 00000002 00000001 00000002']
  t.same(
    read(sticky, `0000 ${topics} 00000013 ${previous}`),
    { memberId: 'x', groupInstanceId: null, topics: ['a'], owned: now.owned, generationId: -1 },
    'sticky before it had generations: Java 2.2',
  )
  t.match(read(sticky, `0000 ${topics} 00000017 ${previous} 00000007`), now, 'sticky: Java 2.3, kafka-python')
  t.match(
    read(cooperativeSticky, `0001 ${topics} 00000004 00000007 ${previous}`),
    now,
    'cooperative: Java 2.4',
  )
  t.match(
    read(cooperativeSticky, `0001 ${topics} 00000017 ${previous} 00000007 ${previous}`),
    now,
    'cooperative: librdkafka',
  )
  t.match(read(sticky, `0000 ${topics} 00000003 ffffff`), { owned: [], generationId: -1 }, 'noise is no past')
})

t.test('frames, cut anywhere', async (t) => {
  const frame = (text: string): Buffer => {
    const bytes = Buffer.alloc(4 + text.length)
    bytes.writeInt32BE(text.length)
    bytes.write(text, 4)
    return bytes
  }
  const stream = Buffer.concat([frame('one'), frame(''), frame('three'), frame('x'.repeat(100))])
  for (let size = 1; size <= stream.length; size++) {
    const frames = new Frames(1000)
    const got: string[] = []
    for (let at = 0; at < stream.length; at += size) {
      frames.push(stream.subarray(at, at + size), (bytes) => got.push(bytes.toString()))
    }
    t.same(got, ['one', '', 'three', 'x'.repeat(100)])
    t.notOk(frames.isMidFrame)
  }
  t.throws(() => new Frames(99).push(stream, () => {}), { message: 'a frame of 100 bytes' })
  t.throws(() => new Frames(99).push(Buffer.alloc(4, 0xff), () => {}), { message: 'a frame of -1 bytes' })
})
