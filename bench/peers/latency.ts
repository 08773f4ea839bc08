/** From the moment a batch was due to its arrival at a consumer, at a rate that both hold. */
import { endToEnd } from '../load/end-to-end.ts'
import { readyTopic } from '../load/leaders.ts'
import { inTurns } from '../load/sample.ts'
import { dropTopic, flushes, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { smallerRow } from './comparison.ts'
import { type Measured, type Peers, withPeers } from './peer.ts'

const topic = 'end-to-end'
const partitions = 6
const loads = [
  { flush: 'unsynced', batchBytes: 40_000, perSecond: 250 },
  { flush: 'synced', batchBytes: 10_000, perSecond: 200 },
] as const

interface Latency {
  readonly p50: number
  readonly p99: number
}

export const latency =
  (peers: Peers): Suite =>
  async ({ isQuick }) =>
    await withPeers(peers, 1, async (ours, theirs) => {
      const rows: Row[] = []
      const seconds = isQuick ? 2 : 8
      for (const load of loads) {
        const seen = await inTurns(isQuick ? 1 : 3, {
          lograft: () => delayed(ours, load, seconds),
          kafka: () => delayed(theirs, load, seconds),
        })
        const rate = (load.batchBytes * load.perSecond) / 1e6
        const work = `end to end, ${load.flush}, ${rate} MB/s of 1 KiB records in ${load.batchBytes / 1000} kB`
        rows.push(smallerRow(`${work}, p50`, seen, 'p50', 'ms', 0.5))
        rows.push(smallerRow(`${work}, p99`, seen, 'p99', 'ms', 0.5))
      }
      return rows
    })

async function delayed(
  { bootstrap, control }: Measured,
  { flush, batchBytes, perSecond }: (typeof loads)[number],
  seconds: number,
): Promise<Latency> {
  const batch = payload(1024, batchBytes)
  const load = { topic, partitions, acks: -1, payload: batch } as const
  const configs = { 'flush.messages': flushes[flush] }
  await readyTopic(control, { ...load, replicas: 1, configs }, batch)
  const histogram = await endToEnd({
    ...load,
    bootstrap,
    intervalMs: 1000 / perSecond,
    count: perSecond * seconds,
  })
  await dropTopic(control, topic)
  return { p50: histogram.percentile(50) / 1e6, p99: histogram.percentile(99) / 1e6 }
}
