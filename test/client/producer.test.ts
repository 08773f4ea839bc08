/** The producer against a broker of our own making: every record once and in order, whatever the broker does in between. */
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ReadableStream } from 'node:stream/web'
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import { type KafkaError, TimedOut } from '../../client/errors.ts'
import type { ProducerOptions } from '../../client/producer-settings.ts'
import { InitProducerId } from '../../src/protocol/apis/init-producer-id.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { baseSequence, codecOf, producerEpoch } from '../../src/records/batch.ts'
import { codecs } from '../../src/records/codecs.ts'
import { hangUp, ScriptedBroker, silence, stall } from './scripted-broker.ts'

async function fixture(
  t: Test,
  topics: Record<string, number> = { orders: 1 },
  options: ProducerOptions = {},
) {
  const broker = await ScriptedBroker.listen(t, topics)
  const client = new Client({
    bootstrap: broker.bootstrap,
    requestTimeoutMs: 400,
    retryBackoffMs: 2,
    retryBackoffMaxMs: 20,
    topicTimeoutMs: 300,
  })
  t.teardown(() => client.close({ timeoutMs: 100 }))
  return { broker, client, producer: client.producer(options) }
}

function values(broker: ScriptedBroker, topic = 'orders', partition = 0): string[] {
  return broker.log(topic, partition).records.map(({ value }) => String(value))
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))

t.test('a record comes back with its place, its bytes arrive as they were', async (t) => {
  const { broker, producer } = await fixture(t, { orders: 3 })
  const place = await producer.send({
    topic: 'orders',
    partition: 2,
    key: 'k',
    value: Buffer.from([0, 255, 10]),
    headers: [
      ['a', '1'],
      ['a', null],
    ],
    timestamp: 1_700_000_000_000,
  })
  t.same(place, { topic: 'orders', partition: 2, offset: 0, timestamp: 1_700_000_000_000 })
  const [record] = broker.log('orders', 2).records
  t.match(record, { key: Buffer.from('k'), value: Buffer.from([0, 255, 10]), timestamp: 1_700_000_000_000 })
  t.same(record?.headers, [
    { key: 'a', value: Buffer.from('1') },
    { key: 'a', value: null },
  ])
  const places = await producer.sendAll([
    { topic: 'orders', partition: 0, value: null },
    { topic: 'orders', partition: 0, value: '', headers: { h: 'v' } },
  ])
  t.same(
    places.map(({ offset }) => offset),
    [0, 1],
  )
  t.same(
    broker.log('orders', 0).records.map(({ value }) => value),
    [null, Buffer.alloc(0)],
    'a tombstone is not an empty value',
  )
  t.same(await producer.sendAll([]), [])
})

t.test('keys go where Java puts them, records without keys fill batches', async (t) => {
  const { broker, producer } = await fixture(t, { orders: 10 })
  const { partition } = await producer.send({ topic: 'orders', key: 'foobar', value: '' })
  t.equal(partition, (-790332482 & 0x7fffffff) % 10)
  const before = broker.seen.length
  await Promise.all(numbers(100).map((value) => producer.send({ topic: 'orders', value })))
  t.ok(broker.seen.length - before <= 2, 'one turn makes one batch, not one for each partition')
})

for (const compression of codecs) {
  t.test(`compression ${compression}`, async (t) => {
    const { broker, producer } = await fixture(t, { orders: 1 }, { compression })
    const seen: string[] = []
    broker.on(Produce, (request) => {
      const [bytes] = request.topicData[0]?.partitionData[0]?.records ?? []
      if (bytes !== undefined) seen.push(codecOf(bytes, 0))
      return broker.produce(request)
    })
    await producer.sendAll(numbers(500).map((value) => ({ topic: 'orders', value })))
    t.same(values(broker), numbers(500))
    t.ok(seen.every((codec) => codec === compression))
  })
}

t.test('an answer that is lost: the retry is recognised, nothing is stored twice', async (t) => {
  const { broker, producer } = await fixture(t)
  let calls = 0
  broker.on(Produce, (request) => {
    const answer = broker.produce(request)
    return ++calls <= 2 ? hangUp : answer
  })
  t.match(await producer.send({ topic: 'orders', value: 'once' }), { offset: 0 })
  t.equal(calls, 3)
  t.same(values(broker), ['once'])
})

t.test('a batch that fails among others in flight: all are stored, in order', async (t) => {
  const { broker, producer } = await fixture(t, { orders: 1 }, { batchBytesMax: 200 })
  let calls = 0
  // The first of many pipelined requests fails; those behind it find a gap.
  broker.on(Produce, (request) =>
    ++calls === 3 ? broker.refuse(request, 'NOT_ENOUGH_REPLICAS') : broker.produce(request),
  )
  const places = await producer.sendAll(numbers(200).map((value) => ({ topic: 'orders', value })))
  t.same(values(broker), numbers(200))
  t.same(
    places.map(({ offset }) => String(offset)),
    numbers(200),
    'each with its own offset',
  )
})

t.test('a broker that no longer leads names its successor: it is asked at once', async (t) => {
  const successor = await ScriptedBroker.listen(t, { orders: 1 })
  const earlier = await ScriptedBroker.listen(t, { orders: 1 })
  // Who waits, or asks for metadata again, does not end before this test is given up.
  const client = new Client({ bootstrap: earlier.bootstrap, retryBackoffMs: 60_000, leaderBackoffMs: 60_000 })
  t.teardown(() => client.close({ timeoutMs: 100 }))
  const producer = client.producer({ batchBytesMax: 200 })
  await producer.sendAll(numbers(10).map((value) => ({ topic: 'orders', value })))

  const currentLeader = { leaderId: 2, leaderEpoch: 1 }
  earlier.on(Produce, (request) => {
    const { responses } = earlier.refuse(request, 'NOT_LEADER_OR_FOLLOWER')
    const told = responses.map((topic) => ({
      ...topic,
      partitionResponses: topic.partitionResponses.map((row) => ({ ...row, currentLeader })),
    }))
    const nodeEndpoints = [{ nodeId: 2, host: '127.0.0.1', port: successor.port, rack: null }]
    return { responses: told, nodeEndpoints }
  })
  // The log goes with the leadership, with what it knows of producers.
  successor.logs.set('orders-0', earlier.log('orders', 0))
  const asked = earlier.seen.filter(({ api }) => api === 'Metadata').length
  await producer.sendAll(numbers(200).map((value) => ({ topic: 'orders', value })))
  t.same(values(successor), [...numbers(10), ...numbers(200)], 'batches in flight came after one another')
  t.equal(earlier.seen.filter(({ api }) => api === 'Metadata').length, asked)
})

t.test('faults of every kind, at random: every record once and in order', async (t) => {
  const { broker, producer } = await fixture(t, { orders: 4 }, { batchBytesMax: 500, requestBytesMax: 1_500 })
  let seed = 20_261_121
  const random = (): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed / 0x80000000
  }
  const faults = { drop: 0, lost: 0, stalled: 0, refused: 0 }
  broker.on(Produce, (request) => {
    const dice = random()
    if (dice < 0.08) {
      faults.drop++
      return hangUp
    }
    if (dice < 0.16) {
      faults.lost++
      broker.produce(request)
      return hangUp
    }
    if (dice < 0.165) {
      faults.stalled++
      broker.produce(request)
      return stall
    }
    if (dice < 0.3) {
      faults.refused++
      return broker.refuse(request, random() < 0.5 ? 'NOT_LEADER_OR_FOLLOWER' : 'REQUEST_TIMED_OUT')
    }
    return broker.produce(request)
  })
  const wanted = numbers(3_000)
  let left = wanted.length
  await new Promise<void>((resolve, reject) => {
    const next = async (): Promise<void> => {
      for (const value of wanted) {
        const room = producer.enqueue({ topic: 'orders', partition: Number(value) % 4, value }, (error) => {
          if (error !== null) reject(error)
          else if (--left === 0) resolve()
        })
        if (room !== undefined) await room
        if (random() < 0.02) await new Promise((soon) => setImmediate(soon))
      }
    }
    next().catch(reject)
  })
  for (let partition = 0; partition < 4; partition++) {
    t.same(
      values(broker, 'orders', partition),
      wanted.filter((value) => Number(value) % 4 === partition),
      `partition ${partition}`,
    )
  }
  t.ok(
    Object.values(faults).every((count) => count > 0),
    JSON.stringify(faults),
  )
})

t.test('a record that is given up does not stop those behind it', async (t) => {
  const { broker, producer } = await fixture(t, { orders: 1 }, { deliveryTimeoutMs: 150 })
  await producer.send({ topic: 'orders', value: 'first' })
  broker.on(Produce, () => stall)
  const lost = await producer.send({ topic: 'orders', value: 'lost' }).catch((error: unknown) => error)
  t.type(lost, TimedOut)
  t.match((lost as KafkaError).message, /delivery to partition orders-0: no success within 150 ms/)

  const named: string[] = []
  broker.on(Produce, (request) => {
    const [bytes] = request.topicData[0]?.partitionData[0]?.records ?? []
    if (bytes !== undefined) named.push(`epoch ${producerEpoch(bytes, 0)} sequence ${baseSequence(bytes, 0)}`)
    return broker.produce(request)
  })
  broker.hangUp()
  await producer.send({ topic: 'orders', value: 'next' })
  await producer.send({ topic: 'orders', value: 'last' })
  t.same(values(broker), ['first', 'next', 'last'])
  t.same(
    named,
    ['epoch 0 sequence 2', 'epoch 1 sequence 0', 'epoch 1 sequence 1'],
    'the broker reports the gap that the lost record left, and a new epoch begins',
  )
})

t.test('a record that the broker refuses for good', async (t) => {
  const { broker, producer } = await fixture(t)
  broker.on(Produce, (request) => broker.refuse(request, 'INVALID_RECORD'))
  await t.rejects(producer.send({ topic: 'orders', value: 'x' }), {
    code: 'INVALID_RECORD',
    retriable: false,
  })
  broker.on(Produce, (request) => broker.produce(request))
  t.match(
    await producer.send({ topic: 'orders', value: 'y' }),
    { offset: 0 },
    'its numbers are used again: no gap',
  )

  broker.on(Produce, (request) => {
    const [topic] = broker.refuse(request, 'INVALID_RECORD').responses
    const [row] = topic?.partitionResponses ?? []
    if (topic === undefined || row === undefined) throw new Error('no batch')
    const recordErrors = [{ batchIndex: 1, batchIndexErrorMessage: 'no key' }]
    return { responses: [{ ...topic, partitionResponses: [{ ...row, recordErrors }] }] }
  })
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c'].map((value) => producer.send({ topic: 'orders', value })),
  )
  t.match(
    outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason.message),
    [/another record of its batch was refused/, /no key/, /another record/],
    'each record its own reason (KIP-467)',
  )
})

t.test('a batch over the limit of the topic is split', async (t) => {
  const { broker, producer } = await fixture(t)
  broker.on(Produce, (request) => {
    const [bytes] = request.topicData[0]?.partitionData[0]?.records ?? []
    return (bytes?.length ?? 0) > 300 ? broker.refuse(request, 'MESSAGE_TOO_LARGE') : broker.produce(request)
  })
  const places = await producer.sendAll(numbers(100).map((value) => ({ topic: 'orders', value })))
  t.same(values(broker), numbers(100))
  t.same(
    places.map(({ offset }) => String(offset)),
    numbers(100),
  )
  await t.rejects(producer.send({ topic: 'orders', value: 'x'.repeat(400) }), { code: 'MESSAGE_TOO_LARGE' })
})

t.test('limits', async (t) => {
  await t.test('a record that is too large is refused here', async (t) => {
    const { broker, producer } = await fixture(t, { orders: 1 }, { requestBytesMax: 1000 })
    await t.rejects(producer.send({ topic: 'orders', value: 'x'.repeat(1000) }), {
      code: 'MESSAGE_TOO_LARGE',
      message: /over the limit of 1000/,
    })
    t.notOk(broker.seen.some(({ api }) => api === 'Produce'))
  })
  await t.test('memory is bounded: sends wait for room, in order', async (t) => {
    const { broker, producer } = await fixture(
      t,
      { orders: 1 },
      { bufferBytesMax: 2_000, batchBytesMax: 500 },
    )
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    broker.on(Produce, async (request) => {
      await held
      return broker.produce(request)
    })
    await producer.enqueue({ topic: 'orders', value: 'first' }, () => {})
    let accepted = 0
    const sends = numbers(200).map((value) => producer.send({ topic: 'orders', value: value.padStart(50) }))
    for (const send of sends) send.then(() => accepted++).catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.ok(producer.bufferedBytes < 2_200, `${producer.bufferedBytes} bytes`)
    t.equal(accepted, 0)
    release()
    await Promise.all(sends)
    t.same(values(broker).slice(1).map(Number), numbers(200).map(Number))
    t.equal(producer.bufferedBytes, 0)
  })
  await t.test('waiting is bounded too, in time and in number', async (t) => {
    const options = { bufferBytesMax: 100, waitTimeoutMs: 60, waitingMax: 2 }
    const { broker, producer } = await fixture(t, { orders: 1 }, options)
    broker.on(Produce, () => stall)
    await producer.enqueue({ topic: 'orders', value: 'x'.repeat(200) }, () => {})
    const sends = ['a', 'b', 'c'].map((value) =>
      producer.send({ topic: 'orders', value }).catch((e: unknown) => e),
    )
    t.match(await sends[2], { code: 'BUFFER_EXHAUSTED', message: /2 records wait already/ })
    t.match(await sends[0], { code: 'BUFFER_EXHAUSTED', retriable: true })
  })
})

t.test('topics', async (t) => {
  await t.test('one that is not there is asked to be created, and waited for a while', async (t) => {
    const { broker, producer } = await fixture(t)
    let asked = 0
    broker.on(Metadata, (request) => {
      if (
        request.allowAutoTopicCreation &&
        request.topics?.some(({ name }) => name === 'new') &&
        ++asked === 2
      ) {
        broker.addTopic('new', 1)
      }
      return broker.metadata(request)
    })
    t.match(await producer.send({ topic: 'new', value: 'x' }), { topic: 'new', offset: 0 })
    await t.rejects(producer.send({ topic: 'orders', partition: 7, value: 'x' }), {
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: /orders-7: no such partition, the topic has 1/,
    })
  })
  await t.test('one that never comes is an error, and holds nobody else up', async (t) => {
    const { producer } = await fixture(t)
    const missing = producer.send({ topic: 'missing', value: 'x' })
    await producer.send({ topic: 'orders', value: 'x' })
    await t.rejects(missing, { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })
})

t.test('acks 0 and 1', async (t) => {
  const { broker, client } = await fixture(t)
  broker.on(Produce, (request) => {
    const answer = broker.produce(request)
    return request.acks === 0 ? silence : answer
  })
  t.match(await client.producer({ acks: 0 }).send({ topic: 'orders', value: 'a' }), { offset: -1 })
  t.match(await client.producer({ acks: 1 }).send({ topic: 'orders', value: 'b' }), { offset: 1 })
  t.same(values(broker), ['a', 'b'])
  t.notOk(
    broker.seen.some(({ api }) => api === 'InitProducerId'),
    'neither can be idempotent',
  )
})

t.test('linger, flush and close', async (t) => {
  const { broker, client } = await fixture(t)
  const producer = client.producer({ lingerMs: 60_000 })
  const sent = producer.send({ topic: 'orders', value: 'a' })
  await producer.flush()
  t.match(await sent, { offset: 0 }, 'flush does not wait for the linger')
  const last = producer.send({ topic: 'orders', value: 'b' })
  await producer.close()
  t.match(await last, { offset: 1 }, 'nor does close, which loses nothing')
  const lingering = client.producer({ lingerMs: 30 })
  const before = broker.seen.filter(({ api }) => api === 'Produce').length
  await Promise.all([
    lingering.send({ topic: 'orders', value: 'c' }),
    new Promise((resolve) => setTimeout(resolve, 10)).then(() =>
      lingering.send({ topic: 'orders', value: 'd' }),
    ),
  ])
  t.equal(broker.seen.filter(({ api }) => api === 'Produce').length, before + 1, 'one batch for both')

  broker.on(Produce, () => stall)
  const stuck = client.producer()
  const hopeless = stuck.send({ topic: 'orders', value: 'e' }).catch((error: unknown) => error)
  await stuck.close({ timeoutMs: 30 })
  t.match(await hopeless, { code: 'CLIENT_CLOSED' }, 'close ends in its time')
})

t.test('a producer id that is refused fails what needs it', async (t) => {
  const { broker, producer } = await fixture(t)
  broker.on(InitProducerId, () => ({ errorCode: 31, producerId: -1, producerEpoch: -1 }))
  await t.rejects(producer.send({ topic: 'orders', value: 'x' }), { code: 'CLUSTER_AUTHORIZATION_FAILED' })
})

t.test('the end of a pipeline', async (t) => {
  const { broker, producer } = await fixture(
    t,
    { orders: 1 },
    { bufferBytesMax: 5_000, batchBytesMax: 1_000 },
  )
  let most = 0
  async function* records(count: number) {
    for (let n = 0; n < count; n++) {
      most = Math.max(most, producer.bufferedBytes)
      yield { topic: 'orders', value: `${n}` }
    }
  }
  await pipeline(records(2_000), Writable.fromWeb(producer.writable(), { objectMode: true }))
  t.same(
    values(broker),
    Array.from({ length: 2_000 }, (_, n) => `${n}`),
    'acknowledged, in order, when it ends',
  )
  t.ok(most < 6_000, `never more than it may hold: ${most}`)
  await t.rejects(
    ReadableStream.from([{ topic: 'orders', value: 1 as unknown as string }]).pipeTo(producer.writable()),
    { code: 'INVALID_ARGUMENT' },
    'and fails when a record does',
  )
})
