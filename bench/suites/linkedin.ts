/**
 * LinkedIn's set of 2014: records of 100 B on 6 partitions, from one producer and from three, acks=1; in batches of 8 KiB, as there, and of
 * 64 KiB. Three replicas: `npm run bench:cluster`.
 */
import { payload } from '../load/topic.ts'
import type { Suite } from '../report.ts'
import { type Workload, workloads } from '../workloads.ts'

const list = [8_192, 65_536].flatMap((batchBytes) =>
  [1, 3].map(
    (producers): Workload => ({
      shown: { producers, 'batch B': batchBytes },
      payload: payload(100, batchBytes),
      partitions: 6,
      connections: producers,
      inFlight: 5,
      acks: 1,
      flush: 'unsynced',
      ...(producers === 1 && { aim: 2_000_000 }),
    }),
  ),
)

export const linkedin: Suite = workloads(list, 200e6)
