/** Real text through clients written by others, and back byte for byte. LOGRAFT_TEST_LINES: lines for each codec (100,000). */
import { Producer, stringSerializers } from '@platformatic/kafka'
import t, { type Test } from 'tap'
import { allBatches, codecNames } from './batches.ts'
import { bootstrap } from './broker.ts'
import { kcat, missing, python, unique } from './clients.ts'
import { consistent, murmur2, murmur2Hash } from './partitioners.ts'
import * as readers from './readers.ts'
import { type Line, realLines, sent } from './text.ts'

t.setTimeout(300_000)

const PARTITIONS = 4
const LINES = Number(process.env.LOGRAFT_TEST_LINES ?? 100_000)
const broker = await bootstrap(t)
const admin = readers.kafkajs(broker).admin()
await admin.connect()
t.teardown(() => admin.disconnect())

const lines = realLines(LINES * codecNames.length)

async function produceWithKcat(topic: string, codec: string, slice: Line[]): Promise<void> {
  const input = slice.map(({ key, value }) => `${key}\t${value}\n`).join('')
  const codecArgs = codec === 'none' ? [] : ['-z', codec]
  await kcat(broker, ['-P', '-t', topic, '-K', '\t', ...codecArgs, '-X', 'acks=all'], { input })
}

t.test(
  'kcat writes real text with every codec; five clients read it back byte for byte',
  { skip: missing('kcat') },
  async (t) => {
    for (const [number, codec] of codecNames.entries()) {
      await t.test(codec, async (t) => {
        const name = unique(`text-${codec}`)
        await admin.createTopics({
          topics: [{ topic: name, numPartitions: PARTITIONS, replicationFactor: 1 }],
        })
        const slice = lines.slice(number * LINES, (number + 1) * LINES)
        await produceWithKcat(name, codec, slice)
        const expected = sent(slice, (key) => consistent(key, PARTITIONS))
        const topic = { bootstrap: broker, topic: name, partitions: PARTITIONS, records: LINES }

        const batches = (
          await Promise.all(Object.keys(expected).map((p) => allBatches(broker, name, Number(p))))
        ).flat()
        t.equal(
          batches.reduce((sum, batch) => sum + batch.records, 0),
          LINES,
          'batches hold every record',
        )
        // librdkafka sends a batch as it is where compression would not make it smaller
        const kept = batches
          .filter((batch) => batch.codec === number)
          .reduce((sum, batch) => sum + batch.records, 0)
        t.ok(kept > 0.98 * LINES, `${kept} of ${LINES} records lie in ${codec} batches on the broker`)

        const read = { t, topic, expected }
        await reads(read, 'kcat', readers.kcatDigest)
        await reads(read, 'python3-confluent-kafka', readers.confluentDigest, missing('confluent_kafka'))
        await reads(read, 'python3-kafka', readers.kafkaPythonDigest, missing('kafka', ...moduleFor(codec)))
        await reads(read, 'kafkajs', readers.kafkajsDigest)
        const noZstd =
          codec === 'zstd' && !('zstd' in process.versions) && 'this Node has no zstd for @platformatic/kafka'
        await reads(read, '@platformatic/kafka', readers.platformaticDigest, noZstd)
      })
    }
  },
)

/** How each library sends lines, with its own default partitioner, and where that puts a key. */
interface Sender {
  client: string
  skip: string | false
  codecs: string[]
  partitionOf: (key: Buffer, partitions: number) => number
  send: (topic: string, codec: string, slice: Line[]) => Promise<void>
}

const pythonSender =
  (library: 'confluent_kafka' | 'kafka') =>
  async (topic: string, codec: string, slice: Line[]): Promise<void> => {
    const input = slice.map(({ key, value }) => `${key}\t${value}\n`).join('')
    const args = { library, bootstrap: broker, topic, codec }
    const { acknowledged } = await python<{ acknowledged: number }>('produce', args, { input })
    if (acknowledged !== slice.length)
      throw new Error(`${library}: ${acknowledged} of ${slice.length} acknowledged`)
  }

const senders: Sender[] = [
  {
    client: 'python3-confluent-kafka',
    skip: missing('confluent_kafka'),
    codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    partitionOf: consistent,
    send: pythonSender('confluent_kafka'),
  },
  {
    client: 'python3-kafka',
    skip: missing('kafka', 'lz4'),
    codecs: ['none', 'gzip', 'lz4'],
    partitionOf: murmur2,
    send: pythonSender('kafka'),
  },
  {
    client: 'kafkajs',
    skip: false,
    codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    partitionOf: murmur2,
    send: async (topic, codec, slice) => {
      const producer = readers.kafkajs(broker).producer()
      await producer.connect()
      for (let at = 0; at < slice.length; at += 1000) {
        const messages = slice.slice(at, at + 1000)
        await producer.send({ topic, messages, acks: -1, compression: codecNames.indexOf(codec) })
      }
      await producer.disconnect()
    },
  },
  {
    client: '@platformatic/kafka',
    skip: false,
    codecs: ['none', 'gzip', 'snappy', 'lz4'],
    // murmur2 too, but without Java's step that makes it positive
    partitionOf: (key, partitions) => murmur2Hash(key) % partitions,
    send: async (topic, codec, slice) => {
      const producer = new Producer({
        clientId: 'wire-platformatic',
        bootstrapBrokers: [broker],
        serializers: stringSerializers,
        compression: codec as 'gzip',
      })
      for (let at = 0; at < slice.length; at += 1000) {
        const messages = slice.slice(at, at + 1000).map((line) => ({ topic, ...line }))
        await producer.send({ messages, acks: -1 })
      }
      await producer.close()
    },
  },
]

t.test(
  'each library puts keys where it chose, and kcat reads back what it wrote',
  { skip: missing('kcat') },
  async (t) => {
    const partitions = 7 // no power of two: a sign mistaken in a hash would show
    const slice = lines.slice(0, 10_000)
    for (const { client, skip, codecs, partitionOf, send } of senders) {
      await t.test(client, { skip }, async (t) => {
        for (const codec of codecs) {
          const topic = unique(`keys-${codec}`)
          await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
          await send(topic, codec, slice)
          const expected = sent(slice, (key) => partitionOf(key, partitions))
          t.same(
            await readers.kcatDigest({ bootstrap: broker, topic, partitions, records: slice.length }),
            expected,
            codec,
          )
          const kept = new Set((await allBatches(broker, topic, 0)).map((batch) => codecNames[batch.codec]))
          t.ok(kept.has(codec), `the broker keeps ${codec}`)
        }
      })
    }
  },
)

/** What python3-kafka needs beside itself. */
function moduleFor(codec: string): ('snappy' | 'lz4' | 'zstandard')[] {
  return codec === 'zstd' ? ['zstandard'] : codec === 'snappy' || codec === 'lz4' ? [codec] : []
}

interface Read {
  t: Test
  topic: readers.Topic
  expected: ReturnType<typeof sent>
}

async function reads(
  { t, topic, expected }: Read,
  client: string,
  digest: (topic: readers.Topic) => Promise<unknown>,
  skip: string | false = false,
): Promise<void> {
  await t.test(`${client} reads it`, { skip }, async (t) => {
    t.same(await digest(topic), expected, 'sha256 of every partition, in order')
  })
}
