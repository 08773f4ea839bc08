/** Idempotent producers: what libraries send, and the rules of sequences that keep a retry from being written twice. */
import { Producer, stringSerializers } from '@platformatic/kafka'
import t, { type Test } from 'tap'
import { allBatches, batch, produce, record } from './batches.ts'
import { bootstrap } from './broker.ts'
import { kcat, missing, python, unique } from './clients.ts'
import { consistent } from './partitioners.ts'
import { out, Wire } from './raw.ts'
import * as readers from './readers.ts'
import { realLines, sent } from './text.ts'

t.setTimeout(120_000)

const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const INVALID_PRODUCER_EPOCH = 47
const SEQUENCE_MAX = 2 ** 31 - 1

const broker = await bootstrap(t)
const admin = readers.kafkajs(broker).admin()
await admin.connect()
t.teardown(() => admin.disconnect())

async function newTopic(numPartitions = 1): Promise<string> {
  const topic = unique('idempotent')
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] })
  return topic
}

/** One producer id with its batches' sequences in a row, in every partition. */
async function sequencesHold(t: Test, topic: string, partitions: number): Promise<void> {
  const ids = new Set<bigint>()
  for (let partition = 0; partition < partitions; partition++) {
    let next = 0
    for (const { bytes, records } of await allBatches(broker, topic, partition)) {
      ids.add(bytes.readBigInt64BE(43))
      const sequence = bytes.readInt32BE(53)
      if (sequence !== next) t.equal(sequence, next, `partition ${partition}: sequences in a row`)
      next = sequence + records
    }
  }
  t.equal(ids.size, 1, 'one producer id')
  t.notOk(ids.has(-1n), 'and a real one')
}

const lines = realLines(20_000)
const input = lines.map(({ key, value }) => `${key}\t${value}\n`).join('')

t.test('kcat', { skip: missing('kcat') }, async (t) => {
  const topic = await newTopic(3)
  const options = ['-X', 'enable.idempotence=true', '-X', 'acks=all', '-z', 'lz4']
  await kcat(broker, ['-P', '-t', topic, '-K', '\t', ...options], { input })
  const digest = await readers.kcatDigest({ bootstrap: broker, topic, partitions: 3, records: lines.length })
  t.same(
    digest,
    sent(lines, (key) => consistent(key, 3)),
  )
  await sequencesHold(t, topic, 3)
})

t.test('python3-confluent-kafka', { skip: missing('confluent_kafka', 'kcat') }, async (t) => {
  const topic = await newTopic(3)
  const args = { library: 'confluent_kafka', bootstrap: broker, topic, codec: 'zstd' }
  const config = { 'enable.idempotence': true, 'max.in.flight.requests.per.connection': 5, 'linger.ms': 1 }
  const { acknowledged } = await python<{ acknowledged: number }>('produce', { ...args, config }, { input })
  t.equal(acknowledged, lines.length)
  const digest = await readers.kcatDigest({ bootstrap: broker, topic, partitions: 3, records: lines.length })
  t.same(
    digest,
    sent(lines, (key) => consistent(key, 3)),
    'five requests in flight keep their order',
  )
  await sequencesHold(t, topic, 3)
})

t.test('kafkajs', async (t) => {
  const topic = await newTopic(3)
  const producer = readers.kafkajs(broker).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let at = 0; at < 2000; at += 100)
    await producer.send({ topic, acks: -1, messages: lines.slice(at, at + 100) })
  await producer.disconnect()
  await sequencesHold(t, topic, 3)
})

t.test('@platformatic/kafka', async (t) => {
  const topic = await newTopic(3)
  const producer = new Producer({
    clientId: 'wire-idempotent',
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    idempotent: true,
  })
  for (let at = 0; at < 2000; at += 100) {
    await producer.send({ messages: lines.slice(at, at + 100).map((line) => ({ topic, ...line })) })
  }
  await producer.close()
  await sequencesHold(t, topic, 3)
})

/** A producer whose sequences and epochs the test chooses, against one new partition. */
class ByHand {
  readonly wire: Wire
  readonly topic: string
  readonly producerId: bigint

  constructor(wire: Wire, topic: string, producerId: bigint) {
    this.wire = wire
    this.topic = topic
    this.producerId = producerId
  }

  /** Error code and base offset of a batch of `count` records. */
  async send(baseSequence: number, count = 1, producerEpoch = 0): Promise<[number, number]> {
    const records = Array.from({ length: count }, (_, n) => record(n, Buffer.from(`${baseSequence}+${n}`)))
    const fields = { producerId: this.producerId, producerEpoch, baseSequence, count }
    const { errorCode, baseOffset } = await produce(
      this.wire,
      this.topic,
      0,
      batch(Buffer.concat(records), fields),
    )
    return [errorCode, Number(baseOffset)]
  }
}

async function initProducerId(wire: Wire): Promise<{ errorCode: number; producerId: bigint; epoch: number }> {
  const answer = await wire.ask(22, 1, out().string(null).int32(60_000).done())
  answer.int32()
  return { errorCode: answer.int16(), producerId: answer.int64(), epoch: answer.int16() }
}

async function byHand(t: Test): Promise<ByHand> {
  const wire = await Wire.open(broker)
  t.teardown(() => wire.close())
  const { errorCode, producerId, epoch } = await initProducerId(wire)
  t.equal(errorCode, 0)
  t.equal(epoch, 0)
  return new ByHand(wire, await newTopic(), producerId)
}

t.test('every producer gets an id of its own', async (t) => {
  const wires = await Promise.all([1, 2, 3].map(() => Wire.open(broker)))
  const ids = new Set<bigint>()
  for (let n = 0; n < 300; n++) ids.add((await initProducerId(wires[n % 3] as Wire)).producerId)
  for (const wire of wires) wire.close()
  t.equal(ids.size, 300)
})

t.test('a batch sent again is answered with its first offset and written once', async (t) => {
  const producer = await byHand(t)
  for (let n = 0; n < 5; n++) t.same(await producer.send(n * 2, 2), [0, n * 2])
  for (let n = 4; n >= 0; n--)
    t.same(await producer.send(n * 2, 2), [0, n * 2], `batch ${n} of the last five, again`)
  t.same(await producer.send(10, 2), [0, 10])
  t.same(
    await producer.send(0, 2),
    [OUT_OF_ORDER_SEQUENCE_NUMBER, -1],
    'older than the last five is no longer known',
  )
  t.same(await producer.send(10, 1), [OUT_OF_ORDER_SEQUENCE_NUMBER, -1], 'part of a batch is no repetition')
  const kept = await allBatches(broker, producer.topic, 0)
  t.same(
    kept.map(({ baseOffset }) => baseOffset),
    [0n, 2n, 4n, 6n, 8n, 10n],
    'each is there once',
  )
})

t.test('a gap in the sequences is refused, and closed by what was missing', async (t) => {
  const producer = await byHand(t)
  t.same(await producer.send(0), [0, 0])
  t.same(await producer.send(2), [OUT_OF_ORDER_SEQUENCE_NUMBER, -1])
  t.same(await producer.send(1), [0, 1])
  t.same(await producer.send(2), [0, 2])
})

t.test('a later epoch begins anew and fences the earlier', async (t) => {
  const producer = await byHand(t)
  t.same(await producer.send(0), [0, 0])
  t.same(
    await producer.send(7, 1, 1),
    [OUT_OF_ORDER_SEQUENCE_NUMBER, -1],
    'a new epoch starts with sequence 0',
  )
  t.same(await producer.send(0, 1, 1), [0, 1])
  t.same(await producer.send(1, 1, 0), [INVALID_PRODUCER_EPOCH, -1])
  t.same(await producer.send(1, 1, 1), [0, 2])
})

t.test('sequences go on at 0 after 2147483647, in the middle of a batch too', async (t) => {
  const producer = await byHand(t)
  t.same(await producer.send(SEQUENCE_MAX - 2, 2), [0, 0], 'a producer unknown here may begin anywhere')
  t.same(await producer.send(SEQUENCE_MAX, 3), [0, 2], 'MAX, 0, 1')
  t.same(await producer.send(SEQUENCE_MAX, 3), [0, 2], 'again: the same')
  t.same(await producer.send(2), [0, 5])
})

t.test('producers do not disturb each other', async (t) => {
  const one = await byHand(t)
  const other = new ByHand(one.wire, one.topic, (await initProducerId(one.wire)).producerId)
  for (let n = 0; n < 6; n++) {
    t.same(await one.send(n), [0, n * 2])
    t.same(await other.send(n), [0, n * 2 + 1])
  }
  t.same(await one.send(5), [0, 10])
})

t.test('requests sent without waiting are taken in their order', async (t) => {
  const producer = await byHand(t)
  const answers = await Promise.all([0, 1, 2, 3, 4].map((n) => producer.send(n)))
  t.same(
    answers,
    [0, 1, 2, 3, 4].map((n) => [0, n]),
  )
})
