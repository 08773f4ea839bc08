/** Topics come and go while clients are at work. */
import t from 'tap'
import { CreatePartitions } from '../../src/protocol/apis/create-partitions.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { dataDir, Node } from './node.ts'

t.test('a topic is gone when DeleteTopics is answered, and one made anew has nothing of it', async (t) => {
  const node = await Node.start(t)
  const first = await node.createTopic('orders', 2)
  await node.produce('orders', ['old'])
  await node.commit('billing', 'orders', 1)
  t.equal(await node.deleteTopic('orders'), 'NONE')
  t.equal(await node.produce('orders', ['x']), 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal(await node.consume('orders'), 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal(await node.offsets('orders'), 'UNKNOWN_TOPIC_OR_PARTITION')
  t.notOk(
    node.files(/./).some((path) => path.includes(first)),
    'no file is left',
  )

  const second = await node.createTopic('orders', 1)
  t.not(second, first)
  t.strictSame(await node.consume('orders'), [])
  t.equal(await node.committed('billing', 'orders'), -1, 'nor do groups remember it')
  t.equal(await node.produce('orders', ['new']), 0)
  await node.restart()
  t.strictSame(await node.consume('orders'), ['new'])
})

t.test('produce and fetch under way while their topic is deleted are answered', async (t) => {
  const node = await Node.start(t)
  for (let round = 0; round < 20; round++) {
    const topic = `topic-${round}`
    await node.createTopic(topic, 2)
    await node.produce(topic, ['first'])
    const [writer, reader] = [await node.connect(), await node.connect()]
    const produced = Array.from({ length: 10 }, () => writer.produce(topic, ['more']))
    const fetched = reader.fetch(topic, { offset: 100, maxWaitMs: 60_000 })
    const waiting = reader.fetch(topic, { partition: 1, maxWaitMs: 60_000 })
    if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(await node.deleteTopic(topic), 'NONE')
    for (const answer of await Promise.all(produced)) {
      const fine = typeof answer === 'number' || /UNKNOWN_TOPIC|NOT_LEADER|REQUEST_TIMED_OUT/.test(answer)
      if (!fine) t.fail(`produce was answered ${answer}`)
    }
    t.match(await fetched, /OFFSET_OUT_OF_RANGE|NOT_LEADER|UNKNOWN_TOPIC/)
    t.match(await waiting, /NOT_LEADER|UNKNOWN_TOPIC/)
    writer.frames.end()
    reader.frames.end()
  }
  t.strictSame(node.said('error'), [])
  t.strictSame(await node.topicNames(), [])
})

t.test('a hundred times the same topic', async (t) => {
  const node = await Node.start(t)
  const ids = new Set<string>()
  for (let round = 0; round < 100; round++) {
    ids.add(await node.createTopic('again', 3))
    t.equal(await node.produce('again', [`${round}`], { partition: round % 3 }), 0)
    if (round === 50) await node.restart()
    t.equal(await node.deleteTopic('again'), 'NONE')
  }
  t.equal(ids.size, 100)
  t.strictSame(node.mount.list(`${dataDir}/partitions`), ['00000000-0000-0000-0000-000000000001-0'])
  t.strictSame(node.said('error'), [])
})

t.test('a crash between the decision and the removal leaves folders that nobody reads', async (t) => {
  const node = await Node.start(t)
  const orders = await node.createTopic('orders', 2)
  await node.produce('orders', ['old'])
  await node.commit('billing', 'orders', 1)
  node.onDisk = ({ kind, path }) => (kind === 'rename' && path.includes('/deleted/') ? 'powerOff' : undefined)
  void node.deleteTopic('orders').catch(() => {})
  while (!node.said('error').includes('folder.remove.failed')) await new Promise((done) => setImmediate(done))
  node.onDisk = null
  node.losePower()
  await node.start()
  t.strictSame(await node.topicNames(), ['__consumer_offsets'], 'the decision stands')
  t.strictSame(node.mount.list(`${dataDir}/orphans`).length, 2, 'its folders are aside')
  await node.createTopic('orders', 2)
  t.strictSame(await node.consume('orders'), [])
  t.equal(await node.committed('billing', 'orders'), -1)

  // After the renaming: the next start finishes the work.
  node.onDisk = ({ kind, path }) =>
    kind === 'removeFolder' && path.includes('/deleted/') ? 'powerOff' : undefined
  void node.deleteTopic('orders').catch(() => {})
  while (node.said('error').length < 2) await new Promise((done) => setImmediate(done))
  node.onDisk = null
  node.kill()
  await node.start()
  t.strictSame(node.files(/deleted/), [])
  t.notOk(node.files(/partitions/).some((path) => path.includes(orders)))
})

t.test(
  'fifty clients ask at once for a topic that is not there: one is made, and all see it lead',
  async (t) => {
    const node = await Node.start(t, { settings: { 'num.partitions': 3 } })
    const clients = await Promise.all(Array.from({ length: 50 }, () => node.connect()))
    const answers = await Promise.all(clients.map((client) => client.metadata(['events'], true)))
    const ids = new Set<string>()
    for (const { topics } of answers) {
      t.match(topics, [{ errorCode: 0, partitions: [{ leaderId: 1 }, { leaderId: 1 }, { leaderId: 1 }] }])
      ids.add(topics[0]?.topicId ?? '')
    }
    t.equal(ids.size, 1)
  },
)

t.test('nobody hears of a topic that does not lead yet', async (t) => {
  const node = await Node.start(t)
  const [maker, named, all] = [await node.connect(), await node.connect(), await node.connect()]
  const made = maker.createTopic('big', 200)
  let isMade = false
  void made.then(() => {
    isMade = true
  })
  let early = 0
  while (!isMade) {
    for (const { topics } of [await named.metadata(['big']), await all.metadata(null)]) {
      for (const { errorCode, partitions } of topics) {
        if (errorCode === 0 && partitions.some(({ leaderId }) => leaderId !== 1)) early++
      }
    }
  }
  t.match(await made, /^[0-9a-f-]{36}$/)
  t.equal(early, 0)
})

t.test('a thousand partitions in one request, and more added later', async (t) => {
  const node = await Node.start(t)
  const id = await node.createTopic('wide', 1000)
  t.match(id, /-/)
  const { topics } = await node.metadata(['wide'])
  t.equal(
    topics[0]?.partitions.filter(({ leaderId, errorCode }) => leaderId === 1 && errorCode === 0).length,
    1000,
  )
  t.equal(await node.produce('wide', ['x'], { partition: 999 }), 0)
  const { results } = await node.ask(CreatePartitions, {
    topics: [{ name: 'wide', count: 1100, assignments: null }],
    timeoutMs: 1000,
    validateOnly: false,
  })
  t.match(results, [{ errorCode: 0 }])
  t.equal(await node.produce('wide', ['y'], { partition: 1099 }), 0)
  await node.restart()
  t.strictSame(await node.consume('wide', { partition: 1099 }), ['y'])
  t.equal(await node.deleteTopic('wide'), 'NONE')
  t.strictSame(node.mount.list(`${dataDir}/partitions`).length, 1)
})

t.test('more partitions than this broker may host are refused', async (t) => {
  const node = await Node.start(t, { settings: { 'lograft.partitions.max': 10 } })
  t.equal(await node.createTopic('wide', 11), 'POLICY_VIOLATION')
  t.match(await node.createTopic('fits', 6), /-/)
  t.equal(await node.createTopic('more', 5), 'POLICY_VIOLATION')
  await node.deleteTopic('fits')
  t.match(await node.createTopic('more', 10), /-/)
})

t.test("the groups' topic is the broker's own", async (t) => {
  const node = await Node.start(t)
  const internal = '__consumer_offsets'
  t.equal(await node.createTopic(internal), 'INVALID_TOPIC_EXCEPTION', 'not even before it is there')
  await node.createTopic('orders')
  await node.commit('billing', 'orders', 5)
  t.equal(await node.createTopic(internal), 'TOPIC_ALREADY_EXISTS')
  t.equal(await node.produce(internal, ['x']), 'INVALID_TOPIC_EXCEPTION')
  t.equal(await node.deleteTopic(internal), 'INVALID_TOPIC_EXCEPTION')
  t.match(await node.alter({ topic: internal }, { 'retention.ms': '1' }), {
    error: 'INVALID_REQUEST',
    message: /internal: its settings are fixed/,
  })
  const { results } = await node.ask(CreatePartitions, {
    topics: [{ name: internal, count: 50, assignments: null }],
    timeoutMs: 1000,
    validateOnly: false,
  })
  t.match(results, [{ errorMessage: /internal: its partitions are fixed/ }])
  const { topics } = await node.ask(DeleteRecords, {
    topics: [{ name: internal, partitions: [{ partitionIndex: 0, offset: -1 }] }],
    timeoutMs: 1000,
  })
  t.match(topics[0]?.partitions, [{ errorCode: 17 }])
  t.match((await node.metadata([internal])).topics, [{ isInternal: true }])
  t.equal(await node.committed('billing', 'orders'), 5)
})
