/** What the client promises, against a real broker: this build, or any Kafka that LOGRAFT_TEST_BOOTSTRAP names. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import kafkajs from 'kafkajs'
import t from 'tap'
import { Client } from '../../client/client.ts'
import type { Consumer } from '../../client/consumer.ts'
import { KafkaError } from '../../client/errors.ts'
import type { ConsumerRecord } from '../../client/partition-reader.ts'
import { codecs } from '../../src/records/codecs.ts'
import { bootstrap, environment, withoutLoader } from '../wire/broker.ts'

const address = await bootstrap(t)
const client = new Client({ bootstrap: address, topicTimeoutMs: 1_000 })
t.teardown(() => client.close())
const admin = client.admin()

async function newTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
  const name = `contract-${randomUUID()}`
  await admin.createTopics([{ name, partitions, configs }])
  return name
}

async function fill(
  topic: string,
  count: number,
  partition = 0,
  timestamp = 1_700_000_000_000,
): Promise<void> {
  const producer = client.producer()
  await producer.sendAll(
    Array.from({ length: count }, (_, i) => ({
      topic,
      partition,
      value: `${partition}/${i}`,
      timestamp: timestamp + i,
    })),
  )
  await producer.close()
}

async function readAll(consumer: AsyncIterable<ConsumerRecord>): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const record of consumer) records.push(record)
  return records
}

/** Reads in the background into `into` until the consumer is closed. */
async function follow(
  consumer: Consumer,
  into: ConsumerRecord[],
  each: () => Promise<void> = async () => {},
): Promise<void> {
  for await (const record of consumer) {
    into.push(record)
    await each()
  }
}

async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function failure(call: Promise<unknown>): Promise<KafkaError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof KafkaError)) throw error ?? new Error('it succeeded')
  return error
}

const values = (records: readonly ConsumerRecord[]): string[] => records.map(({ value }) => String(value))

t.test('what goes in comes out, with every codec', async (t) => {
  const topic = await newTopic(3)
  const wanted = new Map<string, Buffer | null>()
  for (const compression of codecs) {
    const producer = client.producer({ compression, batchBytesMax: 4_000 })
    await producer.sendAll(
      Array.from({ length: 300 }, (_, i) => {
        const key = `${compression}-${i}`
        const value = i % 50 === 0 ? null : Buffer.alloc(i * 3, `${key} `)
        wanted.set(key, value)
        return {
          topic,
          key,
          value,
          headers: { codec: compression, empty: null },
          timestamp: 1_700_000_000_000 + i,
        }
      }),
    )
    await producer.close()
  }
  const records = await readAll(client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true }))
  t.equal(records.length, wanted.size)
  for (const { key, value, headers, timestamp } of records) {
    const name = String(key)
    const expected = wanted.get(name)
    if (expected === undefined || !(value === expected || (value !== null && expected?.equals(value))))
      t.fail(name)
    if (String(headers[0]?.value) !== name.split('-')[0] || headers[1]?.value !== null)
      t.fail(`headers of ${name}`)
    if (timestamp !== 1_700_000_000_000 + Number(name.split('-')[1])) t.fail(`timestamp of ${name}`)
  }
  for (const partition of [0, 1, 2]) {
    const offsets = records.filter((record) => record.partition === partition).map(({ offset }) => offset)
    t.same(offsets, [...offsets.keys()], `partition ${partition} is dense and in order`)
  }
})

t.test('where a consumer begins', async (t) => {
  const topic = await newTopic()
  await fill(topic, 100)
  const from = async (position: NonNullable<Parameters<typeof client.consumer>[0]['from']>) =>
    values(await readAll(client.consumer({ topics: [topic], from: position, stopAtEnd: true })))
  t.equal((await from('beginning')).length, 100)
  t.same(await from('end'), [])
  t.same(await from(97), ['0/97', '0/98', '0/99'])
  t.same(await from({ timestamp: 1_700_000_000_098 }), ['0/98', '0/99'])
  t.same(await from({ timestamp: 1_800_000_000_000 }), [], 'a time that no record has reached is the end')
  t.equal((await from({ timestamp: 0 })).length, 100)

  const each = client.consumer({ assignments: [{ topic, partition: 0, from: 99 }], stopAtEnd: true })
  t.same(values(await readAll(each)), ['0/99'], 'a place of its own for a partition')

  const beyond = client.consumer({ topics: [topic], from: 5_000 })
  t.equal((await failure(readAll(beyond))).code, 'NO_OFFSET', 'outside the log is an error')
  const reset = client.consumer({ topics: [topic], from: 5_000, offsetReset: 'earliest' })
  for await (const record of reset) {
    t.equal(record.offset, 0, 'unless a reset was asked for')
    break
  }
  await Promise.all([beyond.close(), reset.close()])
})

t.test('seek, pause, batches, the end', async (t) => {
  const topic = await newTopic(2)
  await fill(topic, 50, 0)
  await fill(topic, 50, 1)
  const consumer = client.consumer({ topics: [topic], from: 'beginning' })
  const seen: ConsumerRecord[] = []
  for await (const record of consumer) {
    seen.push(record)
    if (seen.length === 100) break
  }
  t.same(seen.map(({ value }) => String(value)).sort().length, 100)
  consumer.pause([{ topic, partition: 0 }])
  consumer.seek({ topic, partition: 0 }, 'beginning')
  consumer.seek({ topic, partition: 1 }, 40)
  const again: ConsumerRecord[] = []
  for await (const record of consumer) {
    again.push(record)
    if (again.length === 10) break
  }
  t.same(
    values(again),
    Array.from({ length: 10 }, (_, i) => `1/${40 + i}`),
    'the paused partition is silent',
  )
  consumer.resume([{ topic, partition: 0 }])
  let batches = 0
  let count = 0
  for await (const batch of consumer.batches()) {
    batches++
    count += batch.records.length
    t.ok(batch.records.every((record) => record.partition === batch.partition))
    t.equal(batch.highWatermark, 50)
    if (count === 50) break
  }
  t.ok(batches <= 5, 'many records at a time')
  t.throws(() => consumer.seek({ topic: 'other', partition: 0 }, 0), { code: 'INVALID_ARGUMENT' })

  const waiting = consumer[Symbol.asyncIterator]().next()
  await fill(topic, 1, 0)
  t.match(await waiting, { done: false, value: { offset: 50 } }, 'a record that comes later')
  const last = consumer[Symbol.asyncIterator]().next()
  await consumer.close()
  t.same(await last, { value: undefined, done: true }, 'close ends the loop')
})

t.test('a slow reader gets everything, with little at hand', async (t) => {
  const topic = await newTopic(4)
  const producer = client.producer()
  const value = Buffer.alloc(10_000)
  await producer.sendAll(Array.from({ length: 400 }, (_, i) => ({ topic, partition: i % 4, value })))
  const consumer = client.consumer({
    topics: [topic],
    from: 'beginning',
    stopAtEnd: true,
    partitionBytesMax: 20_000,
    fetchBytesMax: 50_000,
    prefetchBytesMax: 100_000,
  })
  let count = 0
  for await (const _ of consumer)
    if (++count % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(count, 400)
})

t.test('read_committed', async (t) => {
  const topic = await newTopic()
  const kafka = new kafkajs.Kafka({
    brokers: [address],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 2 },
  })
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
  try {
    await producer.connect()
    await (await producer.transaction()).abort()
  } catch {
    await producer.disconnect()
    t.pass('this broker has no transactions', { skip: true })
    return
  }
  t.teardown(() => producer.disconnect())
  const write = async (value: string) => {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: `${value} 1` }, { value: `${value} 2` }] })
    return transaction
  }
  await (await write('aborted')).abort()
  await (await write('committed')).commit()
  await fill(topic, 1)
  const open = await write('open')
  await fill(topic, 1)
  const read = async (isolation: 'read_committed' | 'read_uncommitted') =>
    values(await readAll(client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true, isolation })))
  t.same(
    await read('read_committed'),
    ['committed 1', 'committed 2', '0/0'],
    'up to the first that is undecided',
  )
  t.equal((await read('read_uncommitted')).length, 8)
  const following = client.consumer({ topics: [topic], from: 'beginning', isolation: 'read_committed' })
  const seen: string[] = []
  for await (const { value } of following) {
    seen.push(String(value))
    if (seen.length === 3) await open.abort()
    if (seen.length === 4) break
  }
  await following.close()
  t.same(seen.slice(3), ['0/0'], 'what was aborted is passed over, what came behind it is read')
})

t.test('groups', async (t) => {
  const member = (topic: string, groupId: string, options: object = {}): Consumer =>
    client.consumer({
      topics: [topic],
      groupId,
      from: 'beginning',
      heartbeatIntervalMs: 100,
      sessionTimeoutMs: 6_000,
      ...options,
    })

  await t.test('goes on where it stopped', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 20, 0)
    const first = member(topic, group)
    let count = 0
    for await (const _ of first) if (++count === 8) break
    await first.close()
    // Seven were finished; the eighth was in hand when the loop was left.
    const second = member(topic, group, { stopAtEnd: true })
    t.same(
      values(await readAll(second)),
      Array.from({ length: 13 }, (_, i) => `0/${i + 7}`),
    )
    await second.close()
    t.same(
      (await admin.committedOffsets(group)).map(({ partition, offset }) => `${partition}:${offset}`).sort(),
      ['0:20', '1:0'],
    )
  })

  await t.test('commits by hand', async (t) => {
    const topic = await newTopic()
    const group = `group-${randomUUID()}`
    await fill(topic, 10)
    const consumer = member(topic, group, { autoCommit: false })
    for await (const record of consumer) {
      if (record.offset === 4) await consumer.commit()
      if (record.offset === 6) break
    }
    await consumer.close()
    t.match(
      await admin.committedOffsets(group),
      [{ topic, partition: 0, offset: 5 }],
      'the record in hand included',
    )
  })

  await t.test('shares partitions, as members come and go; nothing is skipped', async (t) => {
    const topic = await newTopic(6)
    const group = `group-${randomUUID()}`
    for (let partition = 0; partition < 6; partition++) await fill(topic, 50, partition)
    const seen: ConsumerRecord[] = []
    const a = member(topic, group)
    const b = member(topic, group, { assignors: ['roundrobin', 'range'] })
    const following = [follow(a, seen)]
    await until('the first has all', () => a.assignment.length === 6)
    following.push(follow(b, seen))
    await until('they share', () => a.assignment.length === 3 && b.assignment.length === 3)
    const described = await admin.describeGroup(group)
    t.equal(described.state, 'Stable')
    t.same(
      described.members.map(({ assignment }) => assignment.length),
      [3, 3],
    )
    for (let partition = 0; partition < 6; partition++) await fill(topic, 50, partition)
    await until('both have read', () => new Set(seen.map((r) => `${r.partition}-${r.offset}`)).size === 600)
    await a.close()
    await until('the other takes over', () => b.assignment.length === 6)
    await fill(topic, 10, 0)
    await until('and reads', () => new Set(seen.map((r) => `${r.partition}-${r.offset}`)).size === 610)
    t.equal(seen.length, 610, 'and nothing was read twice, for all was orderly')
    await b.close()
    await Promise.all(following)
    t.same(
      (await admin.committedOffsets(group)).map(({ offset }) => offset).sort(),
      [100, 100, 100, 100, 100, 110],
    )
    t.equal((await admin.describeGroup(group)).state, 'Empty')
  })

  await t.test('a rebalance waits for the record in hand', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 1, 0)
    await fill(topic, 1, 1)
    let finish = (): void => {}
    const working = new Promise<void>((resolve) => {
      finish = resolve
    })
    const [seenA, seenB]: [ConsumerRecord[], ConsumerRecord[]] = [[], []]
    const a = member(topic, group)
    const followingA = follow(a, seenA, () => working)
    await until('the first has one in hand', () => seenA.length === 1)
    const b = member(topic, group)
    const followingB = follow(b, seenB)
    await new Promise((resolve) => setTimeout(resolve, 500))
    t.equal(b.assignment.length, 0, 'nothing moves while it works')
    t.equal(a.assignment.length, 2)
    finish()
    await until('they share', () => a.assignment.length === 1 && b.assignment.length === 1)
    await until('the other record is read', () => seenA.length + seenB.length === 2)
    await Promise.all([a.close(), b.close(), followingA, followingB])
    t.equal(seenA.length + seenB.length, 2, 'what was finished was committed before it moved')
  })

  await t.test('a static member keeps its partitions over a restart', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    const a = member(topic, group, { groupInstanceId: 'a' })
    const b = member(topic, group, { groupInstanceId: 'b' })
    const following = [follow(a, []), follow(b, [])]
    await until('they share', () => a.assignment.length === 1 && b.assignment.length === 1)
    const before = JSON.stringify(a.assignment)
    await a.close()
    const again = member(topic, group, { groupInstanceId: 'a' })
    following.push(follow(again, []))
    await until('it is back', () => again.assignment.length === 1)
    t.equal(JSON.stringify(again.assignment), before)
    t.equal(b.assignment.length, 1)
    await Promise.all([again.close(), b.close(), ...following])
  })

  await t.test('a topic that grows is divided again', async (t) => {
    const topic = await newTopic(1)
    const reader = new Client({ bootstrap: address, metadataMaxAgeMs: 200 })
    t.teardown(() => reader.close())
    const options = {
      topics: [topic],
      groupId: `group-${randomUUID()}`,
      from: 'beginning',
      heartbeatIntervalMs: 50,
    } as const
    const consumer = reader.consumer(options)
    const seen: ConsumerRecord[] = []
    const following = follow(consumer, seen)
    await until('it has one', () => consumer.assignment.length === 1)
    await admin.createPartitions(topic, 3)
    await until('it has three', () => consumer.assignment.length === 3)
    await consumer.close()
    await following
  })

  await t.test('offsets are reset, groups are deleted', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 10, 0)
    await fill(topic, 20, 1)
    const consumer = member(topic, group)
    const seen: ConsumerRecord[] = []
    const following = follow(consumer, seen)
    await until('it has read', () => seen.length === 30)
    t.equal((await failure(admin.resetOffsets(group, { to: 'beginning' }))).code, 'NON_EMPTY_GROUP')
    t.equal((await failure(admin.deleteGroups([group]))).code, 'NON_EMPTY_GROUP')
    await consumer.close()
    await following
    const committed = async () => {
      const offsets = await admin.committedOffsets(group)
      return offsets.map(({ partition, offset }) => `${partition}:${offset}`).sort()
    }
    const plan = await admin.resetOffsets(group, { to: 15, dryRun: true })
    t.same(
      plan.map(({ partition, from, to }) => `${partition}: ${from} to ${to}`).sort(),
      ['0: 10 to 10', '1: 20 to 15'],
      'an offset behind the end becomes the end',
    )
    t.same(await committed(), ['0:10', '1:20'], 'a dry run changes nothing')
    await admin.resetOffsets(group, { to: { timestamp: 1_700_000_000_005 } })
    t.same(await committed(), ['0:5', '1:5'])
    await admin.resetOffsets(group, { to: 'end', partitions: [{ topic, partition: 0 }] })
    t.same(await committed(), ['0:10', '1:5'])
    const lags = await admin.groupOffsets(await admin.describeGroup(group))
    t.same(
      lags.map(({ partition, committed: at, end, lag }) => [partition, at, end, lag]),
      [
        [0, 10, 10, 0],
        [1, 5, 20, 15],
      ],
    )
    await admin.deleteOffsets(group, [{ topic, partition: 1 }])
    t.same(await committed(), ['0:10'])
    t.ok((await admin.listGroups()).some(({ groupId, state }) => groupId === group && state === 'Empty'))
    await admin.deleteGroups([group])
    t.equal((await failure(admin.describeGroup(group))).code, 'GROUP_ID_NOT_FOUND')
    t.equal((await failure(admin.deleteGroups([group]))).code, 'GROUP_ID_NOT_FOUND')
  })
})

t.test('admin', async (t) => {
  const { brokers, clusterId, controllerId } = await admin.describeCluster()
  t.ok(clusterId)
  t.ok(brokers.some(({ nodeId }) => nodeId === controllerId))

  const topic = await newTopic(2, { 'retention.ms': '86400000' })
  t.match(
    (await admin.listTopics()).find(({ name }) => name === topic),
    { isInternal: false },
  )
  const [described] = await admin.describeTopics([topic])
  t.equal(described?.partitions.length, 2)
  t.ok(
    described?.partitions.every(({ leader, inSync }) => leader >= 0 && inSync.length > 0),
    'ready when it is created',
  )

  t.match(await admin.describeConfigs({ type: 'topic', name: topic }, ['retention.ms']), [
    { name: 'retention.ms', value: '86400000', isDefault: false, source: 'topic' },
  ])
  await admin.alterConfigs(
    { type: 'topic', name: topic },
    { 'retention.ms': '3600000', 'segment.bytes': '2000000' },
  )
  await admin.alterConfigs({ type: 'topic', name: topic }, { 'segment.bytes': null })
  const configs = await admin.describeConfigs({ type: 'topic', name: topic })
  t.same(
    configs.filter(({ source }) => source === 'topic').map(({ name, value }) => `${name}=${value}`),
    ['retention.ms=3600000'],
  )
  const wrong = await failure(admin.alterConfigs({ type: 'topic', name: topic }, { 'retention.ms': 'soon' }))
  t.equal(wrong.code, 'INVALID_CONFIG')

  await admin.createPartitions(topic, 4)
  await until('it has grown', async () => (await admin.describeTopics([topic]))[0]?.partitions.length === 4)
  t.equal((await failure(admin.createPartitions(topic, 3))).code, 'INVALID_PARTITIONS')

  await fill(topic, 100)
  t.match(await admin.deleteRecords([{ topic, partition: 0, before: 60 }]), [
    { partition: 0, lowWatermark: 60 },
  ])
  t.match(await admin.findOffsets([{ topic, partition: 0, at: 'beginning' }]), [{ offset: 60 }])
  t.match(await admin.deleteRecords([{ topic, partition: 0, before: 'end' }]), [{ lowWatermark: 100 }])
  t.equal(
    (await failure(admin.deleteRecords([{ topic, partition: 0, before: 200 }]))).code,
    'OFFSET_OUT_OF_RANGE',
  )

  const dirs = await admin.describeLogDirs()
  t.ok(dirs.some(({ partitions }) => partitions.some((row) => row.topic === topic && row.bytes >= 0)))

  t.equal((await failure(admin.createTopics([{ name: topic }]))).code, 'TOPIC_ALREADY_EXISTS')
  t.equal((await failure(admin.createTopics([{ name: 'no/slash' }]))).code, 'INVALID_TOPIC_EXCEPTION')
  const bad = await failure(admin.createTopics([{ name: `${topic}-x`, configs: { 'no.such.setting': '1' } }]))
  t.equal(bad.code, 'INVALID_CONFIG')
  await admin.createTopics([{ name: `${topic}-y` }], { validateOnly: true })
  const missing = await failure(admin.describeTopics([`${topic}-x`, `${topic}-y`]))
  t.match(missing, { name: 'PartialFailure', errors: { length: 2 } }, 'several failures are all told')

  const reading = failure(readAll(client.consumer({ topics: [topic], from: 'beginning' })))
  await admin.deleteTopics([topic])
  t.match(await reading, { code: /UNKNOWN_TOPIC/ }, 'who reads a deleted topic is told')
  await until('it is gone', async () => !(await admin.listTopics()).some(({ name }) => name === topic))
  t.equal((await failure(admin.deleteTopics([topic]))).code, 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal((await failure(readAll(client.consumer({ topics: [topic] })))).code, 'UNKNOWN_TOPIC_OR_PARTITION')
})

t.test('after close nothing is left: a process ends by itself', async (t) => {
  const topic = await newTopic()
  const script = `
    import { Client } from ${JSON.stringify(new URL('../../client/client.js', import.meta.url).href)}
    process.on('unhandledRejection', (error) => { console.error('unhandled', error); process.exit(3) })
    const client = new Client({ bootstrap: '${address}' })
    const producer = client.producer({ lingerMs: 5 })
    await producer.send({ topic: '${topic}', value: 'x' })
    for await (const record of client.consumer({ topics: ['${topic}'], groupId: '${topic}', from: 'beginning' })) break
    const waiting = client.consumer({ topics: ['${topic}'] })[Symbol.asyncIterator]().next()
    producer.send({ topic: '${topic}', value: 'y' }).catch(() => {})
    await client.close()
    await waiting
    console.log('closed')
  `
  const [program, args] = withoutLoader(process.execPath, '--input-type=module', '--eval', script)
  const child = spawn(program, args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  await once(child.stdout, 'data')
  const closed = performance.now()
  const [code] = await once(child, 'exit')
  t.same([code, errors], [0, ''])
  t.ok(performance.now() - closed < 1_000, `it took ${performance.now() - closed} ms`)
})
