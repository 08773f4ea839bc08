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

t.test('records without keys stay, and move on when a batch is full', async (t) => {
  const partitions = [0, 1, 2, 3].map((index): PartitionMetadata => {
    const leader = index === 3 ? -1 : 1
    return { index, leader, leaderEpoch: 0, replicas: [1], inSync: [1], offline: [] }
  })
  let draw = 0
  const sticky = new StickyPartition(100, { float: () => (draw = (draw + 0.37) % 1) })
  const taken = Array.from({ length: 400 }, () => sticky.next(partitions, 25))
  for (let i = 0; i < taken.length; i += 4)
    t.equal(new Set(taken.slice(i, i + 4)).size, 1, 'four records of 25 bytes fill it')
  t.same([...new Set(taken)].sort(), [0, 1, 2], 'a partition without a leader is passed over')
  for (let i = 4; i < taken.length; i += 4) t.not(taken[i], taken[i - 1], 'the next batch goes elsewhere')
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
