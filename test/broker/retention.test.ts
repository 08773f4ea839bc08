/** What goes, and when: by time, by size, by DeleteRecords; and how the logs of machines stay short. */
import t from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { dataDir, Node } from './node.ts'

const kib = 'x'.repeat(1024)
const day = 86_400_000
/** Every batch of a KiB is a segment of its own; retention looks every ten seconds. */
const quick = { 'log.segment.bytes': 1500, 'log.retention.check.interval.ms': 10_000 }

async function deleteRecords(node: Node, topic: string, offset: number): Promise<number | string> {
  const { topics } = await node.ask(DeleteRecords, {
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }],
    timeoutMs: 1000,
  })
  const row = topics[0]?.partitions[0]
  return row?.errorCode === 0 ? row.lowWatermark : errorName(row?.errorCode ?? -1)
}

t.test('retention.ms: whole segments go when the broker has not written to them for so long', async (t) => {
  const node = await Node.start(t, { settings: quick })
  const id = await node.createTopic('orders', 1, { 'retention.ms': '60000' })
  const segments = () => node.files(new RegExp(`${id}-0/.*\\.log$`)).length
  await node.produce('orders', [kib])
  await node.produce('orders', [kib])
  await node.clock.advance(40_000)
  await node.produce('orders', [kib])
  t.strictSame(await node.offsets('orders'), [0, 3], 'nothing has gone yet')
  await node.clock.advance(35_000)
  t.strictSame(await node.offsets('orders'), [2, 3])
  t.equal(segments(), 1)
  t.equal(await node.consume('orders', { offset: 1 }), 'OFFSET_OUT_OF_RANGE')
  t.strictSame(await node.consume('orders', { offset: 2 }), [kib])
  await node.clock.advance(60_000)
  t.strictSame(await node.offsets('orders'), [3, 3], 'the active segment too, when all of it is old')
  t.equal(await node.produce('orders', ['fourth']), 3, 'offsets go on')
  await node.restart()
  t.strictSame(await node.offsets('orders'), [3, 4])
  t.match(
    node.events.find(({ event }) => event === 'retention.start.raised'),
    { message: 'orders-0: records [0, 2) are past their retention' },
  )
})

t.test('the clock is the broker’s, not the producer’s', async (t) => {
  const node = await Node.start(t, { settings: quick })
  const future = { 'retention.ms': String(day), 'message.timestamp.after.max.ms': '9223372036854775807' }
  await node.createTopic('future', 1, future)
  await node.createTopic('past', 1, { 'retention.ms': String(day) })
  const { clock } = node
  t.equal(await node.produce('future', [kib], { timestamp: clock.now() + 3650 * day }), 0)
  t.equal(await node.produce('past', [kib], { timestamp: clock.now() - 3650 * day }), 0)
  await clock.advance(day - 60_000)
  t.strictSame(await node.offsets('past'), [0, 1], 'an old timestamp does not delete at once')
  await clock.advance(120_000)
  t.strictSame(await node.offsets('past'), [1, 1])
  t.strictSame(await node.offsets('future'), [1, 1], 'one in the future does not pin')
})

t.test('retention.bytes: the oldest segments go while enough remains', async (t) => {
  const node = await Node.start(t, { settings: quick })
  await node.createTopic('orders')
  for (let i = 0; i < 10; i++) await node.produce('orders', [kib])
  await node.clock.advance(20_000)
  t.strictSame(await node.offsets('orders'), [0, 10])
  await node.alter({ topic: 'orders' }, { 'retention.bytes': '3500' })
  await node.clock.advance(20_000)
  t.strictSame(await node.offsets('orders'), [6, 10], 'without a restart; as much stays as was asked for')
  await node.alter({ topic: 'orders' }, { 'retention.bytes': '-1' })
  for (let i = 0; i < 10; i++) await node.produce('orders', [kib])
  await node.clock.advance(20_000)
  t.strictSame(await node.offsets('orders'), [6, 20])
})

t.test('DeleteRecords: to the record, by a decision that is durable when it is answered', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  for (let i = 0; i < 10; i++) await node.produce('orders', [`v${i}`, `w${i}`])
  t.equal(await deleteRecords(node, 'orders', 5), 5)
  t.equal(await deleteRecords(node, 'orders', 3), 5, 'never back')
  t.equal(await deleteRecords(node, 'orders', 21), 'OFFSET_OUT_OF_RANGE')
  t.equal(await deleteRecords(node, 'orders', -2), 'OFFSET_OUT_OF_RANGE')
  t.equal(await deleteRecords(node, 'nothing', 1), 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal(await node.consume('orders', { offset: 4 }), 'OFFSET_OUT_OF_RANGE')
  t.equal((await node.consume('orders', { offset: 5 }))[0], 'w2')
  node.losePower()
  await node.start()
  t.strictSame(await node.offsets('orders'), [5, 20])
  t.equal(await deleteRecords(node, 'orders', -1), 20, 'all that is committed')
  t.strictSame(await node.offsets('orders'), [20, 20])
  t.equal(await node.produce('orders', ['next']), 20)
})

t.test('a loss of power at any moment of it: the start is durable before a file goes', async (t) => {
  const wholeRun = async (crashAt: number, seed: number): Promise<{ operations: number; start: number }> => {
    const node = await Node.start(t, { seed, settings: quick })
    const id = await node.createTopic('orders', 1, { 'retention.ms': '60000' })
    for (let i = 0; i < 4; i++) await node.produce('orders', [kib])
    await node.clock.advance(55_000)
    await node.produce('orders', [kib])
    node.disk.settleAll()
    let operations = 0
    node.onDisk = ({ path }) => {
      if (!path.includes(id)) return undefined
      return operations++ === crashAt ? 'powerOff' : undefined
    }
    await node.clock.advance(20_000)
    node.onDisk = null
    node.losePower()
    node.events.length = 0
    await node.start()
    const found = await node.offsets('orders')
    const start = Number(found[0])
    t.ok(start === 0 || start === 4, `crash at ${crashAt}: starts at ${start}`)
    t.strictSame((await node.consume('orders', { offset: start })).length, 5 - start, 'all above is there')
    t.strictSame(
      node.said('error').filter((event) => event === 'partition.offline'),
      [],
      'nothing is damaged',
    )
    await node.clock.advance(20_000)
    t.strictSame(await node.offsets('orders'), [4, 5], 'the next look finishes it')
    await node.stop()
    return { operations, start }
  }
  const { operations } = await wholeRun(-1, 1)
  t.ok(operations > 6, `${operations} operations`)
  const starts = new Set<number>()
  for (let at = 0; at < operations; at++) starts.add((await wholeRun(at, at + 1)).start)
  t.strictSame([...starts].sort(), [0, 4], 'crashes before and after the decision were among them')
})

t.test('retention of topics leaves the logs of machines alone', async (t) => {
  const node = await Node.start(t, {
    settings: { ...quick, 'log.retention.bytes': 1, 'log.retention.ms': 1000 },
  })
  await node.createTopic('orders')
  for (let i = 1; i <= 20; i++) t.equal(await node.commit('billing', 'orders', i), 'NONE')
  await node.produce('orders', [kib])
  await node.clock.advance(60_000)
  t.strictSame(await node.offsets('orders'), [1, 1])
  await node.restart()
  t.equal(await node.committed('billing', 'orders'), 20)
})

t.test('the logs of machines stay short, and the state comes back from their images', async (t) => {
  const node = await Node.start(t, {
    settings: { 'lograft.image.changes.max': 50, 'offsets.topic.num.partitions': 1 },
  })
  await node.createTopic('orders', 3, { 'retention.ms': '12345' })
  const client = await node.client
  for (let round = 1; round <= 40; round++) {
    await node.createTopic(`brief-${round}`)
    await node.deleteTopic(`brief-${round}`)
  }
  for (let i = 1; i <= 2000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => node.commit(`group-${n % 10}`, 'orders', i + n)))
  }
  const folders = node.mount.list(`${dataDir}/partitions`)
  const groups = (await client.metadata(['__consumer_offsets'])).topics[0]?.topicId
  for (const name of ['00000000-0000-0000-0000-000000000001-0', `${groups}-0`]) {
    t.ok(folders.includes(name))
    const files = node.files(new RegExp(`partitions/${name}/`))
    const bytes = files.reduce((sum, file) => sum + (node.mount.stat(`${dataDir}/${file}`)?.size ?? 0), 0)
    t.ok(bytes < 20_000, `${bytes} bytes in ${files.length} files`)
    t.equal(files.filter((file) => file.endsWith('.image')).length, 1, 'the newest image alone')
  }
  for (const how of ['stop', 'kill', 'power'] as const) {
    if (how === 'stop') await node.stop()
    else if (how === 'kill') node.kill()
    else node.losePower()
    await node.start()
    t.strictSame(await node.topicNames(), ['__consumer_offsets', 'orders'])
    for (let group = 1; group <= 10; group++) {
      t.equal(await node.committed(`group-${group - 1}`, 'orders'), 1990 + group, how)
    }
  }
  t.strictSame(node.said('error'), [])
})
