/** Replicas that are damaged on disk: found, never served, never believed, and restored from their peers. */
import t, { type Test } from 'tap'
import { Brokers } from './brokers.ts'

const topic = 'orders'
const settings = { 'log.segment.bytes': 2000, 'log.index.interval.bytes': 200 }

async function begun(t: Test, replicationFactor = 3, set: Record<string, string | number> = {}) {
  const brokers = await Brokers.start(t, 3, { settings: { ...settings, ...set } })
  const admin = brokers.client().admin()
  await admin.createTopics([{ name: topic, partitions: 1, replicationFactor }])
  await send(brokers, 0, 200)
  return brokers
}

async function send(brokers: Brokers, from: number, to: number): Promise<void> {
  const producer = brokers.client().producer({ batchBytesMax: 300 })
  for (let n = from; n < to; n += 10)
    await producer.sendAll(
      Array.from({ length: 10 }, (_, i) => ({ topic, partition: 0, value: `value ${n + i}` })),
    )
  await producer.close()
}

async function readAll(brokers: Brokers): Promise<string[]> {
  const values: string[] = []
  const consumer = brokers.client().consumer({ topics: [topic], from: 'beginning', stopAtEnd: true })
  for await (const record of consumer) values.push(String(record.value))
  return values
}

const values = (count: number) => Array.from({ length: count }, (_, n) => `value ${n}`)

function folderOn(brokers: Brokers, id: number): string {
  return `/data/partitions/${brokers.partitionsOn(id)[0]}`
}

function segmentsOn(brokers: Brokers, id: number): string[] {
  const folder = folderOn(brokers, id)
  const names = brokers.diskOf(id).mount().list(folder)
  return names.filter((name) => name.endsWith('.log')).map((name) => `${folder}/${name}`)
}

function flip(brokers: Brokers, id: number, path: string | undefined, at: number): void {
  brokers.diskOf(id).damage(path ?? '', (bytes) => {
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return bytes
  })
}

async function isWhole(brokers: Brokers): Promise<boolean> {
  const [found] = await brokers.client().admin().describeTopics([topic])
  return found?.partitions.every(({ inSync, replicas }) => inSync.length === replicas.length) === true
}

function bytesOn(brokers: Brokers, id: number): string {
  return segmentsOn(brokers, id)
    .map((path) => brokers.diskOf(id).bytesOf(path).toString('hex'))
    .join()
}

t.test('a log that was cut while its broker was down', async (t) => {
  const brokers = await begun(t)
  await brokers.stopOne(3)
  await send(brokers, 200, 250)
  const path = segmentsOn(brokers, 3)[1] ?? ''
  brokers.diskOf(3).damage(path, (bytes) => bytes.subarray(0, 700))
  await brokers.start(3)
  await brokers.until(() => brokers.saidBy(3, 'partition.repaired').length > 0)
  await brokers.until(() => isWhole(brokers))
  t.equal(brokers.saidBy(3, 'partition.quarantined').length, 1)
  const aside = brokers.saidBy(3, 'partition.quarantined')[0]?.path
  t.ok(brokers.diskOf(3).mount().list(String(aside)).length > 0, 'what was there is kept')
  await brokers.until(() => bytesOn(brokers, 3) === bytesOn(brokers, 1))
  t.same(brokers.diskOf(3).mount().list('/data/forgotten'), [], 'and it is a replica as any other')
  t.same(await readAll(brokers), values(250))
})

t.test('a bit in an old segment of the leader', async (t) => {
  const brokers = await begun(t, 3, { 'lograft.scrub.bytes.per.second': 0 })
  const [found] = await brokers.client().admin().describeTopics([topic])
  const leader = found?.partitions[0]?.leader ?? 0
  for (const id of [1, 2, 3]) await brokers.stopOne(id)
  flip(brokers, leader, segmentsOn(brokers, leader)[0], 400)
  for (const id of [leader, ...[1, 2, 3].filter((one) => one !== leader)]) void brokers.start(id)
  await brokers.until(() => brokers.running.size === 3)
  await brokers.until(async () => {
    const [now] = await brokers.client().admin().describeTopics([topic])
    if (now?.partitions[0]?.leader === leader) return true
    await brokers
      .client()
      .admin()
      .electLeaders([{ topic, partition: 0 }])
      .catch(() => {})
    return false
  })
  t.same(await readAll(brokers), values(200), 'consumers read what others have')
  await brokers.until(() => brokers.saidBy(leader, 'partition.repaired').length > 0)
  await brokers.until(() => isWhole(brokers))
  t.equal(brokers.saidBy(leader, 'partition.quarantined').length, 1)
})

t.test('a bit that nobody reads', async (t) => {
  const brokers = await begun(t)
  await brokers.stopOne(2)
  flip(brokers, 2, segmentsOn(brokers, 2)[1], 300)
  await brokers.start(2)
  await brokers.until(() => brokers.saidBy(2, 'partition.repaired').length > 0)
  await brokers.until(() => isWhole(brokers))
  await brokers.until(() => bytesOn(brokers, 2) === bytesOn(brokers, 1))
  t.pass('it was found and repaired')
})

t.test('a damaged replica is not believed: what it had promised waits for who has it', async (t) => {
  const brokers = await begun(t)
  await brokers.stopOne(2)
  await send(brokers, 200, 260)
  await brokers.stopOne(1)
  await brokers.stopOne(3)
  const last = segmentsOn(brokers, 3).at(-1) ?? ''
  brokers.diskOf(3).damage(last, (bytes) => bytes.subarray(0, 100))
  await Promise.all([brokers.start(2), brokers.start(3)])
  await brokers.until(() => brokers.saidBy(3, 'partition.quarantined').length > 0)
  await new Promise((resolve) => setTimeout(resolve, 1500)) // several elections long
  const [alone] = await brokers.client().admin().describeTopics([topic])
  t.equal(
    alone?.partitions[0]?.leader,
    -1,
    'the one that lacks 60 records is not elected by the one that forgot them',
  )
  // A restart in between must not make it believe that it is a voter.
  await brokers.stopOne(3)
  await brokers.start(3)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const [still] = await brokers.client().admin().describeTopics([topic])
  t.equal(still?.partitions[0]?.leader, -1, 'nor after a restart')
  await brokers.start(1)
  await brokers.until(() => brokers.saidBy(3, 'partition.repaired').length > 0)
  t.same(await readAll(brokers), values(260))
  await brokers.until(() => isWhole(brokers))
})

t.test('with two replicas there is no majority without the damaged one', async (t) => {
  const brokers = await begun(t, 2)
  const [found] = await brokers.client().admin().describeTopics([topic])
  const damaged = found?.partitions[0]?.replicas[1] ?? 0
  await brokers.stopOne(damaged)
  brokers.diskOf(damaged).damage(segmentsOn(brokers, damaged)[0] ?? '', (bytes) => bytes.subarray(0, 100))
  await brokers.start(damaged)
  t.match(brokers.saidBy(damaged, 'partition.offline'), [{ level: 'error' }])
  t.same(brokers.saidBy(damaged, 'partition.quarantined'), [], 'it is left as it is')
})

t.test('a coordinator whose image is damaged', async (t) => {
  const brokers = await begun(t, 3, {
    'offsets.topic.num.partitions': 1,
    'lograft.image.changes.max': 5,
  })
  const read = async (groupId: string, count: number): Promise<number> => {
    const consumer = brokers.client().consumer({ topics: [topic], groupId, from: 'beginning' })
    let last = -1
    for await (const { offset } of consumer) {
      last = Number(offset)
      if (--count === 0) break
    }
    await consumer.close()
    return last
  }
  for (let round = 0; round < 6; round++) await read('billing', 10)
  await brokers.stopOne(1)
  const mount = brokers.diskOf(1).mount()
  const images = brokers.partitionsOn(1).flatMap((name) => {
    const folder = `/data/partitions/${name}`
    return mount.list(folder).flatMap((file) => (file.endsWith('.image') ? [`${folder}/${file}`] : []))
  })
  t.equal(images.length, 1, 'of the coordinator alone')
  flip(brokers, 1, images[0], 40)
  await brokers.start(1)
  await brokers.until(() => brokers.saidBy(1, 'partition.repaired').length === 1)
  await brokers.stopOne(2)
  t.equal(await read('billing', 1), 54, 'the group goes on where it was, with the repaired replica')
})

t.test('committed offsets in a damaged partition', async (t) => {
  const brokers = await begun(t, 3, {
    'offsets.topic.num.partitions': 1,
  })
  const groupId = 'billing'
  const read = async (count: number): Promise<number[]> => {
    const offsets: number[] = []
    const consumer = brokers.client().consumer({ topics: [topic], groupId, from: 'beginning' })
    for await (const { offset } of consumer) {
      offsets.push(Number(offset))
      if (offsets.length === count) break
    }
    await consumer.close()
    return offsets
  }
  t.equal((await read(50)).at(-1), 49)
  await brokers.stopOne(1)
  const folders = brokers.partitionsOn(1).map((name) => `/data/partitions/${name}`)
  const mount = brokers.diskOf(1).mount()
  let damaged = 0
  for (const folder of folders) {
    const [segment] = mount.list(folder).filter((name) => name.endsWith('.log'))
    brokers.diskOf(1).damage(`${folder}/${segment}`, (bytes) => bytes.subarray(0, 80))
    damaged++
  }
  t.equal(damaged, 2)
  await brokers.start(1)
  await brokers.until(() => brokers.saidBy(1, 'partition.repaired').length === 2)
  await brokers.stopOne(2)
  t.equal(
    (await read(50))[0],
    49,
    'the group goes on where it was (at the record it had in hand), with the repaired replica in the majority',
  )
})
