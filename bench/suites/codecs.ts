/** Batches of the same size on the wire from each codec: a broker that looks into none of them spends the same on all. */
import { consumeThroughput } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { inTurns, medianOf, type Sample, sampleOf } from '../load/sample.ts'
import { textPayload } from '../load/text.ts'
import { dropTopic, flushes, makeTopic } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { type WarmBroker, withWarmBroker } from '../warm-broker.ts'

const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const partitions = 6
const batchBytes = 65_536

interface Both {
  readonly produce: number
  readonly produceCpu: number
  readonly consume: number
  readonly consumeCpu: number
}

export const codecs: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async (warm) => {
    const payloads = new Map(codecNames.map((codec) => [codec, textPayload(codec, batchBytes)]))
    const bytes = isQuick ? 60e6 : 250e6
    const turns = [...payloads].map(([codec, one]) => [codec, () => both(warm, one, bytes)] as const)
    const seen: Record<string, Both[]> = await inTurns(isQuick ? 1 : 3, Object.fromEntries(turns))
    return [...payloads].map(([codec, one]): Row => {
      const samples = seen[codec] ?? []
      const [produce, consume] = [medianOf(samples, 'produceCpu'), medianOf(samples, 'consumeCpu')]
      const none = seen.none ?? []
      return {
        codec,
        'batch B': one.batch.length,
        records: one.records,
        'times smaller': (one.plainBytes / one.batch.length).toFixed(1),
        'produce MB/s': Math.round(medianOf(samples, 'produce')),
        'cpu s/GB': produce.toFixed(2),
        'to none': (produce / medianOf(none, 'produceCpu')).toFixed(2),
        'fetch MB/s': Math.round(medianOf(samples, 'consume')),
        'fetch cpu s/GB': consume.toFixed(2),
        'to none ': (consume / medianOf(none, 'consumeCpu')).toFixed(2),
      }
    })
  })

async function both(
  { broker, bootstrap, control }: WarmBroker,
  payload: ReturnType<typeof textPayload>,
  bytes: number,
): Promise<Both> {
  const load = { bootstrap, topic: 'codec', partitions, payload }
  await makeTopic(control, load.topic, partitions, { 'flush.messages': flushes.unsynced })
  const measured = (work: Parameters<typeof sampleOf>[1]): Promise<Sample> => sampleOf([broker.pid], work)
  const produce = await measured(() =>
    produceThroughput({ ...load, acks: -1, connections: partitions, inFlight: 5, bytes }),
  )
  const consume = await measured(() =>
    consumeThroughput({ ...load, fetchBytes: 1_048_576, bytes: bytes * 2 }),
  )
  await dropTopic(control, load.topic)
  return {
    produce: produce.megabytesPerSecond,
    produceCpu: produce.cpuPerGigabyte,
    consume: consume.megabytesPerSecond,
    consumeCpu: consume.cpuPerGigabyte,
  }
}
