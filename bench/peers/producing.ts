/** Producing with batches made beforehand: one broker, or three that keep every record three times. */
import { readyTopic, spreadThroughput } from '../load/leaders.ts'
import { inTurns, type Sample, sampleOf } from '../load/sample.ts'
import { flushes, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { type Aims, throughputRow } from './comparison.ts'
import { type Measured, type Peers, withPeers } from './peer.ts'

const partitions = 6
/** A turn of them is over before anything is in its stride: so many times the bytes. */
const large = { batchBytes: 500_000, times: 3 }

interface Case {
  readonly brokers: 1 | 3
  readonly acks: 1 | -1
  readonly flush: keyof typeof flushes
  readonly recordBytes: number
  readonly batchBytes: number
  readonly bytes: number
}

interface Comparison {
  readonly brokers: 1 | 3
  readonly bytes: number
  readonly batchBytes: readonly number[]
  readonly kinds: readonly (Pick<Case, 'acks' | 'flush'> & { readonly aims: Aims })[]
}

/** Both without forced flush, then both with a flush of each batch before it is acknowledged. */
export const producing = (peers: Peers): Suite =>
  comparing(peers, {
    brokers: 1,
    bytes: 400e6,
    batchBytes: [65_536, 1_000_000],
    kinds: [
      { acks: -1, flush: 'unsynced', aims: { speed: 1.5, cpu: 0.6 } },
      { acks: -1, flush: 'synced', aims: { speed: 2, cpu: 0.6 } },
    ],
  })

export const replicating = (peers: Peers): Suite =>
  comparing(peers, {
    brokers: 3,
    bytes: 150e6,
    batchBytes: [65_536],
    kinds: [
      { acks: -1, flush: 'unsynced', aims: { speed: 3, cpu: 0.33 } },
      { acks: 1, flush: 'unsynced', aims: { speed: 1, cpu: 1 } },
    ],
  })

/** Brokers of their own for each kind: topics stay, and the disk has room for those of one. */
function comparing(peers: Peers, { brokers, bytes, batchBytes, kinds }: Comparison): Suite {
  return async ({ isQuick }) => {
    const turnBytes = isQuick ? bytes / 6 : bytes
    const rows: Row[] = []
    for (const { aims, ...kind } of kinds) {
      await withPeers(peers, brokers, async (ours, theirs) => {
        // A JVM is as fast as it gets after a gigabyte or so.
        const warming = { acks: -1, flush: 'unsynced', recordBytes: 1024, batchBytes: 65_536 } as const
        for (const peer of [ours, theirs]) await produced(peer, { ...warming, brokers, bytes: turnBytes * 4 })
        for (const recordBytes of [1024, 100]) {
          for (const batch of batchBytes) {
            const amount = turnBytes * (batch < large.batchBytes ? 1 : large.times)
            const wanted = { brokers, ...kind, recordBytes, batchBytes: batch, bytes: amount }
            const seen = await inTurns(isQuick ? 1 : 5, {
              lograft: () => produced(ours, wanted),
              kafka: () => produced(theirs, wanted),
            })
            rows.push(throughputRow(nameOf(wanted), seen, aims))
          }
        }
      })
    }
    return rows
  }
}

let topics = 0

async function produced({ control, pids }: Measured, wanted: Case): Promise<Sample> {
  const topic = `load-${topics++}`
  const load = {
    topic,
    partitions,
    acks: wanted.acks,
    payload: payload(wanted.recordBytes, wanted.batchBytes),
  }
  const configs = { 'flush.messages': flushes[wanted.flush] }
  const led = await readyTopic(control, { ...load, replicas: wanted.brokers, configs }, load.payload)
  const batches = wanted.bytes / load.payload.batch.length
  await spreadThroughput(load, led, batches / 20)
  return await sampleOf(pids, () => spreadThroughput(load, led, batches))
}

function nameOf({ brokers, acks, flush, recordBytes, batchBytes }: Case): string {
  const of = brokers === 1 ? '' : `${brokers} brokers, `
  return `${of}${flush}, acks=${acks === -1 ? 'all' : acks}, ${recordBytes} B in ${batchBytes / 1000} kB`
}
