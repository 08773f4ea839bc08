/** Producing with pre-built batches, synced (the default) and not; the second is the ceiling of the first. */
import { inTurns, medianOf } from '../load/sample.ts'
import { payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { produced, withWarmBroker } from '../warm-broker.ts'

const connections = 6

export const producing: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async (warm) => {
    const bytes = isQuick ? 100e6 : 400e6
    const rows: Row[] = []
    for (const recordBytes of [100, 1024]) {
      for (const batchBytes of [16_384, 65_536, 1_000_000]) {
        const one = payload(recordBytes, batchBytes)
        const load = {
          payload: one,
          partitions: connections,
          connections,
          inFlight: 5,
          acks: -1,
          bytes,
        } as const
        const seen = await inTurns(isQuick ? 1 : 3, {
          unsynced: () => produced(warm, { ...load, flush: 'unsynced' }),
          synced: () => produced(warm, { ...load, flush: 'synced' }),
        })
        for (const flush of ['unsynced', 'synced'] as const) {
          const samples = seen[flush]
          const speed = medianOf(samples, 'megabytesPerSecond')
          rows.push({
            'record B': recordBytes,
            'batch B': batchBytes,
            acks: 'all',
            flush,
            'MB/s': Math.round(speed),
            'records/s': Math.round(medianOf(samples, 'recordsPerSecond')),
            'cpu s/GB': medianOf(samples, 'cpuPerGigabyte').toFixed(2),
            'of that system': medianOf(samples, 'systemPerGigabyte').toFixed(2),
            'peak MB': Math.round(medianOf(samples, 'peak')),
            'to unsynced': (speed / medianOf(seen.unsynced, 'megabytesPerSecond')).toFixed(2),
          })
        }
      }
    }
    return rows
  })
