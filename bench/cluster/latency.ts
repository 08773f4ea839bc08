/** From the moment a batch was due to its acknowledgement, and to its arrival at a consumer, with three replicas of each. */
import { LoadConnection } from '../load/connection.ts'
import { readyTopic, spreadThroughput } from '../load/leaders.ts'
import { flushes, payload } from '../load/topic.ts'
import { pacedWorkloads } from '../paced-workloads.ts'
import type { Suite } from '../report.ts'
import { Brokers } from './brokers.ts'

const wanted = [
  { to: 'producer', flush: 'synced', partitions: 1 },
  { to: 'consumer', flush: 'synced', partitions: 1 },
  { to: 'producer', flush: 'unsynced', partitions: 1 },
  { to: 'consumer', flush: 'unsynced', partitions: 1 },
] as const
const replicas = 3
/** Of young brokers one measures V8's compiler. */
const warmBytes = 400e6

export const latency: Suite = async ({ isQuick }) => {
  const cluster = await Brokers.start(replicas)
  try {
    const control = await LoadConnection.open(cluster.bootstrap)
    const load = { topic: 'load', partitions: 6, acks: -1, payload: payload(1024, 65_536) } as const
    const configs = { 'flush.messages': flushes.unsynced }
    const led = await readyTopic(control, { ...load, replicas, configs }, load.payload)
    await spreadThroughput(load, led, (isQuick ? warmBytes / 2 : warmBytes) / load.payload.batch.length)
    const rows = await pacedWorkloads(control, replicas, wanted, isQuick)
    control.close()
    return rows
  } finally {
    await cluster.stop()
  }
}
