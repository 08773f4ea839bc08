/** Producing with pre-built batches, synced (the default) and not; the second is the ceiling of the first. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { produceThroughput } from '../load/produce.ts'
import { dropTopic, flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { median } from '../statistics.ts'

const partitions = 6

export const producing: Suite = async ({ isQuick }) => {
  const bytes = isQuick ? 100e6 : 400e6
  const rounds = isQuick ? 1 : 3
  const rows: Row[] = []
  for (const recordBytes of [100, 1024]) {
    for (const batchBytes of [16_384, 65_536, 1_000_000]) {
      // A B A B: what drifts on this machine drifts for both.
      const seen = { synced: [] as Sample[], unsynced: [] as Sample[] }
      for (let round = 0; round <= rounds; round++) {
        for (const flush of ['synced', 'unsynced'] as const) {
          const sample = await measure(
            recordBytes,
            batchBytes,
            flushes[flush],
            round === 0 ? bytes / 4 : bytes,
          )
          // The first round warms the page cache up.
          if (round > 0) seen[flush].push(sample)
        }
      }
      const of = (samples: Sample[], key: keyof Sample) => median(samples.map((sample) => sample[key]))
      for (const flush of ['unsynced', 'synced'] as const) {
        const samples = seen[flush]
        rows.push({
          'record B': recordBytes,
          'batch B': batchBytes,
          acks: 'all',
          flush,
          'MB/s': Math.round(of(samples, 'megabytesPerSecond')),
          'records/s': Math.round(of(samples, 'recordsPerSecond')),
          'cpu s/GB': of(samples, 'cpuPerGigabyte').toFixed(2),
          'of that system': of(samples, 'systemPerGigabyte').toFixed(2),
          'peak MB': Math.round(of(samples, 'peak')),
          'to unsynced': (
            of(samples, 'megabytesPerSecond') / of(seen.unsynced, 'megabytesPerSecond')
          ).toFixed(2),
        })
      }
    }
  }
  return rows
}

interface Sample {
  readonly megabytesPerSecond: number
  readonly recordsPerSecond: number
  readonly cpuPerGigabyte: number
  readonly systemPerGigabyte: number
  readonly peak: number
}

async function measure(
  recordBytes: number,
  batchBytes: number,
  flushMessages: string,
  bytes: number,
): Promise<Sample> {
  const broker = await BrokerProcess.start()
  const control = await LoadConnection.open(broker.bootstrap)
  await makeTopic(control, 'load', partitions, { 'flush.messages': flushMessages })
  const load = {
    bootstrap: broker.bootstrap,
    topic: 'load',
    partitions,
    acks: -1,
    payload: payload(recordBytes, batchBytes),
    connections: 6,
    inFlight: 5,
  } as const
  await produceThroughput({ ...load, bytes: bytes / 20 })
  const before = broker.cpu()
  const done = await produceThroughput({ ...load, bytes })
  const after = broker.cpu()
  const { peak } = broker.memory()
  await dropTopic(control, 'load')
  control.close()
  await broker.stop()
  const system = after.system - before.system
  const gigabytes = done.bytes / 1e9
  return {
    megabytesPerSecond: done.bytes / 1e6 / done.seconds,
    recordsPerSecond: done.records / done.seconds,
    cpuPerGigabyte: (after.user - before.user + system) / gigabytes,
    systemPerGigabyte: system / gigabytes,
    peak,
  }
}
