/** Where the contract is played: a cluster's address, a client of it, and what every act needs. */
import { randomUUID } from 'node:crypto'
import type { Admin } from '../../../client/admin.ts'
import { Client } from '../../../client/client.ts'
import type { Consumer } from '../../../client/consumer.ts'
import { KafkaError } from '../../../client/errors.ts'
import type { ConsumerRecord } from '../../../client/partition-reader.ts'

export interface Stage {
  /** One broker or several, as `bootstrap` takes them. */
  readonly address: string
  readonly client: Client
  readonly admin: Admin
  newTopic(this: void, partitions?: number, configs?: Record<string, string>): Promise<string>
  /** Records `PARTITION/0`, `PARTITION/1`... a millisecond apart. */
  fill(this: void, topic: string, count: number, partition?: number, timestamp?: number): Promise<void>
}

export function stageAt(address: string): Stage {
  const client = new Client({ bootstrap: address, topicTimeoutMs: 1_000 })
  const admin = client.admin()
  return {
    address,
    client,
    admin,
    async newTopic(partitions = 1, configs = {}) {
      const name = `contract-${randomUUID()}`
      try {
        // Records here are of 2023.
        await admin.createTopics([{ name, partitions, configs: { 'retention.ms': '-1', ...configs } }])
      } catch (error) {
        // The answer was lost with its broker, so it was asked again.
        if (!(error instanceof KafkaError) || error.code !== 'TOPIC_ALREADY_EXISTS') throw error
      }
      return name
    },
    async fill(topic, count, partition = 0, timestamp = 1_700_000_000_000) {
      const producer = client.producer()
      const values = Array.from({ length: count }, (_, i) => `${partition}/${i}`)
      await producer.sendAll(
        values.map((value, i) => ({ topic, partition, value, timestamp: timestamp + i })),
      )
      await producer.close()
    },
  }
}

export async function readAll(consumer: AsyncIterable<ConsumerRecord>): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const record of consumer) records.push(record)
  return records
}

/** Reads in the background into `into` until the consumer is closed. */
export async function follow(
  consumer: Consumer,
  into: ConsumerRecord[],
  each: () => Promise<void> = async () => {},
): Promise<void> {
  for await (const record of consumer) {
    into.push(record)
    await each()
  }
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export async function failure(call: Promise<unknown>): Promise<KafkaError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof KafkaError)) throw error ?? new Error('it succeeded')
  return error
}

export const values = (records: readonly ConsumerRecord[]): string[] =>
  records.map(({ value }) => String(value))
