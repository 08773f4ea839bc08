/**
 * kill -9 while idempotent producers write with acks=all and a group reads: what was acknowledged is there after the restart, once
 * and in order; what was committed is committed; the group goes on where it was.
 * LOGRAFT_TEST_KILLS: how many times (20).
 */
import t, { type Test } from 'tap'
import { allBatches } from './batches.ts'
import { type Broker, startBroker } from './broker.ts'
import { missing, Peer } from './clients.ts'
import { Member } from './observed-member.ts'
import { In } from './raw.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(280_000)

const KILLS = Number(process.env.LOGRAFT_TEST_KILLS ?? 20)
const PARTITIONS = 3
const PER_SECOND = 1500
const BETWEEN_KILLS = 300

/** A producer that has `acked` records so far; `finish` resolves with how many it sent, all of them acknowledged. */
interface Steady {
  name: string
  acked: () => number
  finish: () => Promise<number>
}

type Told =
  | { event: 'acked'; count: number }
  | { event: 'done'; sent: number; acked: number; failed: string[] }

function librdkafka(t: Test, bootstrap: string, topic: string): Steady {
  const name = 'librdkafka'
  const args = { bootstrap, topic, partitions: PARTITIONS, name, perSecond: PER_SECOND }
  const peer = Peer.python<Told>('steady', args)
  t.teardown(() => peer.end('SIGKILL'))
  const acked = (): number => {
    const last = peer.events.findLast((told) => told.event === 'acked')
    return last?.event === 'acked' ? last.count : 0
  }
  const finish = async (): Promise<number> => {
    peer.say('stop')
    await peer.until('it has settled', () => peer.events.at(-1)?.event === 'done', 60_000)
    const done = peer.events.at(-1)
    if (done?.event !== 'done') throw new Error('it never settled')
    t.match(
      done,
      { acked: done.sent, failed: [] },
      'librdkafka: everything it sent was acknowledged in the end',
    )
    return done.sent
  }
  return { name, acked, finish }
}

async function withKafkajs(t: Test, bootstrap: string, topic: string): Promise<Steady> {
  const name = 'kafkajs'
  const retry = { retries: 1000, initialRetryTime: 30, maxRetryTime: 200 }
  const producer = kafkajs(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1, retry })
  await producer.connect()
  t.teardown(() => producer.disconnect())
  let sent = 0
  let stopping = false
  const sending = (async () => {
    while (!stopping) {
      const messages = Array.from({ length: 30 }, (_, n) => ({
        partition: (sent + n) % PARTITIONS,
        value: `${name}:${sent + n}`,
      }))
      await producer.send({ topic, messages, acks: -1 }).then(
        () => {
          sent += messages.length
        },
        async (error: Error) => {
          // It gives up when it cannot connect while it retries. Its sequences stay: the same records again are the same batches
          if (!/connect/i.test(error.message)) throw error
          await producer.connect().catch(() => {})
        },
      )
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
  })()
  sending.catch((error: unknown) => t.fail(`kafkajs gave up: ${String(error)}`))
  const finish = async (): Promise<number> => {
    stopping = true
    await sending
    return sent
  }
  return { name, acked: () => sent, finish }
}

/** The values of a partition in their order; the batches here are not compressed. */
async function values(bootstrap: string, topic: string, partition: number): Promise<string[]> {
  const found: string[] = []
  for (const batch of await allBatches(bootstrap, topic, partition)) {
    const fields = new In(batch.bytes.subarray(61))
    for (let left = batch.records; left > 0; left--) {
      fields.varint()
      fields.int8()
      fields.varint()
      fields.varint()
      fields.take(Math.max(0, fields.varint()))
      found.push(fields.take(Math.max(0, fields.varint())).toString())
      fields.varint()
    }
  }
  return found
}

async function check(t: Test, broker: Broker, topic: string, sent: Map<string, number>): Promise<void> {
  const inPartition = await Promise.all(
    [0, 1, 2].map((partition) => values(broker.bootstrap, topic, partition)),
  )
  for (const [name, count] of sent) {
    for (const [partition, all] of inPartition.entries()) {
      const got = all
        .filter((value) => value.startsWith(`${name}:`))
        .map((value) => Number(value.slice(name.length + 1)))
      const wrong = got.findIndex((n, index) => n !== index * PARTITIONS + partition)
      const near = wrong < 0 ? '' : `; at ${wrong}: ${got.slice(Math.max(0, wrong - 2), wrong + 3)}`
      t.equal(wrong, -1, `${name}, partition ${partition}: each once and in order${near}`)
      t.equal(
        got.length,
        Math.ceil((count - partition) / PARTITIONS),
        `${name}, partition ${partition}: all of them`,
      )
    }
  }
}

/** No commit that was acknowledged is gone. */
async function commitsHold(
  t: Test,
  broker: Broker,
  topic: string,
  groupId: string,
  committed: Map<number, number>,
): Promise<void> {
  const admin = kafkajs(broker.bootstrap).admin()
  await admin.connect()
  const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  for (const { partition, offset } of fetched?.partitions ?? []) {
    const before = committed.get(partition) ?? -1
    if (Number(offset) < before)
      t.fail(`partition ${partition}: ${before} was committed, after the kill it is ${offset}`)
  }
}

t.test(`${KILLS} kills of the broker under idempotent producers and a reading group`, async (t) => {
  const broker = await startBroker(t)
  const topic = 'killed'
  const admin = kafkajs(broker.bootstrap).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] })
  await admin.disconnect()

  const absent = missing('confluent_kafka')
  const group = 'reading'
  const args = {
    library: 'confluent_kafka',
    bootstrap: broker.bootstrap,
    topic,
    group,
    strategy: 'range',
  } as const
  const member = absent === false ? new Member(args) : undefined
  t.teardown(() => member?.peer.end('SIGKILL'))
  await member?.until('the reader has all partitions', () => member.owned.length === PARTITIONS)

  const producers = [await withKafkajs(t, broker.bootstrap, topic)]
  if (absent === false) producers.push(librdkafka(t, broker.bootstrap, topic))
  else t.comment(`librdkafka takes no part, neither writing nor reading: ${absent}`)

  const progress = async (): Promise<void> => {
    const goals = producers.map((producer) => producer.acked() + BETWEEN_KILLS)
    const deadline = performance.now() + 30_000
    while (producers.some((producer, index) => producer.acked() < (goals[index] ?? 0))) {
      if (performance.now() > deadline) {
        const acked = producers.map((producer) => `${producer.name} ${producer.acked()}`).join(', ')
        throw new Error(`no progress within 30 s; acknowledged: ${acked}\n${broker.stderr.slice(-3000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  const startsMs: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    await progress()
    const committed = new Map(member?.look().committed)
    await broker.kill()
    const from = performance.now()
    await broker.start()
    startsMs.push(Math.round(performance.now() - from))
    if (member !== undefined) await commitsHold(t, broker, topic, group, committed)
  }
  await progress()
  t.comment(`starts after the kills took ${Math.min(...startsMs)} to ${Math.max(...startsMs)} ms`)
  const sent = new Map<string, number>()
  for (const producer of producers) sent.set(producer.name, await producer.finish())
  t.comment(`sent: ${[...sent].map(([name, count]) => `${name} ${count}`).join(', ')}`)
  await check(t, broker, topic, sent)
  if (member !== undefined) {
    const total = [...sent.values()].reduce((sum, count) => sum + count, 0)
    await member.until('the reader has seen every record', () => member.values.size === total)
    t.same(member.disorders, [], 'the reader: in order, nothing skipped')
  }

  await broker.stop()
  await broker.start()
  await check(t, broker, topic, sent)
})
