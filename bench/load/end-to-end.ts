/** From the moment a batch was due to its arrival at a consumer that waits for it, at a fixed rate. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import type { LoadConnection } from './connection.ts'
import { answerOf, fetchFrame } from './consume.ts'
import { type ProduceLoad, produceLatency } from './produce.ts'
import { openConnections } from './rotation.ts'

const waitMs = 500
const fetchBytes = 1_048_576

/**
 * A producer and a consumer, or several, with a connection for each partition; a consumer asks again as soon as it is answered. Nobody
 * else writes the topic. What arrives counts for each consumer.
 */
export async function endToEnd(
  load: Omit<ProduceLoad, 'connections' | 'indexes'> & {
    readonly intervalMs: number
    readonly count: number
    readonly consumers?: number
  },
): Promise<RecordableHistogram> {
  const histogram = createHistogram()
  const { errorAt, headBytes } = answerOf(load.topic)
  const dues: number[][] = Array.from({ length: load.partitions }, () => [])
  const consumers = load.consumers ?? 1
  const connections = await openConnections(load.bootstrap, load.partitions * consumers)
  const ends = await Promise.all(
    connections.slice(0, load.partitions).map((one, partition) => endOf(one, load.topic, partition)),
  )
  let arrived = 0
  const all = new Promise<void>((resolve, reject) => {
    for (const [n, connection] of connections.entries()) {
      connection.onFault = reject
      const partition = n % load.partitions
      const end = ends[partition] ?? 0
      let got = 0
      const fetch = () => {
        const offset = end + got * load.payload.records
        const { topic } = load
        connection.send(fetchFrame({ topic, partition, offset, fetchBytes, maxWaitMs: waitMs }), onAnswer)
      }
      const onAnswer = (head: Buffer, size: number) => {
        const now = performance.now()
        const error = head.readInt16BE(errorAt)
        if (error !== 0) reject(new Error(`fetch was answered with error ${error}`))
        for (
          let batches = Math.floor((size - headBytes) / load.payload.batch.length);
          batches > 0;
          batches--
        ) {
          const due = dues[partition]?.[got++] ?? Number.NaN
          histogram.record(Math.max(1, Math.round((now - due) * 1e6)))
          arrived++
        }
        if (arrived === load.count * consumers) resolve()
        else fetch()
      }
      fetch()
    }
  })
  await Promise.all([
    all,
    produceLatency({ ...load, connections: load.partitions }, (n, due) =>
      dues[n % load.partitions]?.push(due),
    ),
  ])
  for (const connection of connections) connection.close()
  return histogram
}

async function endOf(connection: LoadConnection, name: string, partitionIndex: number): Promise<number> {
  const partitions = [{ partitionIndex, timestamp: -1 }]
  const answer = await connection.ask(ListOffsets, 5, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions }],
  })
  const { errorCode, offset } = answer.topics[0]?.partitions[0] ?? { errorCode: -1, offset: -1 }
  if (errorCode !== 0) throw new Error(`the end of ${name}-${partitionIndex}: error ${errorCode}`)
  return offset
}
