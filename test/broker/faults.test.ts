/** A disk that fails or fills up, and files that were damaged at rest: what stays, what goes on, what is said. */
import t, { type Test } from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { dataDir, Node } from './node.ts'

const clusterLog = '00000000-0000-0000-0000-000000000001-0'

async function leaderErrors(node: Node, topic: string): Promise<string[]> {
  const { topics } = await node.metadata([topic])
  return topics[0]?.partitions.map(({ errorCode, leaderId }) => `${errorName(errorCode)} ${leaderId}`) ?? []
}

/** What every client of a partition that is offline hears. */
async function isOffline(t: Test, node: Node, topic: string, partition = 0): Promise<void> {
  const offline = 'KAFKA_STORAGE_ERROR'
  t.equal(await node.produce(topic, ['x'], { partition }), offline, 'produce')
  t.equal(await node.consume(topic, { partition }), offline, 'fetch')
  t.equal(await node.offsets(topic, partition), offline, 'list offsets')
  const request = { topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset: 0 }] }] }
  const { topics } = await node.ask(DeleteRecords, { ...request, timeoutMs: 1000 })
  t.equal(errorName(topics[0]?.partitions[0]?.errorCode ?? -1), offline, 'delete records')
  t.equal((await leaderErrors(node, topic))[partition], 'LEADER_NOT_AVAILABLE -1', 'metadata')
}

t.test('a partition damaged below its barrier is offline alone, and reported once', async (t) => {
  const node = await Node.start(t)
  const orders = await node.createTopic('orders', 3)
  for (const partition of [0, 1, 2]) {
    for (let i = 0; i < 5; i++) await node.produce('orders', [`v${i}`], { partition })
  }
  await node.commit('billing', 'orders', 3, 1)
  node.kill()
  const file = `${node.folderOf(orders, 1)}/00000000000000000000.log`
  node.disk.damage(file, (bytes) => {
    bytes[100] = (bytes[100] ?? 0) ^ 1
    return bytes
  })
  await node.start()
  await isOffline(t, node, 'orders', 1)
  t.strictSame(await leaderErrors(node, 'orders'), ['NONE 1', 'LEADER_NOT_AVAILABLE -1', 'NONE 1'])
  for (const partition of [0, 2]) {
    t.equal(await node.produce('orders', ['more'], { partition }), 5)
    t.strictSame((await node.consume('orders', { partition })).length, 6)
  }
  t.match(
    node.events.filter(({ level }) => level === 'error'),
    [{ event: 'partition.offline', message: /^orders-1 is offline until .*restarted: bytes: open log/ }],
  )
  t.equal(node.said('error').length, 1)

  // Old fetchers do not know the error.
  const { responses } = await node.ask(
    Fetch,
    {
      maxWaitMs: 0,
      minBytes: 1,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: 'orders',
          topicId: orders,
          partitions: [{ partition: 1, fetchOffset: 0, partitionMaxBytes: 1000 }],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    },
    5,
  )
  t.equal(errorName(responses[0]?.partitions[0]?.errorCode ?? -1), 'NOT_LEADER_OR_FOLLOWER')

  // Its owner may give it up.
  t.equal(await node.deleteTopic('orders'), 'NONE')
  await node.createTopic('orders', 2)
  t.equal(await node.produce('orders', ['new'], { partition: 1 }), 0)
})

t.test('a failed sync: offline at once, nothing acknowledged is lost, others go on', async (t) => {
  const node = await Node.start(t)
  const orders = await node.createTopic('orders', 2)
  await node.createTopic('other')
  for (let i = 0; i < 5; i++) await node.produce('orders', [`v${i}`])
  const parked = (await node.connect()).fetch('orders', { offset: 5, maxWaitMs: 60_000 })
  let isFailing = true
  node.onDisk = ({ kind, path }) =>
    isFailing && kind === 'sync' && path.includes(`${orders}-0`) ? { code: 'EIO' } : undefined
  t.equal(await node.produce('orders', ['lost?']), 'KAFKA_STORAGE_ERROR')
  isFailing = false
  t.equal(await parked, 'KAFKA_STORAGE_ERROR', 'who waits is told')
  await isOffline(t, node, 'orders', 0)
  t.equal(await node.produce('orders', ['x'], { partition: 1 }), 0)
  t.equal(await node.produce('other', ['x']), 0)
  t.equal(await node.commit('billing', 'orders', 2), 'NONE')
  t.match(await node.createTopic('third'), /-/)
  const reports = node.events.filter(({ event }) => event === 'partition.offline')
  t.match(reports, [{ level: 'error', partition: 'orders-0', message: /restarted: .*EIO/ }])
  await node.stop()
  t.equal(node.said('error').filter((event) => event === 'partition.offline').length, 1, 'once')

  node.losePower()
  await node.start()
  const found = await node.consume('orders')
  t.strictSame(found.slice(0, 5), ['v0', 'v1', 'v2', 'v3', 'v4'])
  t.equal(typeof (await node.produce('orders', ['again'])), 'number', 'repaired and restarted, it serves')
})

t.test(
  'a disk that is nearly full: no records are taken, everything else goes on, and so do they with room',
  async (t) => {
    const node = new Node({ capacityBytes: 3_000_000 })
    t.teardown(() => node.stop())
    const ballast = node.mount.open('/srv/ballast', 'create')
    ballast.write([Buffer.alloc(1_000_000)], 0)
    ballast.close()
    await node.start()
    await node.createTopic('orders')
    const big = 'x'.repeat(100_000)
    let acknowledged = 0
    while (typeof (await node.produce('orders', [big])) === 'number') acknowledged++
    t.equal(await node.produce('orders', [big]), 'KAFKA_STORAGE_ERROR')
    t.equal((await node.consume('orders')).length, acknowledged)
    t.match(await node.createTopic('more'), /-/, 'topics can be made')
    t.equal(await node.commit('billing', 'orders', 1), 'NONE', 'offsets can be committed')
    await node.clock.advance(1000)
    t.strictSame(node.said('error'), ['disk.low'], 'it is said, once, and nothing is offline')
    node.mount.remove('/srv/ballast')
    await node.clock.advance(1000)
    t.equal(await node.produce('orders', [big]), acknowledged)
    t.ok(node.said('info').includes('disk.room'))
  },
)

t.test('a disk that fills up before anybody looks: what met its end comes back with room', async (t) => {
  const node = new Node({ capacityBytes: 3_000_000, settings: { 'lograft.disk.free.bytes.min': 1 } })
  t.teardown(() => node.stop())
  await node.start()
  await node.createTopic('orders')
  await node.produce('orders', ['kept'])
  const ballast = node.mount.open('/srv/ballast', 'create')
  ballast.write([Buffer.alloc(node.mount.freeBytes('/srv') - 20_000)], 0)
  ballast.close()
  t.equal(await node.produce('orders', ['x'.repeat(100_000)]), 'KAFKA_STORAGE_ERROR')
  t.ok(node.said('error').includes('partition.offline'))
  node.mount.remove('/srv/ballast')
  await node.inTime(
    (async () => {
      while (typeof (await node.produce('orders', ['on we go'])) !== 'number');
    })(),
  )
  t.match(await node.consume('orders'), ['kept'])
})

t.test('a disk that is full: typed errors, reading goes on, nothing acknowledged is lost', async (t) => {
  const node = await Node.start(t, {
    capacityBytes: 3_000_000,
    settings: { 'lograft.disk.free.bytes.min': 0 },
  })
  await node.createTopic('orders', 2)
  await node.produce('orders', ['second'], { partition: 1 })
  const big = 'x'.repeat(100_000)
  let acknowledged = 0
  let refused: string | number = 0
  while (typeof refused === 'number') {
    refused = await node.produce('orders', [big])
    if (typeof refused === 'number') acknowledged++
  }
  t.equal(refused, 'KAFKA_STORAGE_ERROR')
  t.ok(acknowledged > 20, `${acknowledged}`)
  t.strictSame(await node.consume('orders', { partition: 1 }), ['second'], 'consumers go on')
  t.match(
    node.events.find(({ event }) => event === 'partition.offline'),
    { message: /ENOSPC/ },
  )
  t.match(await node.createTopic('more'), /NOT_CONTROLLER|KAFKA_STORAGE_ERROR|REQUEST_TIMED_OUT/)
  t.match(await node.commit('billing', 'orders', 1), /COORDINATOR_NOT_AVAILABLE|NOT_COORDINATOR/)
  t.match((await node.metadata(null)).topics, [{ name: 'orders' }], 'the node lives')
  await node.stop()
  // Somebody makes room.
  const roomy = new Node({ capacityBytes: 30_000_000 })
  copyAll(node, roomy)
  t.teardown(() => roomy.stop())
  await roomy.start()
  const kept = await roomy.consume('orders')
  t.ok(kept.length >= acknowledged, `${kept.length} of ${acknowledged}`)
  t.equal(typeof (await roomy.produce('orders', ['on we go'])), 'number')
})

/** The files of one node's disk on that of another. */
function copyAll(from: Node, to: Node): void {
  const source = from.disk.mount()
  const copy = (path: string): void => {
    to.mount.mkdir(path)
    for (const name of source.list(path)) {
      const at = `${path}/${name}`
      if (source.stat(at)?.isFolder) copy(at)
      else to.mount.open(at, 'create').write([from.disk.bytesOf(at)], 0)
    }
  }
  copy(dataDir)
}

t.test('a topic that cannot be opened: its maker is told, the topic can be deleted', async (t) => {
  const node = await Node.start(t)
  node.onDisk = ({ kind, path }) =>
    kind === 'sync' && path.includes('partitions/') && !path.includes(clusterLog)
      ? { code: 'EIO' }
      : undefined
  t.equal(await node.createTopic('orders', 2), 'KAFKA_STORAGE_ERROR')
  node.onDisk = null
  await isOffline(t, node, 'orders', 1)
  t.equal(await node.createTopic('orders'), 'TOPIC_ALREADY_EXISTS')
  t.equal(await node.deleteTopic('orders'), 'NONE')
  t.match(await node.createTopic('orders', 2), /-/)
  t.equal(await node.produce('orders', ['x'], { partition: 1 }), 0)
})

t.test("the cluster's log fails: what is there goes on, changes are refused, it is reported", async (t) => {
  for (const hasGroups of [false, true]) {
    const node = await Node.start(t)
    await node.createTopic('orders')
    if (hasGroups) await node.commit('billing', 'orders', 1)
    node.onDisk = ({ kind, path }) =>
      kind === 'sync' && path.includes(clusterLog) ? { code: 'EIO' } : undefined
    t.equal(await node.createTopic('more'), 'REQUEST_TIMED_OUT', 'it may yet take effect, after a repair')
    node.onDisk = null
    t.equal(await node.deleteTopic('orders'), 'NOT_CONTROLLER')
    t.equal(await node.produce('orders', ['x']), 0)
    t.strictSame(await node.consume('orders'), ['x'])
    const coordinated = hasGroups ? 'NONE' : 'COORDINATOR_NOT_AVAILABLE'
    t.equal(await node.commit('billing', 'orders', 2), coordinated, 'groups that are there go on')
    t.match(
      node.events.find(({ event }) => event === 'cluster.offline'),
      { level: 'error', message: /EIO/ },
    )
    await node.restart()
    t.match(await node.createTopic('again'), /-/)
    await node.stop()
  }
})

t.test("a damaged partition of the groups' topic: other groups keep their place", async (t) => {
  for (const damaged of ['log', 'image'] as const) {
    const node = await Node.start(t, {
      settings: {
        'offsets.topic.num.partitions': 4,
        'lograft.image.changes.max': damaged === 'image' ? 3 : 1000,
      },
    })
    await node.createTopic('orders')
    const groups = Array.from({ length: 20 }, (_, n) => `group-${n}`)
    for (const [n, group] of groups.entries()) await node.commit(group, 'orders', n)
    const id = (await node.metadata(['__consumer_offsets'])).topics[0]?.topicId ?? ''
    node.kill()
    // The last one: the number of partitions must not be taken from those that open.
    const [file] = node.files(new RegExp(`${id}-3/.*\\.${damaged}$`))
    node.disk.damage(`${dataDir}/${file}`, (bytes) => {
      bytes[30] = (bytes[30] ?? 0) ^ 1
      return bytes
    })
    node.events.length = 0
    await node.start()
    const answers = await Promise.all(groups.map((group) => node.committed(group, 'orders')))
    const lost = answers.filter((answer) => answer === 'NOT_COORDINATOR').length
    t.ok(lost > 0 && lost < 20, `${lost} groups are on the damaged partition`)
    for (const [n, answer] of answers.entries()) if (answer !== 'NOT_COORDINATOR') t.equal(answer, n)
    t.ok(node.said('error').includes(damaged === 'log' ? 'partition.offline' : 'machine.failed'))
    t.equal(await node.deleteTopic('orders'), 'NONE', 'topics can be deleted all the same')
    await node.stop()
  }
})

t.test('a damaged state of the cluster is refused at the start, with a sentence', async (t) => {
  const node = await Node.start(t)
  for (let i = 0; i < 5; i++) await node.createTopic(`topic-${i}`)
  node.kill()
  const file = `${dataDir}/partitions/${clusterLog}/00000000000000000000.log`
  const sound = node.disk.bytesOf(file)
  node.disk.damage(file, (bytes) => {
    bytes[70] = (bytes[70] ?? 0) ^ 1
    return bytes
  })
  await t.rejects(node.start(), {
    name: 'DataFolderRefused',
    message: /^the cluster's own log cannot be read.* restore .*00000000-0000-0000-0000-000000000001-0/,
  })
  t.strictSame(node.mount.list(`${dataDir}/partitions`).length, 6, 'no partition was taken for an orphan')
  node.disk.damage(file, () => sound)
  await node.start()
  t.equal((await node.topicNames()).length, 5)
})
