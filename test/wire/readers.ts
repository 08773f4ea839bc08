/** Each client reads a whole topic its own way; all answer with the digest of what they saw. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Consumer } from '@platformatic/kafka'
import library, { type Kafka } from 'kafkajs'
import { compress, expand } from '../../src/records/codecs.ts'
import { environment } from './broker.ts'
import { python, unique } from './clients.ts'
import { type Digest, Digester } from './text.ts'

export interface Topic {
  bootstrap: string
  topic: string
  partitions: number
  /** How many records are in it: clients that follow a topic for ever stop there. */
  records: number
}

/** A CommonJS module whose names Node does not all see. */
const { CompressionCodecs, CompressionTypes, logLevel } = library

export const kafkajs = (bootstrap: string, clientId = 'wire-kafkajs'): Kafka =>
  new library.Kafka({ clientId, brokers: [bootstrap], logLevel: logLevel.NOTHING })

// kafkajs has gzip; its users plug the others in, as here with the codecs of this project
const plugged = [
  [CompressionTypes.Snappy, 'snappy'],
  [CompressionTypes.LZ4, 'lz4'],
  [CompressionTypes.ZSTD, 'zstd'],
] as const
for (const [type, codec] of plugged) {
  CompressionCodecs[type] = () => ({
    compress: async (encoder: { buffer: Buffer }) => compress(codec, encoder.buffer),
    decompress: async (bytes: Buffer) => expand(codec, bytes, 64 * 1024 * 1024),
  })
}

export async function kcatDigest({ bootstrap, topic }: Topic): Promise<Digest> {
  const args = ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-X', 'check.crcs=true']
  const kcat = spawn('kcat', [...args, '-f', '%p\t%k\t%s\n'], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(kcat, 'close')
  const digester = new Digester()
  let partial = Buffer.alloc(0)
  for await (const chunk of kcat.stdout as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([partial, chunk])
    let at = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
      const key = bytes.indexOf(9, at)
      const value = bytes.indexOf(9, key + 1)
      digester.add(
        Number(bytes.toString('latin1', at, key)),
        bytes.subarray(key + 1, value),
        bytes.subarray(value + 1, end),
      )
      at = end + 1
    }
    partial = bytes.subarray(at)
  }
  const [code] = await closed
  if (code !== 0) throw new Error(`kcat exited with ${code}`)
  return digester.digest()
}

export const confluentDigest = (topic: Topic): Promise<Digest> =>
  python('digest', { ...topic, library: 'confluent_kafka' })

export const kafkaPythonDigest = (topic: Topic): Promise<Digest> =>
  python('digest', { ...topic, library: 'kafka' })

export async function kafkajsDigest({ bootstrap, topic, records }: Topic): Promise<Digest> {
  const digester = new Digester()
  const consumer = kafkajs(bootstrap).consumer({ groupId: unique('digest-kafkajs'), maxWaitTimeInMs: 200 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      const running = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        eachBatch: async ({ batch }) => {
          for (const { key, value } of batch.messages) digester.add(batch.partition, key ?? '', value ?? '')
          if (digester.count >= records) resolve()
        },
      })
      running.catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return digester.digest()
}

export async function platformaticDigest({ bootstrap, topic, records }: Topic): Promise<Digest> {
  const digester = new Digester()
  const consumer = new Consumer({
    clientId: 'wire-platformatic',
    groupId: unique('digest-platformatic'),
    bootstrapBrokers: [bootstrap],
    autocommit: false,
    maxWaitTime: 200,
  })
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'earliest',
      sessionTimeout: 10_000,
      heartbeatInterval: 500,
    })
    for await (const message of stream) {
      digester.add(message.partition, message.key, message.value)
      if (digester.count >= records) break
    }
  } finally {
    await consumer.close(true)
  }
  return digester.digest()
}
