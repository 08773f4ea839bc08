/** What an acknowledgement costs: none, from the leader, from all (here the same broker), without a flush and with it. */
import { payload } from '../load/topic.ts'
import type { Suite } from '../report.ts'
import { type Workload, workloads } from '../workloads.ts'

const connections = 6
const one = payload(1024, 65_536)

const list = (['unsynced', 'synced'] as const).flatMap((flush) =>
  ([0, 1, -1] as const).map(
    (acks): Workload => ({
      shown: { acks: acks === -1 ? 'all' : acks, flush },
      payload: one,
      partitions: connections,
      connections,
      inFlight: 5,
      acks,
      flush,
    }),
  ),
)

export const acks: Suite = workloads(list, 300e6)
