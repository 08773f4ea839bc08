/** From the moment a batch was due to its acknowledgement, at a fixed rate that the broker holds easily. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { produceLatency } from '../load/produce.ts'
import { makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'

export const latency: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  const seconds = isQuick ? 3 : 10
  const perSecond = 1000
  for (const [flush, flushMessages] of [
    ['synced', '1'],
    ['unsynced', '9223372036854775807'],
  ] as const) {
    for (const recordBytes of [100, 1024]) {
      const broker = await BrokerProcess.start()
      const control = await LoadConnection.open(broker.bootstrap)
      await makeTopic(control, 'load', 6, { 'flush.messages': flushMessages })
      const load = {
        bootstrap: broker.bootstrap,
        topic: 'load',
        partitions: 6,
        acks: -1,
        // 10 MB/s: a batch of 10 kB every millisecond.
        payload: payload(recordBytes, 10_000),
        connections: 6,
        intervalMs: 1000 / perSecond,
      } as const
      await produceLatency({ ...load, count: perSecond * 2 })
      const histogram = await produceLatency({ ...load, count: perSecond * seconds })
      const milliseconds = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(2)
      rows.push({
        'record B': recordBytes,
        'batches/s': perSecond,
        'MB/s': ((load.payload.batch.length * perSecond) / 1e6).toFixed(1),
        acks: 'all',
        flush,
        'p50 ms': milliseconds(histogram.percentile(50)),
        'p99 ms': milliseconds(histogram.percentile(99)),
        'p99.9 ms': milliseconds(histogram.percentile(99.9)),
        'max ms': milliseconds(histogram.max),
      })
      control.close()
      await broker.stop()
    }
  }
  return rows
}
