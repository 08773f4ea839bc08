/** Brokers that are one cluster: who joins, who leads, who leaves, and what clients see of it. */
import t from 'tap'
import { Brokers } from './brokers.ts'

t.test('a topic that is made anywhere is known, and led, everywhere', async (t) => {
  const brokers = await Brokers.start(t, 3)
  t.equal(new Set([...brokers.running.values()].map(({ clusterId }) => clusterId)).size, 1)
  for (const id of [1, 2, 3]) {
    const name = `made-by-${id}`
    await brokers
      .client(id)
      .admin()
      .createTopics([{ name, partitions: 3, replicationFactor: 3 }])
    for (const asked of [1, 2, 3]) {
      const [topic] = await brokers.client(asked).admin().describeTopics([name])
      t.same(topic?.partitions.map(({ leader }) => leader).sort(), [1, 2, 3], `as broker ${asked} sees it`)
    }
  }
  const producer = brokers.client(2).producer()
  const sent = await producer.sendAll(
    Array.from({ length: 90 }, (_, n) => ({ topic: 'made-by-1', partition: n % 3, value: `${n}` })),
  )
  t.same(
    sent.map(({ offset }) => Number(offset)).sort((a, b) => a - b),
    Array.from({ length: 90 }, (_, n) => Math.floor(n / 3)),
  )
})

t.test('brokers stop one after the other: no client hears of it, and groups keep their place', async (t) => {
  const brokers = await Brokers.start(t, 3)
  const client = brokers.client()
  const admin = client.admin()
  await admin.createTopics([{ name: 'orders', partitions: 3, replicationFactor: 3 }])
  const producer = client.producer()
  const consumer = client.consumer({
    topics: ['orders'],
    groupId: 'billing',
    from: 'beginning',
    autoCommitIntervalMs: 50,
  })
  const read: string[] = []
  const reading = (async () => {
    for await (const record of consumer) {
      read.push(String(record.value))
      if (read.length === 400) break
    }
  })()
  let sent = 0
  const send = async (count: number) => {
    for (let n = 0; n < count; n++)
      await producer.send({ topic: 'orders', key: `${sent}`, value: `${sent++}` })
  }
  await send(100)
  for (const id of [1, 2, 3]) {
    const sending = send(100)
    await brokers.stopOne(id)
    await sending
    await brokers.start(id)
  }
  await reading
  t.same([...new Set(read)].length, 400, 'nothing is skipped')
  t.equal(read.length, 400, 'and nothing is read twice')
})

t.test('a broker joins, is given partitions, and leaves for good', async (t) => {
  const brokers = await Brokers.start(t, 3)
  const client = brokers.client()
  const admin = client.admin()
  await admin.createTopics([{ name: 'orders', partitions: 4, replicationFactor: 3 }])
  const producer = client.producer()
  await producer.sendAll(
    Array.from({ length: 400 }, (_, n) => ({ topic: 'orders', partition: n % 4, value: `${n}` })),
  )
  await brokers.start(4)
  t.match(await admin.describeQuorum(), { voters: { length: 3 }, observers: [{ nodeId: 4 }] })
  await admin.decommission(2)
  const [topic] = await admin.describeTopics(['orders'])
  for (const { replicas } of topic?.partitions ?? []) t.same([...replicas].sort(), [1, 3, 4])
  await brokers.running.get(2)?.retired
  t.match(brokers.saidBy(2, 'broker.retired'), [{ message: /was taken out of this cluster/ }])
  t.same((await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId).sort(), [1, 3, 4])
  await brokers.until(() => brokers.partitionsOn(2).length === 0)
  t.pass('its files are gone')
  t.equal(brokers.partitionsOn(4).length, 4)
  const { voters } = await admin.describeQuorum()
  t.same(voters.map(({ nodeId }) => nodeId).sort(), [1, 3, 4], 'the broker that came votes in its place')
  await producer.sendAll(
    Array.from({ length: 400 }, (_, n) => ({ topic: 'orders', partition: n % 4, value: `${400 + n}` })),
  )
  await brokers.stopOne(2)
  await t.rejects(brokers.start(2), /was taken out of this cluster|no broker of this cluster/)
  await brokers.stopOne(1)
  const consumer = brokers.client(3, 4).consumer({ topics: ['orders'], groupId: 'all', from: 'beginning' })
  const read = new Set<string>()
  for await (const record of consumer) if (read.add(String(record.value)).size === 800) break
  t.equal(read.size, 800, 'with another one away, everything is there')
})

t.test('a cluster that was away as a whole is the same when it comes back', async (t) => {
  const brokers = await Brokers.start(t, 3)
  const { clusterId } = brokers.running.get(1) ?? {}
  await brokers
    .client()
    .admin()
    .createTopics([{ name: 'orders', partitions: 1, replicationFactor: 3 }])
  await brokers.client().producer().send({ topic: 'orders', value: 'kept' })
  await brokers.stop()
  // Who has forgotten to say who the others are does not begin another cluster.
  await Promise.all([1, 2, 3].map((id) => brokers.start(id, { voters: [], peerPort: null })))
  t.same(
    [...brokers.running.values()].map((broker) => broker.clusterId),
    [clusterId, clusterId, clusterId],
  )
  for await (const record of brokers.client().consumer({ topics: ['orders'], from: 'beginning' })) {
    t.equal(String(record.value), 'kept')
    break
  }
})

t.test(
  'a wiped disk is no replica: it is refused under its old id, by name, and nothing is lost',
  async (t) => {
    const brokers = await Brokers.start(t, 3)
    await brokers
      .client()
      .admin()
      .createTopics([{ name: 'orders', partitions: 1, replicationFactor: 3 }])
    await brokers.stopOne(3)
    await brokers.client().producer().send({ topic: 'orders', value: 'held by one and two' })
    await brokers.stopOne(2)
    brokers.wipe(2)
    const giveUp = new AbortController()
    const starting = brokers.start(2, { signal: giveUp.signal })
    await brokers.until(() => brokers.saidBy(1, 'peer.refused').length > 0)
    t.match(brokers.saidBy(1, 'peer.refused')[0], {
      message: /is known with disk .* a broker that lost its data joins as a new one/,
    })
    await brokers.start(3)
    const read: string[] = []
    for await (const record of brokers.client(1, 3).consumer({ topics: ['orders'], from: 'beginning' })) {
      read.push(String(record.value))
      break
    }
    t.same(read, ['held by one and two'])
    giveUp.abort()
    await t.rejects(starting, { name: 'Refused' })
  },
)

t.test(
  'a wiped controller is told from the one that it was even by one that has forgotten the cluster',
  async (t) => {
    const brokers = await Brokers.start(t, 3)
    await brokers.stop()
    // Of the third only what it was, and who the others are: nothing of what they decided.
    const disk = brokers.diskOf(3).mount()
    await disk.removeFolder(`/data/partitions/${disk.list('/data/partitions')[0]}`)
    const identity = JSON.parse(String(brokers.diskOf(3).bytesOf('/data/identity.json')))
    t.match(identity.voters, [{ id: 1, diskId: String }, { id: 2, diskId: String }, { id: 3 }])
    disk.remove('/data/identity.json')
    disk
      .open('/data/identity.json', 'create')
      .write([Buffer.from(JSON.stringify({ ...identity, clusterId: '' }))], 0)
    brokers.wipe(2)
    const giveUp = new AbortController()
    const starting = [2, 3].map((id) => brokers.start(id, { signal: giveUp.signal }))
    await brokers.until(() => brokers.saidBy(3, 'peer.refused').length > 0)
    t.match(
      brokers.saidBy(3, 'peer.refused')[0],
      { message: /is known with disk/ },
      'two of three, and no cluster',
    )
    giveUp.abort()
    await Promise.all(starting.map((one) => t.rejects(one)))
  },
)

t.test('a broker that began by itself is not taken into another cluster', async (t) => {
  const brokers = new Brokers()
  t.teardown(() => brokers.stop())
  await brokers.start(1, { voters: [], peerPort: null })
  await brokers.stopOne(1)
  await t.rejects(brokers.start(1), {
    name: 'DataFolderRefused',
    message: /was begun by a broker on its own/,
  })
})

t.test('a broker that was away for so long that the way is gone is told the outcome', async (t) => {
  const settings = { 'lograft.image.changes.max': 5 }
  const brokers = await Brokers.start(t, 3, { settings })
  const admin = brokers.client(1, 2).admin()
  const topic = (name: string) => ({ name, partitions: 1, replicationFactor: 3 })
  await admin.createTopics([topic('stays'), topic('goes')])
  await brokers.stopOne(3)
  for (let n = 0; n < 20; n++) await admin.createTopics([topic(`passing-${n}`)])
  await admin.createTopics([topic('comes')])
  await admin.deleteTopics([...Array.from({ length: 20 }, (_, n) => `passing-${n}`), 'goes'])
  await brokers.start(3)
  const there = await brokers.client(3).admin().listTopics()
  t.same(there.map(({ name }) => name).sort(), ['comes', 'stays'])
  await brokers.until(() => brokers.partitionsOn(3).length === 2)
  await brokers.stopOne(2)
  await brokers.client(1, 3).producer().send({ topic: 'comes', value: 'one and three are a majority' })
})

t.test('a topic whose leader does not come holds up nobody else', async (t) => {
  const brokers = await Brokers.start(t, 3)
  const client = brokers.client(1, 2)
  await client.admin().createTopics([{ name: 'there', partitions: 1, replicationFactor: 2 }])
  // Out of reach, and nobody knows it yet: a third of the topic goes there.
  brokers.net.cut('node-1', 'node-3')
  brokers.net.cut('node-2', 'node-3')
  const creating = client
    .admin()
    .createTopics([{ name: 'a-third-is-away', partitions: 3, replicationFactor: 1 }])
  await brokers.until(async () => {
    const topics = await brokers.client(1, 2).admin().listTopics()
    return topics.some(({ name }) => name === 'a-third-is-away')
  })
  const topics = await brokers.client(1, 2).admin().listTopics()
  const led = (name: string) =>
    topics.find((topic) => topic.name === name)?.partitions.map(({ leader }) => leader)
  t.ok(led('there')?.every((leader) => leader > 0))
  t.same(led('a-third-is-away')?.filter((leader) => leader === -1).length, 1)
  await creating
  brokers.net.healAll()
})

t.test('who does not know the secret is not taken in', async (t) => {
  const secrets = { 'lograft.peer.secret.file': '/secret' }
  const brokers = new Brokers({ settings: secrets })
  t.teardown(() => brokers.stop())
  const write = (id: number, secret: string) => {
    const file = brokers.diskOf(id).mount().open('/secret', 'create')
    file.write([Buffer.from(secret)], 0)
    file.close()
  }
  for (const id of [1, 2, 3]) write(id, 'we are one\n')
  await Promise.all([1, 2, 3].map((id) => brokers.start(id)))
  write(4, 'let me in')
  const giveUp = new AbortController()
  const starting = brokers.start(4, { signal: giveUp.signal })
  await brokers.until(() => brokers.saidBy(4, 'peer.refused').length > 0)
  t.match(brokers.saidBy(4, 'peer.refused')[0], { message: /secret/ })
  t.equal((await brokers.client(1).admin().describeCluster()).brokers.length, 3)
  giveUp.abort()
  await t.rejects(starting, { name: 'Refused' })
})

t.test('min.insync.replicas: too few keep up, and who wants all of them is refused', async (t) => {
  const brokers = await Brokers.start(t, 3)
  const client = brokers.client(1, 2)
  const configs = { 'min.insync.replicas': '3' }
  await client.admin().createTopics([{ name: 'strict', partitions: 1, replicationFactor: 3, configs }])
  await client.producer().send({ topic: 'strict', value: 'all three' })
  await brokers.stopOne(3)
  await brokers.until(async () => {
    const [topic] = await client.admin().describeTopics(['strict'])
    return topic?.partitions[0]?.inSync.length === 2
  })
  const impatient = client.producer({ deliveryTimeoutMs: 500, requestTimeoutMs: 250 })
  await t.rejects(
    impatient.send({ topic: 'strict', value: 'two' }),
    /2 replicas of strict-0 are in sync, and min.insync.replicas is 3/,
  )
  const relaxed = client.producer({ acks: 1, idempotent: false })
  t.match(await relaxed.send({ topic: 'strict', value: 'one is enough' }), { offset: Number })
})
