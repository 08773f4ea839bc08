/** Manners under load: what a broker holds for slow readers and fast writers is bounded, and costs nobody else. On real sockets. */
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import { type ClusterOptions, startCluster } from '../../src/embedded/embedded.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import type { RunningBroker } from '../../src/main.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { batchOf } from '../handlers/fixture.ts'
import { Client as RawClient } from '../server/fixture.ts'

const net = new NodeNet()

async function started(t: Test, options: ClusterOptions) {
  const cluster = await startCluster(options)
  t.teardown(() => cluster.stop())
  const broker = cluster.brokers[0] as RunningBroker
  const [host = '', port = ''] = broker.bootstrap.split(':')
  const connect = async () => new RawClient(await net.connect({ host, port: Number(port), timeoutMs: 5000 }))
  const client = new Client({ bootstrap: broker.bootstrap })
  t.teardown(() => client.close())
  return { broker, connect, client }
}

/** The most that a figure is until `isDone`. */
async function most(of: () => number, isDone: () => boolean): Promise<number> {
  let largest = 0
  while (!isDone()) {
    largest = Math.max(largest, of())
    await new Promise((resolve) => setImmediate(resolve))
  }
  return largest
}

t.test('a hundred consumers that never read their answers', async (t) => {
  const slowCount = 100
  const batchBytes = 100_000
  const responseBytes = 8 * 1024 * 1024
  let stalled = 0
  const { broker, connect, client } = await started(t, {
    settings: {
      'lograft.responses.bytes.max': responseBytes,
      'lograft.connection.outbound.bytes.max': 1024 * 1024,
      'lograft.connection.stalled.ms': 3000,
    },
    onEvent: ({ event, suppressed }) => {
      if (event === 'connection.stalled') stalled += 1 + Number(suppressed ?? 0)
    },
  })
  await using producer = client.producer()
  const value = Buffer.alloc(batchBytes, 'x')
  for (let i = 0; i < 40; i++) await producer.send({ topic: 'events', value })

  const slow = await Promise.all(Array.from({ length: slowCount }, connect))
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1024 * 1024 }]
  const fetch = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1024 * 1024,
    topics: [{ topic: 'events', partitions }],
  }
  for (const one of slow) {
    one.pause()
    for (let i = 0; i < 50; i++) one.ask(Fetch, 11, fetch, i)
  }
  // Somebody who reads, meanwhile.
  let isDone = false
  const reading = (async () => {
    let records = 0
    for (let round = 0; round < 5; round++) {
      await producer.send({ topic: 'events', value: 'fresh' })
      const consumer = client.consumer({ topics: ['events'], from: 'beginning', stopAtEnd: true })
      for await (const _ of consumer) records++
    }
    return records
  })().finally(() => {
    isDone = true
  })
  const held = await most(
    () => broker.figures().outboundBytes,
    () => isDone,
  )
  t.equal(await reading, 5 * 40 + 1 + 2 + 3 + 4 + 5, 'it gets all that there is, five times')
  t.ok(held > 1024 * 1024, `some waits: ${held}`)
  // Beyond the bound every fetch is answered with one batch.
  const bound = responseBytes + (slowCount + 1) * (batchBytes + 1000)
  t.ok(held <= bound, `${held} bytes are held, of ${bound}`)
  t.ok(broker.figures().requestBytes < slowCount * 64 * 1024, 'what they ask for is not read any more')

  await most(
    () => 0,
    () => broker.figures().outboundBytes === 0,
  )
  t.ok(stalled > 0, 'who takes nothing for long is dropped, and a line says so')
  t.equal(broker.figures().outboundBytes, 0, 'and nothing of it is left')
})

t.test('producers that are faster than the disk', async (t) => {
  const producerCount = 10
  const each = 100
  const requestBytes = 2 * 1024 * 1024
  let open: () => void = () => {}
  let gate: Promise<void> | null = null
  const disk = new SimDisk({
    device: ({ kind }) => (kind === 'sync' && gate !== null ? gate : Promise.resolve()),
  })
  const { broker, connect, client } = await started(t, {
    world: { disk: disk.mount() },
    settings: {
      'lograft.uncommitted.bytes.max': 1024 * 1024,
      'lograft.requests.bytes.max': requestBytes,
      'num.partitions': 1,
    },
  })
  await client.producer().send({ topic: 'events', value: 'first' })
  gate = new Promise((resolve) => {
    open = resolve
  })
  const batch = batchOf(['x'.repeat(16_000)])
  const producers = await Promise.all(Array.from({ length: producerCount }, connect))
  const data = [{ name: 'events', partitionData: [{ index: 0, records: [batch] }] }]
  for (const [at, one] of producers.entries()) {
    const acks = at % 2 === 0 ? 1 : -1
    for (let i = 0; i < each; i++) one.ask(Produce, 9, { acks, timeoutMs: 60_000, topicData: data }, i)
  }
  const ends = Date.now() + 1000
  const held = await most(
    () => broker.figures().requestBytes,
    () => Date.now() > ends,
  )
  t.ok(held > 500_000, `it holds ${held} bytes`)
  t.ok(held <= requestBytes + producerCount * 256 * 1024 + 20_000, `${held} of 16 MB that were sent are held`)
  open()
  gate = null
  let written = 0
  let refused = 0
  for (const one of producers) {
    for (let i = 0; i < each; i++) {
      const answer = await one.answer(Produce, 9)
      t.equal(answer?.correlationId, i)
      const errorCode = answer?.response.responses[0]?.partitionResponses[0]?.errorCode
      if (errorCode === 0) written++
      else refused++
    }
  }
  t.equal(written + refused, producerCount * each, 'every one is answered')
  t.ok(written >= (1024 * 1024) / 16_500, `${written} are written, ${refused} refused, to be sent again`)
  const asker = producers[0] as RawClient
  const partitions = [{ partitionIndex: 0, timestamp: -1 }]
  asker.ask(ListOffsets, 5, { replicaId: -1, isolationLevel: 0, topics: [{ name: 'events', partitions }] })
  const end = (await asker.answer(ListOffsets, 5))?.response.topics[0]?.partitions[0]?.offset
  t.equal(end, written + 1, 'what is acknowledged is there, and nothing else')
  t.equal(broker.figures().requestBytes, 0)
  for (const one of producers) one.end()
})
