/** Consuming a log that lies in the page cache. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { consumeThroughput } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { median } from '../statistics.ts'

export const consuming: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  const stored = isQuick ? 100e6 : 300e6
  const read = isQuick ? 300e6 : 1.5e9
  for (const recordBytes of [100, 1024]) {
    for (const fetchBytes of [65_536, 1_048_576]) {
      const broker = await BrokerProcess.start()
      const control = await LoadConnection.open(broker.bootstrap)
      await makeTopic(control, 'load', 3, { 'flush.messages': '9223372036854775807' })
      const load = {
        bootstrap: broker.bootstrap,
        topic: 'load',
        partitions: 3,
        payload: payload(recordBytes, 65_536),
      }
      await produceThroughput({ ...load, acks: -1, connections: 3, inFlight: 5, bytes: stored })
      await consumeThroughput({ ...load, fetchBytes, bytes: read / 10 })
      const speeds: number[] = []
      const cpus: number[] = []
      for (let round = 0; round < (isQuick ? 1 : 3); round++) {
        const before = broker.cpu()
        const done = await consumeThroughput({ ...load, fetchBytes, bytes: read })
        const after = broker.cpu()
        speeds.push(done.bytes / 1e6 / done.seconds)
        cpus.push((after.user + after.system - before.user - before.system) / (done.bytes / 1e9))
      }
      rows.push({
        'record B': recordBytes,
        'fetch B': fetchBytes,
        'MB/s': Math.round(median(speeds)),
        'cpu s/GB': median(cpus).toFixed(2),
        'MB/s a core': Math.round(1000 / median(cpus)),
        'peak MB': Math.round(broker.memory().peak),
      })
      control.close()
      await broker.stop()
    }
  }
  return rows
}
