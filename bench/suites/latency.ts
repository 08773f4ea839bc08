/**
 * From the moment a batch was due to its acknowledgement, and to its arrival at a consumer, at a fixed rate that the broker holds easily:
 * 10 MB/s, a batch of 10 kB every millisecond.
 */
import type { RecordableHistogram } from 'node:perf_hooks'
import { endToEnd } from '../load/end-to-end.ts'
import { produceLatency } from '../load/produce.ts'
import { dropTopic, flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { type WarmBroker, withWarmBroker } from '../warm-broker.ts'

const perSecond = 1000
const batchBytes = 10_000
const partitions = 6
const percentiles = [50, 90, 99, 99.9] as const

interface Wanted {
  readonly to: 'producer' | 'consumer'
  readonly flush: keyof typeof flushes
  readonly recordBytes: number
}

export const latency: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async (warm) => {
    const rows: Row[] = []
    for (const to of ['producer', 'consumer'] as const) {
      for (const flush of ['synced', 'unsynced'] as const) {
        for (const recordBytes of [100, 1024])
          rows.push(await measure(warm, { to, flush, recordBytes }, isQuick ? 2 : 8))
      }
    }
    return rows
  })

async function measure(
  { bootstrap, control }: WarmBroker,
  { to, flush, recordBytes }: Wanted,
  seconds: number,
): Promise<Row> {
  await makeTopic(control, 'latency', partitions, { 'flush.messages': flushes[flush] })
  const one = payload(recordBytes, batchBytes)
  const load = { bootstrap, topic: 'latency', partitions, acks: -1, payload: one } as const
  const rate = { intervalMs: 1000 / perSecond, connections: partitions }
  const run = (count: number): Promise<RecordableHistogram> =>
    to === 'consumer' ? endToEnd({ ...load, ...rate, count }) : produceLatency({ ...load, ...rate, count })
  await run(perSecond)
  const histogram = await run(perSecond * seconds)
  await dropTopic(control, 'latency')
  const shown = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(2)
  const delays = percentiles.map((at) => [`p${at} ms`, shown(histogram.percentile(at))] as const)
  return {
    to: `the ${to}`,
    'record B': recordBytes,
    acks: 'all',
    flush,
    'MB/s': ((one.batch.length * perSecond) / 1e6).toFixed(1),
    ...Object.fromEntries(delays),
    'max ms': shown(histogram.max),
  }
}
