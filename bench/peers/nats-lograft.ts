/** What is measured of lograft beside NATS: batches made beforehand, and its own client that is given records one by one. */
import { Client } from '../../client/client.ts'
import type { Producer } from '../../client/producer.ts'
import type { LoadConnection } from '../load/connection.ts'
import { readyTopic, spreadThroughput } from '../load/leaders.ts'
import type { Throughput } from '../load/produce.ts'
import { flushes, payload } from '../load/topic.ts'

export type Flush = keyof typeof flushes
export type Load = (records: number) => Promise<Throughput>

/** A topic of its own, a connection for each partition with five requests under way. */
export async function prebuilt(
  control: LoadConnection,
  flush: Flush,
  { partitions, recordBytes, batchBytes }: { partitions: number; recordBytes: number; batchBytes: number },
): Promise<Load> {
  const topic = `${flush}-${batchBytes}-${partitions}`
  const batch = payload(recordBytes, batchBytes)
  const configs = { 'flush.messages': flushes[flush] }
  const led = await readyTopic(control, { topic, partitions, replicas: 1, configs }, batch)
  return (records) =>
    spreadThroughput({ topic, partitions, acks: -1, payload: batch }, led, records / batch.records)
}

/** The client as it comes; `unacknowledged` null: as many as its buffer holds. */
export async function oneByOne(
  control: LoadConnection,
  bootstrap: string,
  flush: Flush,
  wanted: { partitions: number; recordBytes: number; unacknowledged: number | null },
): Promise<{ load: Load; close: () => Promise<void> }> {
  const { partitions, recordBytes } = wanted
  const topic = `${flush}-client-${partitions}-${wanted.unacknowledged ?? 'default'}`
  const configs = { 'flush.messages': flushes[flush] }
  await readyTopic(control, { topic, partitions, replicas: 1, configs }, payload(recordBytes, 1024))
  const client = new Client({ bootstrap })
  const producer = client.producer()
  const record = { topic, value: Buffer.alloc(recordBytes, 'x') }
  return {
    load: (records) => produce(producer, record, records, wanted.unacknowledged ?? Infinity),
    close: () => client.close(),
  }
}

async function produce(
  producer: Producer,
  record: { topic: string; value: Buffer },
  count: number,
  unacknowledged: number,
): Promise<Throughput> {
  let settled = 0
  let failed: Error | null = null
  let wake = () => {}
  const done = (error: Error | null) => {
    failed ??= error
    settled++
    wake()
  }
  const begun = performance.now()
  for (let sent = 0; sent < count; sent++) {
    while (sent - settled >= unacknowledged) await new Promise<void>((resolve) => (wake = resolve))
    const room = producer.enqueue(record, done)
    if (room !== undefined) await room
  }
  await producer.flush()
  const seconds = (performance.now() - begun) / 1000
  if (failed !== null) throw failed
  return { seconds, records: count, bytes: count * record.value.length }
}
