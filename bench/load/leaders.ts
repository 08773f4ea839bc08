/** Load for the partitions of a topic, each at the broker that leads it. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import type { LoadConnection } from './connection.ts'
import { type ProduceLoad, produceLatency, produceThroughput, type Throughput } from './produce.ts'
import { makeTopic, type Payload } from './topic.ts'

export interface Led {
  readonly bootstrap: string
  readonly indexes: readonly number[]
}

/** What the parts of a load share. */
export type Shared = Omit<ProduceLoad, 'bootstrap' | 'indexes' | 'connections'>

/** The partitions of a topic by the broker that leads them. @throws when one has no leader */
export async function leadersOf(connection: LoadConnection, topic: string): Promise<Led[]> {
  const topics = [{ name: topic }]
  const answer = await connection.ask(Metadata, 9, { topics, allowAutoTopicCreation: false })
  const partitions = answer.topics[0]?.partitions ?? []
  if (partitions.length === 0) throw new Error(`${topic} is not known`)
  const led = new Map<number, number[]>()
  for (const { partitionIndex, leaderId } of partitions) {
    if (leaderId < 0) throw new Error(`${topic}-${partitionIndex} has no leader`)
    led.set(leaderId, [...(led.get(leaderId) ?? []), partitionIndex])
  }
  return [...led].map(([leader, indexes]) => {
    const place = answer.brokers.find(({ nodeId }) => nodeId === leader)
    return { bootstrap: `${place?.host}:${place?.port}`, indexes }
  })
}

/** A new topic whose leaders accept records: some brokers answer before all of them know of it. */
export async function readyTopic(
  control: LoadConnection,
  wanted: { topic: string; partitions: number; replicas: number; configs: Readonly<Record<string, string>> },
  first: Payload,
): Promise<Led[]> {
  const { topic, partitions, replicas, configs } = wanted
  await makeTopic(control, topic, partitions, configs, replicas)
  for (let left = 50; ; left--) {
    try {
      const led = await leadersOf(control, topic)
      await spreadThroughput({ topic, partitions, acks: -1, payload: first }, led, partitions)
      return led
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

/** Each leader gets its share, all at once: `inFlight` requests on a connection for each partition, `batches` in all. */
export async function spreadThroughput(
  load: Shared,
  led: readonly Led[],
  batches: number,
  inFlight = 5,
): Promise<Throughput> {
  const begun = performance.now()
  const parts = await Promise.all(
    led.map(({ bootstrap, indexes }) =>
      produceThroughput({
        ...load,
        bootstrap,
        indexes,
        connections: indexes.length,
        inFlight,
        bytes: (batches * load.payload.batch.length * indexes.length) / load.partitions,
      }),
    ),
  )
  const seconds = (performance.now() - begun) / 1000
  const sum = (key: 'bytes' | 'records') => parts.reduce((total, part) => total + part[key], 0)
  return { seconds, bytes: sum('bytes'), records: sum('records') }
}

/** Each leader gets its share of `perSecond` batches, all at once. */
export async function spreadLatency(
  load: Shared,
  led: readonly Led[],
  rate: { perSecond: number; seconds: number },
): Promise<RecordableHistogram> {
  const all = createHistogram()
  const parts = await Promise.all(
    led.map(({ bootstrap, indexes }) => {
      const perSecond = (rate.perSecond * indexes.length) / load.partitions
      return produceLatency({
        ...load,
        bootstrap,
        indexes,
        connections: indexes.length,
        intervalMs: 1000 / perSecond,
        count: Math.ceil(perSecond * rate.seconds),
      })
    }),
  )
  for (const part of parts) all.add(part)
  return all
}
