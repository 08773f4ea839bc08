/** From the moment a batch was due to its acknowledgement, and to its arrival at a consumer. */
import { pacedWorkloads } from '../paced-workloads.ts'
import type { Suite } from '../report.ts'
import { withWarmBroker } from '../warm-broker.ts'

const wanted = [
  { to: 'producer', flush: 'synced', partitions: 1 },
  { to: 'consumer', flush: 'synced', partitions: 1 },
  { to: 'consumer', flush: 'synced', partitions: 6 },
  { to: 'producer', flush: 'unsynced', partitions: 1 },
  { to: 'consumer', flush: 'unsynced', partitions: 1 },
  { to: 'consumer', flush: 'unsynced', partitions: 6 },
] as const

export const latency: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async ({ control }) => await pacedWorkloads(control, 1, wanted, isQuick))
