/** Reading a log that lies in the page cache, from its beginning to its end. */
import { consumeThroughput } from '../load/consume.ts'
import { readyTopic, spreadThroughput } from '../load/leaders.ts'
import { inTurns, sampleOf } from '../load/sample.ts'
import { dropTopic, flushes, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { throughputRow } from './comparison.ts'
import { type Measured, type Peers, withPeers } from './peer.ts'

const topic = 'read'
const partitions = 3
const fetchBytes = 1_048_576

export const consuming =
  (peers: Peers): Suite =>
  async ({ isQuick }) =>
    await withPeers(peers, 1, async (ours, theirs) => {
      const stored = isQuick ? 60e6 : 300e6
      const bytes = isQuick ? 300e6 : 2e9
      const rows: Row[] = []
      for (const recordBytes of [1024, 100]) {
        for (const batchBytes of [65_536, 1_000_000]) {
          const batch = payload(recordBytes, batchBytes)
          const load = { topic, partitions, payload: batch, fetchBytes, bytes }
          const fill = async ({ control }: Measured) => {
            const configs = { 'flush.messages': flushes.unsynced }
            const led = await readyTopic(control, { ...load, replicas: 1, configs }, batch)
            await spreadThroughput({ ...load, acks: -1 }, led, stored / batch.batch.length)
          }
          await fill(ours)
          await fill(theirs)
          const read = ({ bootstrap, pids }: Measured) =>
            sampleOf(pids, () => consumeThroughput({ ...load, bootstrap }))
          const seen = await inTurns(isQuick ? 1 : 3, {
            lograft: () => read(ours),
            kafka: () => read(theirs),
          })
          const work = `fetch of ${fetchBytes} B, ${recordBytes} B in ${batchBytes / 1000} kB`
          rows.push(throughputRow(work, seen, { speed: 1, cpu: 1.2 }))
          await dropTopic(ours.control, topic)
          await dropTopic(theirs.control, topic)
        }
      }
      return rows
    })
