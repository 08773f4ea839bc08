/** Produce load with acks=0, which no broker answers. */
import { LoadConnection } from './connection.ts'
import { type ProduceLoad, produceErrorAt, produceFrame, type Throughput } from './produce.ts'

/**
 * One connection a partition, each as fast as its socket takes it. The last batch of each asks for an answer: it comes after all that
 * went before, and its offset tells that nothing was lost. The topic holds one batch a partition, and nobody else writes it.
 * @throws when something was lost
 */
export async function produceUnanswered(
  load: Omit<ProduceLoad, 'connections'> & { readonly bytes: number },
): Promise<Throughput> {
  const { partitions, payload } = load
  const each = Math.ceil(load.bytes / payload.batch.length / partitions)
  const connections = await Promise.all(
    Array.from({ length: partitions }, () => LoadConnection.open(load.bootstrap)),
  )
  const begun = performance.now()
  await Promise.all(connections.map((connection, partition) => sendAll(connection, partition, each, load)))
  const seconds = (performance.now() - begun) / 1000
  for (const connection of connections) connection.close()
  const batches = each * partitions
  return { seconds, bytes: batches * payload.batch.length, records: batches * payload.records }
}

async function sendAll(
  connection: LoadConnection,
  partition: number,
  count: number,
  load: Pick<ProduceLoad, 'topic' | 'payload'>,
): Promise<void> {
  const frame = produceFrame({ ...load, acks: 0 }, partition)
  for (let left = count - 1; left > 0; left--) {
    if (!connection.sendUnanswered(frame)) await connection.drained()
  }
  const head = await new Promise<Buffer>((resolve, reject) => {
    connection.onFault = reject
    connection.send(produceFrame({ ...load, acks: 1 }, partition), resolve)
  })
  const errorAt = produceErrorAt(load.topic)
  const error = head.readInt16BE(errorAt)
  const offset = Number(head.readBigInt64BE(errorAt + 2))
  if (error !== 0 || offset !== count * load.payload.records)
    throw new Error(`${load.topic}-${partition}: error ${error}, the last of ${count} batches at ${offset}`)
}
