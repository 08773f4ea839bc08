/** From the moment a batch was due to its arrival at a consumer, at a rate that both hold. */
import { pacedDelays } from '../load/paced.ts'
import { inTurns } from '../load/sample.ts'
import type { Row, Suite } from '../report.ts'
import { smallerRow } from './comparison.ts'
import { type Peers, withPeers } from './peer.ts'

const loads = [
  { flush: 'unsynced', batchBytes: 40_000, perSecond: 250 },
  { flush: 'synced', batchBytes: 10_000, perSecond: 200 },
] as const

export const latency =
  (peers: Peers): Suite =>
  async ({ isQuick }) =>
    await withPeers(peers, 1, async (ours, theirs) => {
      const rows: Row[] = []
      const seconds = isQuick ? 2 : 4
      for (const load of loads) {
        const wanted = { ...load, to: 'consumer', partitions: 6, replicas: 1 } as const
        const seen = await inTurns(isQuick ? 1 : 5, {
          lograft: () => pacedDelays(ours.control, wanted, seconds),
          kafka: () => pacedDelays(theirs.control, wanted, seconds),
        })
        const rate = (load.batchBytes * load.perSecond) / 1e6
        const work = `end to end, ${load.flush}, ${rate} MB/s of 1 KiB records in ${load.batchBytes / 1000} kB`
        rows.push(smallerRow(`${work}, p50`, seen, 'p50', 'ms', 0.5))
        rows.push(smallerRow(`${work}, p99`, seen, 'p99', 'ms', 0.5))
      }
      return rows
    })
