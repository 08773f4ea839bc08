/** Several consumers of one partition: each gets what is produced at a fixed rate, and each reads a whole log as fast as it can. */
import { consumeThroughput } from '../load/consume.ts'
import { endToEnd } from '../load/end-to-end.ts'
import type { Throughput } from '../load/produce.ts'
import { produceThroughput } from '../load/produce.ts'
import { medianOf, type Sample, sampleOf } from '../load/sample.ts'
import { dropTopic, flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { forgetPeak } from '../usage.ts'
import { type WarmBroker, withWarmBroker } from '../warm-broker.ts'

/** 2 MB/s: what a hundred consumers make of it goes through one core. */
const perSecond = 50
const live = payload(1024, 40_000)
const stored = payload(1024, 65_536)
const one = { topic: 'fan-out', partitions: 1, acks: -1 } as const

export const fanout: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async (warm) => {
    const rows: Row[] = []
    for (const consumers of [1, 10, 100]) rows.push(await following(warm, consumers, isQuick ? 2 : 10))
    for (const consumers of [1, 10, 100]) rows.push(await catchingUp(warm, consumers, isQuick))
    return rows
  })

async function following(warm: WarmBroker, consumers: number, seconds: number): Promise<Row> {
  const { broker, bootstrap, control } = warm
  await makeTopic(control, one.topic, 1, { 'flush.messages': flushes.unsynced })
  const load = { ...one, bootstrap, payload: live, consumers, intervalMs: 1000 / perSecond }
  await endToEnd({ ...load, count: perSecond })
  forgetPeak([broker.pid])
  const count = perSecond * seconds
  let delays: number[] = []
  const sample = await sampleOf([broker.pid], async (): Promise<Throughput> => {
    const begun = performance.now()
    const histogram = await endToEnd({ ...load, count })
    delays = [50, 99].map((percentile) => histogram.percentile(percentile) / 1e6)
    const batches = count * consumers
    const took = (performance.now() - begun) / 1000
    return { seconds: took, bytes: batches * live.batch.length, records: batches * live.records }
  })
  await dropTopic(control, one.topic)
  return rowOf('following 2 MB/s', consumers, [sample], broker.memory().peak, delays)
}

async function catchingUp(warm: WarmBroker, consumers: number, isQuick: boolean): Promise<Row> {
  const { broker, bootstrap, control } = warm
  await makeTopic(control, one.topic, 1, { 'flush.messages': flushes.unsynced })
  const load = { ...one, bootstrap, payload: stored }
  await produceThroughput({ ...load, connections: 1, inFlight: 5, bytes: 100e6 })
  forgetPeak([broker.pid])
  const samples: Sample[] = []
  const read = { ...load, fetchBytes: 1_048_576, readers: consumers, bytes: isQuick ? 200e6 : 1e9 }
  for (let left = isQuick ? 1 : 3; left > 0; left--)
    samples.push(await sampleOf([broker.pid], () => consumeThroughput(read)))
  await dropTopic(control, one.topic)
  return rowOf('catching up', consumers, samples, broker.memory().peak)
}

function rowOf(
  work: string,
  consumers: number,
  samples: readonly Sample[],
  peak: number,
  delays: readonly number[] = [],
): Row {
  return {
    work,
    consumers,
    'MB/s out': Math.round(medianOf(samples, 'megabytesPerSecond')),
    'cpu s/GB out': medianOf(samples, 'cpuPerGigabyte').toFixed(2),
    'behind p50 ms': delays[0]?.toFixed(2) ?? '',
    'behind p99 ms': delays[1]?.toFixed(2) ?? '',
    'peak MB': Math.round(peak),
  }
}
