/** Brokers inside the process that uses them. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import library from 'kafkajs'
import t from 'tap'
import { type BrokerEvent, type Cluster, startCluster } from '../../src/embedded/embedded.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import { zeroUuid } from '../../src/protocol/notation.ts'
import { NodeClient } from '../broker/node.ts'
import { Client } from '../server/fixture.ts'
import { environment, withoutLoader } from '../wire/broker.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

async function connect(cluster: Cluster): Promise<NodeClient> {
  const [host = '', port] = (cluster.bootstrap[0] ?? '').split(':')
  return new NodeClient(
    new Client(await new NodeNet().connect({ host, port: Number(port), timeoutMs: 5000 })),
  )
}

t.test("the README's example does what it says, and its process ends by itself", async (t) => {
  const bundle = join(root, 'build/bundle/embedded/embedded.js')
  if (!existsSync(bundle)) {
    t.comment('skipped: `npm run build` makes what packages export')
    return
  }
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const example = /```js\n(import \{ startCluster \}[\s\S]*?)```/.exec(readme)?.[1]
  if (example === undefined) throw new Error('the README has an example')
  const file = join(root, `build/test/embedded/example-${process.pid}.mjs`)
  writeFileSync(file, example)
  t.teardown(() => rmSync(file))
  const [program, args] = withoutLoader(process.execPath, file)
  const options = {
    env: { ...environment(), KAFKAJS_NO_PARTITIONER_WARNING: '1', KAFKAJS_LOG_LEVEL: 'nothing' },
    timeout: 20_000,
  }
  t.equal(execFileSync(program, args, { ...options, encoding: 'utf8' }), 'paid\n')
})

t.test('the types are there for who imports the package', async (t) => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: { '.': { types: string; default: string } }
  }
  t.match(
    readFileSync(join(root, exports['.'].types), 'utf8'),
    /startCluster\(options\?: ClusterOptions\): Promise<Cluster>/,
  )
})

t.test('kafkajs: a group, on a cluster that is stopped with its block', async (t) => {
  const events: BrokerEvent[] = []
  const onEvent = (event: BrokerEvent) => void events.push(event)
  const cluster = await startCluster({ settings: { 'num.partitions': 3 }, onEvent })
  const kafka = new library.Kafka({ brokers: cluster.bootstrap, logLevel: library.logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: library.Partitioners.DefaultPartitioner })
  const consumer = kafka.consumer({ groupId: 'billing', maxWaitTimeInMs: 100 })
  await Promise.all([producer.connect(), consumer.connect()])
  const sent = Array.from({ length: 30 }, (_, n) => `order ${n}`)
  await producer.send({ topic: 'orders', messages: sent.map((value) => ({ key: value, value })) })
  await consumer.subscribe({ topic: 'orders', fromBeginning: true })
  const received: string[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      received.push(message.value?.toString() ?? '')
      if (received.length === sent.length) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  t.strictSame(received.sort(), sent.sort())
  t.match(await kafka.admin().fetchTopicMetadata({ topics: ['orders'] }), {
    topics: [{ partitions: [{}, {}, {}] }],
  })
  await Promise.all([producer.disconnect(), consumer.disconnect()])
  await cluster[Symbol.asyncDispose]()
  t.strictSame(
    events.filter(({ level }) => level === 'warn' || level === 'error'),
    [],
  )
})

t.test('clusters do not know of each other, and what was in memory is gone', async (t) => {
  const [one, other] = await Promise.all([startCluster(), startCluster()])
  t.not(one.clusterId, other.clusterId)
  t.not(one.bootstrap[0], other.bootstrap[0])
  const [a, b] = [await connect(one), await connect(other)]
  t.match(await a.createTopic('orders'), /-/)
  t.strictSame((await b.metadata(null)).topics, [])
  t.equal(await a.produce('orders', ['x']), 0)
  await one.stop()
  await one.stop()
  await a.frames.closed
  t.match(await b.createTopic('orders'), /-/, 'the other goes on')
  const third = await startCluster()
  t.strictSame((await (await connect(third)).metadata(null)).topics, [])
  await Promise.all([other.stop(), third.stop()])
})

t.test('dataDir keeps what is there', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lograft-embedded-'))
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const first = await startCluster({ dataDir })
  const client = await connect(first)
  await client.createTopic('orders')
  await client.produce('orders', ['kept'])
  client.frames.end()
  await t.rejects(startCluster({ dataDir }), { name: 'DataFolderRefused', message: /in use/ })
  await first.stop()
  const second = await startCluster({ dataDir })
  t.equal(second.clusterId, first.clusterId)
  t.match(await (await connect(second)).fetch('orders'), { values: ['kept'] })
  await second.stop()
})

t.test('what is asked for and not served is refused by name', async (t) => {
  await t.rejects(startCluster({ nodes: 0 }), { name: 'RangeError' })
  await t.rejects(startCluster({ nodes: 0 }), { name: 'RangeError', message: /nodes/ })
  await t.rejects(startCluster({ nodes: Number.NaN }), { name: 'RangeError' })
  await t.rejects(startCluster({ settings: { 'num.partitons': 3 } }), {
    name: 'Refused',
    message: /'num.partitons' is not a setting; did you mean 'num.partitions'/,
  })
  await t.rejects(startCluster({ settings: { 'num.partitions': 0 } }), { message: /at least 1/ })
})

t.test('a world of the caller: a disk that fails', async (t) => {
  let isFailing = false
  const disk = new SimDisk({
    onOperation: ({ kind }) => (isFailing && kind === 'sync' ? { code: 'EIO' } : undefined),
  })
  const cluster = await startCluster({ world: { disk: disk.mount() } })
  const client = await connect(cluster)
  await client.createTopic('orders')
  isFailing = true
  t.equal(await client.produce('orders', ['x']), 'KAFKA_STORAGE_ERROR')
  isFailing = false
  await cluster.stop()
})

t.test('in memory, what is deleted is given back', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const cluster = await startCluster()
  const client = await connect(cluster)
  const value = 'x'.repeat(1_000_000)
  const heldBytes = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    return process.memoryUsage().arrayBuffers
  }
  const before = await heldBytes()
  for (let round = 0; round < 15; round++) {
    await client.createTopic('brief')
    for (let i = 0; i < 2; i++) await client.produce('brief', [value])
    await client.deleteTopic({ name: 'brief', topicId: zeroUuid })
  }
  // What sockets and pending turns still hold goes with them: a leak stays.
  let grown = (await heldBytes()) - before
  for (let turn = 0; turn < 50 && grown >= 10_000_000; turn++) grown = (await heldBytes()) - before
  t.ok(grown < 10_000_000, `${grown} bytes more after 30 MB`)
  await cluster.stop()
})
