/** The settings of OpenMessaging Benchmark: records of 1 KiB on 1, 16 and 100 partitions, in batches of 128 KiB and 1 MiB, acks=all. */
import { payload } from '../load/topic.ts'
import type { Suite } from '../report.ts'
import { type Workload, workloads } from '../workloads.ts'

/** As a producer of four with one connection each would: what grows is only the number of partitions. */
const connections = 4

const list = [131_072, 1_048_576].flatMap((batchBytes) => {
  // A broker takes no batch above a mebibyte by default: a producer fills it as far as that.
  const one = payload(1024, Math.min(batchBytes, 1_048_000))
  return [1, 16, 100].map(
    (partitions): Workload => ({
      shown: { partitions, 'batch B': batchBytes },
      payload: one,
      partitions,
      connections,
      inFlight: 5,
      acks: -1,
      flush: 'unsynced',
    }),
  )
})

export const openmessaging: Suite = workloads(list, 300e6)
