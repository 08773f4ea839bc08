/** The small print of Produce and Fetch that clients rely on. */
import t, { type Test } from 'tap'
import { topicOf } from './answers.ts'
import { allBatches, batch, fetchBody, fetched, heads, produce, produceBody, record } from './batches.ts'
import { bootstrap } from './broker.ts'
import { unique } from './clients.ts'
import { frame, out, Wire } from './raw.ts'
import { kafkajs } from './readers.ts'

t.setTimeout(60_000)

const UNKNOWN_TOPIC_OR_PARTITION = 3
const FETCH_SESSION_ID_NOT_FOUND = 70

const broker = await bootstrap(t)
const admin = kafkajs(broker).admin()
await admin.connect()
t.teardown(() => admin.disconnect())

async function open(t: Test, address = broker): Promise<Wire> {
  const wire = await Wire.open(address)
  t.teardown(() => wire.close())
  return wire
}

async function newTopic(numPartitions = 1): Promise<string> {
  const topic = unique('compat')
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] })
  return topic
}

const single = (text: string): Buffer => batch(record(0, Buffer.from(text)))

t.test('acks=0 is not answered; its records are there, and a mistake closes the connection', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  wire.send(frame(0, 7, produceBody(topic, 0, single('unanswered'), 0), 21))
  wire.send(frame(18, 0, Buffer.alloc(0), 22))
  t.equal((await wire.receive())?.correlationId, 22, 'the first answer is the one to what came next')
  t.equal((await allBatches(broker, topic, 0)).length, 1)
  wire.send(frame(0, 7, produceBody(unique('nowhere'), 0, single('lost'), 0), 23))
  await wire.closed
  t.pass('closed: how else would the client learn')
})

t.test('Produce answers for each partition', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  t.match(await produce(wire, unique('nowhere'), 0, single('x')), { errorCode: UNKNOWN_TOPIC_OR_PARTITION })
  t.match(await produce(wire, topic, 7, single('x')), { errorCode: UNKNOWN_TOPIC_OR_PARTITION })
  const answer = await wire.ask(0, 7, produceBody(topic, 0, single('x'), 2))
  answer.at += 4 + 2 + topic.length + 4 + 4
  t.equal(answer.int16(), 21, 'INVALID_REQUIRED_ACKS')
  t.same(
    await produce(wire, topic, 0, single('first')),
    { errorCode: 0, baseOffset: 0n },
    'the first offset is 0',
  )
  t.same(await produce(wire, topic, 0, single('second')), { errorCode: 0, baseOffset: 1n })
})

t.test('a batch comes back as it was sent, but for its offset and epoch', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  await produce(wire, topic, 0, single('before'))
  const sentBatch = single('as it was')
  await produce(wire, topic, 0, sentBatch)
  const [, kept] = await allBatches(broker, topic, 0)
  t.equal(kept?.baseOffset, 1n)
  t.ok((kept?.leaderEpoch ?? -1) >= 0, 'with the epoch of the leader')
  t.same(kept?.bytes.subarray(16), sentBatch.subarray(16), 'from the magic byte on')
})

/** Body of a Fetch of version 7 to 11 with a session. */
function sessionFetch(sessionId: number, epoch: number, topic: string, offset = 0n): Buffer {
  return out()
    .int32(-1)
    .int32(0)
    .int32(0)
    .int32(1 << 20)
    .int8(0)
    .int32(sessionId)
    .int32(epoch)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(0)
    .int64(offset)
    .int64(-1)
    .int32(1 << 20)
    .int32(0)
    .done()
}

t.test('records are never null: not when empty, not beside an error', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  const cases: [what: string, topic: string, partition: number, offset: bigint][] = [
    ['an empty partition', topic, 0, 0n],
    ['an offset out of range', topic, 0, 99n],
    ['a partition that is none', topic, 9, 0n],
    ['a topic that is none', unique('nowhere'), 0, 0n],
  ]
  for (const [what, name, partition, offset] of cases) {
    const { records } = fetched(await wire.ask(1, 4, fetchBody(name, partition, offset, 0, 0)))
    t.same(records, Buffer.alloc(0), `v4: ${what}`)
  }
  const { topicId } = await topicOf(wire, topic)
  for (const [what, id] of [
    ['an empty partition', topicId],
    ['an id that is none', Buffer.from('ab'.repeat(16), 'hex')],
  ] as const) {
    const body = out()
      .int32(0)
      .int32(0)
      .int32(1 << 20)
      .int8(0)
      .int32(0)
      .int32(-1)
    body
      .uvarint(2)
      .raw(id)
      .uvarint(2)
      .int32(0)
      .int32(-1)
      .int64(0)
      .int32(-1)
      .int64(-1)
      .int32(1 << 20)
      .uvarint(0)
      .uvarint(0)
    const answer = await wire.ask(1, 16, body.uvarint(1).compactString('').uvarint(0).done(), 2)
    answer.at += 4 + 2 + 4
    t.equal(answer.uvarint(), 2, 'one topic')
    t.same(answer.take(16), id, 'the id that was asked for')
    t.equal(answer.uvarint(), 2, 'one partition')
    answer.at += 4
    t.equal(answer.int16(), id === topicId ? 0 : 100, 'UNKNOWN_TOPIC_ID for an id that is none')
    answer.at += 8 + 8 + 8
    answer.uvarint()
    answer.int32()
    t.equal(answer.uvarint(), 1, `v16: ${what}: no bytes, and no null`)
  }
})

t.test('a fetch session is kept or declined, as the protocol has it', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  await produce(wire, topic, 0, single('one'))
  const asked = await wire.ask(1, 7, sessionFetch(0, 0, topic))
  asked.int32()
  t.equal(asked.int16(), 0)
  const sessionId = asked.int32()
  t.equal(asked.int32(), 1, 'the first answer is a full one')
  if (sessionId === 0) {
    const again = await wire.ask(1, 7, sessionFetch(0, 0, topic))
    again.at += 4 + 2 + 4
    t.equal(again.int32(), 1, 'declined: and so is the next')
  }
  const unknown = await wire.ask(1, 7, sessionFetch(424242, 5, topic))
  unknown.int32()
  t.equal(unknown.int16(), FETCH_SESSION_ID_NOT_FOUND)
  t.equal(unknown.int32(), 0)
  t.equal(unknown.int32(), 0, 'no topics')
})

t.test('a fetch waits for records, not for its time; what came after it waits its turn', async (t) => {
  const topic = await newTopic()
  const [reader, writer] = [await open(t), await open(t)]
  const from = performance.now()
  reader.send(frame(1, 4, fetchBody(topic, 0, 0n, 20_000, 1), 31))
  reader.send(frame(18, 0, Buffer.alloc(0), 32))
  await produce(writer, topic, 0, single('here it is'))
  const first = await reader.receive(15_000)
  t.equal(first?.correlationId, 31, 'in the order of the requests')
  t.ok(performance.now() - from < 10_000, 'at once when there was something')
  t.equal((await reader.receive())?.correlationId, 32)
})

t.test('a fetch in the middle of a batch gets the whole of it', async (t) => {
  const topic = await newTopic()
  const wire = await open(t)
  const five = Buffer.concat([0, 1, 2, 3, 4].map((n) => record(n, Buffer.from(`v${n}`))))
  await produce(wire, topic, 0, batch(five, { count: 5 }))
  await produce(wire, topic, 0, single('after'))
  const { records } = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 3n)))
  t.same(
    heads(records ?? Buffer.alloc(0)).map(({ baseOffset }) => baseOffset),
    [0n, 5n],
  )
  const beyond = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 7n, 0, 0)))
  t.equal(beyond.errorCode, 1, 'OFFSET_OUT_OF_RANGE above the end')
  const end = fetched(await wire.ask(1, 4, fetchBody(topic, 0, 6n, 0, 0)))
  t.match(end, { errorCode: 0, highWatermark: 6n }, 'the end itself is in range')
})
