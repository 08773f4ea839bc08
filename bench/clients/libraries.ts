/** The libraries side by side, each written as its own documentation tells to write it for speed: the same work, the same promises. */
import { randomUUID } from 'node:crypto'
import { Consumer, Producer } from '@platformatic/kafka'
import kafkajs from 'kafkajs'
import { Client } from '../../client/client.ts'
import { withRdkafka } from './rdkafka.ts'

/** `rdkafka` is native, the others are not. */
export const libraryNames = ['lograft', 'kafkajs', 'platformatic', 'rdkafka'] as const
export type LibraryName = (typeof libraryNames)[number]

export interface Library {
  /** Sends these values to the topic in one call, acks=all; resolves when they are acknowledged. */
  send(topic: string, values: readonly Buffer[]): Promise<void>
  /** Reads from the beginning, as a group of one, until `count` records were seen; resolves with the bytes of their values. */
  consume(topic: string, count: number): Promise<number>
  close(): Promise<void>
}

/** @param native the folder that holds node-rdkafka */
export async function open(
  name: LibraryName,
  bootstrap: string,
  options: { isSingle: boolean; native: string },
): Promise<Library> {
  switch (name) {
    case 'lograft':
      return lograft(bootstrap)
    case 'kafkajs':
      return withKafkajs(bootstrap)
    case 'platformatic':
      return withPlatformatic(bootstrap)
    case 'rdkafka':
      return withRdkafka(options.native, bootstrap, options.isSingle ? 0 : 5)
  }
}

function lograft(bootstrap: string): Library {
  const client = new Client({ bootstrap })
  const producer = client.producer()
  return {
    async send(topic, values) {
      const [first] = values
      if (values.length === 1 && first !== undefined) await producer.send({ topic, value: first })
      else await producer.sendAll(values.map((value) => ({ topic, value })))
    },
    async consume(topic, count) {
      await using consumer = client.consumer({
        topics: [topic],
        groupId: `bench-${randomUUID()}`,
        from: 'beginning',
      })
      let [seen, bytes] = [0, 0]
      for await (const { value } of consumer) {
        bytes += value?.length ?? 0
        if (++seen === count) break
      }
      return bytes
    },
    close: () => client.close(),
  }
}

async function withKafkajs(bootstrap: string): Promise<Library> {
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  return {
    async send(topic, values) {
      await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) })
    },
    async consume(topic, count) {
      const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxBytesPerPartition: 1024 * 1024 })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      let [seen, bytes] = [0, 0]
      await new Promise<void>((resolve, reject) => {
        consumer
          .run({
            eachBatch: async ({ batch }) => {
              for (const { value } of batch.messages) {
                if (seen === count) return
                bytes += value?.length ?? 0
                if (++seen === count) resolve()
              }
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      return bytes
    },
    close: () => producer.disconnect(),
  }
}

async function withPlatformatic(bootstrap: string): Promise<Library> {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [bootstrap], acks: -1 })
  return {
    async send(topic, values) {
      await producer.send({ messages: values.map((value) => ({ topic, value })), acks: -1 })
    },
    async consume(topic, count) {
      const consumer = new Consumer({
        clientId: 'bench',
        groupId: `bench-${randomUUID()}`,
        bootstrapBrokers: [bootstrap],
        maxBytes: 16 * 1024 * 1024,
      })
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true })
      let [seen, bytes] = [0, 0]
      for await (const { value } of stream) {
        bytes += value.length
        if (++seen === count) break
      }
      await consumer.close(true)
      return bytes
    },
    close: () => producer.close(),
  }
}
