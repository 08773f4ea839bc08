/** Consume load: fetches from the beginning to the end, counting bytes. All batches of the topic are alike. */
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { frameOf, LoadConnection } from './connection.ts'
import type { Throughput } from './produce.ts'
import type { Payload } from './topic.ts'

const version = 11

export interface ConsumeLoad {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  readonly payload: Payload
  readonly fetchBytes: number
  /** Bytes to read in all. */
  readonly bytes: number
  /** Of each partition; one when absent. */
  readonly readers?: number
}

/** Where an answer for one partition of a topic holds its error, and how long it is before its batches. */
export function answerOf(topic: string): { errorAt: number; headBytes: number } {
  // correlation, throttle, error, session, topics, name, partitions, index | error | three offsets, aborted, preferred | records
  const errorAt = 4 + 4 + 2 + 4 + 4 + 2 + topic.length + 4 + 4
  return { errorAt, headBytes: errorAt + 2 + 8 + 8 + 8 + 4 + 4 + 4 }
}

export interface PartitionFetch {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly fetchBytes: number
  readonly maxWaitMs: number
}

export function fetchFrame({ topic, partition, offset, fetchBytes, maxWaitMs }: PartitionFetch): Buffer {
  const partitions = [{ partition, fetchOffset: offset, partitionMaxBytes: fetchBytes }]
  const topics = [{ topic, partitions }]
  return frameOf(Fetch, version, { maxWaitMs, minBytes: 1, maxBytes: fetchBytes, topics })
}

/** A connection for each reader of each partition, one fetch under way on each; a partition read to its end begins again. */
export async function consumeThroughput(load: ConsumeLoad): Promise<Throughput> {
  const { errorAt, headBytes } = answerOf(load.topic)
  const connections = await Promise.all(
    Array.from({ length: load.partitions * (load.readers ?? 1) }, () => LoadConnection.open(load.bootstrap)),
  )
  let bytes = 0
  const begun = performance.now()
  await Promise.all(
    connections.map(
      (connection, n) =>
        new Promise<void>((resolve, reject) => {
          connection.onFault = reject
          const partition = n % load.partitions
          let offset = 0
          const onAnswer = (head: Buffer, size: number) => {
            const error = head.readInt16BE(errorAt)
            if (error !== 0) reject(new Error(`fetch was answered with error ${error}`))
            // Some brokers cut the last batch short to fill an answer: it comes again, whole, and counts then.
            const batches = Math.floor((size - headBytes) / load.payload.batch.length)
            bytes += batches * load.payload.batch.length
            offset = batches === 0 ? 0 : offset + batches * load.payload.records
            if (bytes >= load.bytes) resolve()
            else fetch()
          }
          const fetch = () => {
            connection.send(fetchFrame({ ...load, partition, offset, maxWaitMs: 0 }), onAnswer)
          }
          fetch()
        }),
    ),
  )
  const seconds = (performance.now() - begun) / 1000
  for (const connection of connections) connection.close()
  return { seconds, bytes, records: Math.floor((bytes / load.payload.batch.length) * load.payload.records) }
}
