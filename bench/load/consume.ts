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
}

/** One connection a partition, one fetch under way on each; a partition read to its end begins again. */
export async function consumeThroughput(load: ConsumeLoad): Promise<Throughput> {
  // correlation, throttle, error, session, topics, name, partitions, index | error | three offsets, aborted, preferred | records
  const errorAt = 4 + 4 + 2 + 4 + 4 + 2 + load.topic.length + 4 + 4
  const headSize = errorAt + 2 + 8 + 8 + 8 + 4 + 4 + 4
  const connections = await Promise.all(
    Array.from({ length: load.partitions }, () => LoadConnection.open(load.bootstrap)),
  )
  let bytes = 0
  const begun = performance.now()
  await Promise.all(
    connections.map(
      (connection, partition) =>
        new Promise<void>((resolve, reject) => {
          connection.onFault = reject
          let offset = 0
          const onAnswer = (head: Buffer, size: number) => {
            const error = head.readInt16BE(errorAt)
            if (error !== 0) reject(new Error(`fetch was answered with error ${error}`))
            const records = size - headSize
            bytes += records
            const batches = Math.floor(records / load.payload.batch.length)
            offset = batches === 0 ? 0 : offset + batches * load.payload.records
            if (bytes >= load.bytes) resolve()
            else fetch()
          }
          const fetch = () => {
            connection.send(
              frameOf(Fetch, version, {
                maxWaitMs: 0,
                minBytes: 1,
                maxBytes: load.fetchBytes,
                topics: [
                  {
                    topic: load.topic,
                    partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: load.fetchBytes }],
                  },
                ],
              }),
              onAnswer,
            )
          }
          fetch()
        }),
    ),
  )
  const seconds = (performance.now() - begun) / 1000
  for (const connection of connections) connection.close()
  return { seconds, bytes, records: Math.floor((bytes / load.payload.batch.length) * load.payload.records) }
}
