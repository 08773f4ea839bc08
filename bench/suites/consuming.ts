/** Consuming a log that lies in the page cache. */
import { consumeThroughput } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { medianOf, type Sample, sampleOf } from '../load/sample.ts'
import { dropTopic, flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { forgetPeak } from '../usage.ts'
import { type WarmBroker, withWarmBroker } from '../warm-broker.ts'

const topic = 'read'
const partitions = 3

export const consuming: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async (warm) => {
    const rows: Row[] = []
    for (const recordBytes of [100, 1024]) {
      for (const fetchBytes of [65_536, 1_048_576])
        rows.push(await measure(warm, { recordBytes, fetchBytes, isQuick }))
    }
    return rows
  })

async function measure(
  { broker, bootstrap, control }: WarmBroker,
  { recordBytes, fetchBytes, isQuick }: { recordBytes: number; fetchBytes: number; isQuick: boolean },
): Promise<Row> {
  await makeTopic(control, topic, partitions, { 'flush.messages': flushes.unsynced })
  const load = { bootstrap, topic, partitions, payload: payload(recordBytes, 65_536) }
  const stored = isQuick ? 100e6 : 300e6
  await produceThroughput({ ...load, acks: -1, connections: partitions, inFlight: 5, bytes: stored })
  const read = { ...load, fetchBytes, bytes: isQuick ? 300e6 : 1.5e9 }
  await consumeThroughput({ ...read, bytes: read.bytes / 10 })
  forgetPeak([broker.pid])
  const samples: Sample[] = []
  for (let left = isQuick ? 1 : 3; left > 0; left--)
    samples.push(await sampleOf([broker.pid], () => consumeThroughput(read)))
  await dropTopic(control, topic)
  const cpu = medianOf(samples, 'cpuPerGigabyte')
  return {
    'record B': recordBytes,
    'fetch B': fetchBytes,
    'MB/s': Math.round(medianOf(samples, 'megabytesPerSecond')),
    'cpu s/GB': cpu.toFixed(2),
    'MB/s a core': Math.round(1000 / cpu),
    'peak MB': Math.round(broker.memory().peak),
  }
}
