/** Large batches are compressed on threads: the same bytes, a free event loop, and nothing left afterwards. */
import t from 'tap'
import { Client } from '../../client/client.ts'
import { Compressor } from '../../client/compressor.ts'
import { ClientClosed } from '../../client/errors.ts'
import { Lifetime } from '../../client/lifetime.ts'
import { nodeThreads, type Threads } from '../../client/threads.ts'
import { nodeTransport } from '../../client/transport.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { codecOf } from '../../src/records/batch.ts'
import { codecs, expand } from '../../src/records/codecs.ts'
import { hangUp, ScriptedBroker } from './scripted-broker.ts'

const text = Array.from({ length: 40_000 }, (_, i) => `{"order":${i},"total":${(i * 31) % 997}}`).join('')
const megabyte = Buffer.from(text.repeat(2).slice(0, 1024 * 1024))
const compressed = codecs.filter((codec) => codec !== 'none')

t.test('records come out as they went in, also when their request has to be repeated', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const client = new Client({ bootstrap: broker.bootstrap, compressionThreadsMax: 2, retryBackoffMs: 2 })
  t.teardown(() => client.close())
  const wanted: string[] = []
  const used = new Set<string>()
  let isFirst = true
  broker.on(Produce, (request) => {
    for (const { partitionData } of request.topicData) {
      for (const { records } of partitionData) used.add(codecOf(Buffer.concat(records ?? []), 0))
    }
    const answer = broker.produce(request)
    const isLost = isFirst
    isFirst = false
    return isLost ? hangUp : answer
  })
  for (const compression of compressed) {
    const producer = client.producer({ compression, batchBytesMax: 500_000 })
    const values = Array.from({ length: 1_500 }, (_, i) => `${compression} ${i} `.padEnd(900, text.slice(i)))
    wanted.push(...values)
    isFirst = true
    await producer.sendAll(values.map((value) => ({ topic: 'orders', value })))
    await producer.close()
  }
  t.same(
    broker.log('orders', 0).records.map(({ value }) => String(value)),
    wanted,
  )
  t.same([...used], compressed)
})

t.test('as many threads as are allowed, when there is work for them', async (t) => {
  const lifetime = new Lifetime(nodeTransport.clock)
  const compressor = new Compressor(2, nodeThreads, lifetime)
  t.equal(compressor.threads, 0)
  t.notOk(compressor.takes('gzip', 16 * 1024), 'small batches stay')
  t.notOk(compressor.takes('none', 1024 * 1024))
  t.ok(compressed.every((codec) => compressor.takes(codec, 512 * 1024)))
  t.notOk(new Compressor(0, nodeThreads, lifetime).takes('gzip', 1024 * 1024), 'when no threads are wanted')

  let turns = 0
  const turning = setInterval(() => turns++, 1)
  const work = compressed.flatMap((codec) => [codec, codec])
  const results = await Promise.all(work.map((codec) => compressor.compress(codec, undefined, megabyte)))
  clearInterval(turning)
  t.equal(compressor.threads, 2)
  t.ok(turns > 20, `the event loop went round ${turns} times`)
  results.forEach((bytes, i) => {
    const codec = work[i] ?? 'none'
    t.ok(expand(codec, bytes ?? Buffer.alloc(0), megabyte.length).equals(megabyte), codec)
  })
  t.equal(await compressor.compress('gzip', 99, megabyte), null, 'what cannot be done is for the caller')
  t.ok(await compressor.compress('gzip', 1, megabyte), 'and the thread goes on')

  const late = [1, 2, 3].map(() => compressor.compress('gzip', 9, megabyte))
  lifetime.end(new ClientClosed('client'))
  await Promise.all(late)
  t.equal(compressor.threads, 0, 'nothing is left, and nobody waits for ever')
})

t.test('where there are no threads, and where they break, batches are left to whoever asked', async (t) => {
  const lifetime = new Lifetime(nodeTransport.clock)
  const none = new Compressor(2, { max: 2, start: () => null }, lifetime)
  t.ok(none.takes('gzip', megabyte.length), 'nobody knows before it was tried')
  t.equal(await none.compress('gzip', undefined, megabyte), null)
  t.notOk(none.takes('gzip', megabyte.length))

  const breaking: Threads = {
    max: 1,
    start: ({ ended }) => ({ run: () => setImmediate(ended), end: () => {} }),
  }
  const broken = new Compressor(1, breaking, lifetime)
  const results = [1, 2, 3].map(() => broken.compress('gzip', undefined, megabyte))
  t.same(await Promise.all(results), [null, null, null])
  t.equal(broken.threads, 0)
  lifetime.end(new ClientClosed('client'))
})
