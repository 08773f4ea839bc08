/** How long a start takes against the size of the log: after a clean stop, and after kill -9. */
import { once } from 'node:events'
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { produceThroughput } from '../load/produce.ts'
import { makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'

export const recovery: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  for (const bytes of isQuick ? [10e6, 100e6] : [10e6, 100e6, 1.073741824e9]) {
    const broker = await BrokerProcess.start()
    const control = await LoadConnection.open(broker.bootstrap)
    // One segment: the most that a recovery has to read.
    await makeTopic(control, 'load', 1, {
      'flush.messages': '9223372036854775807',
      'segment.bytes': '2147483647',
    })
    const load = { bootstrap: broker.bootstrap, topic: 'load', partitions: 1, payload: payload(1024, 65_536) }
    await produceThroughput({ ...load, acks: -1, connections: 1, inFlight: 8, bytes })
    control.close()
    await broker.stop({ keepData: true })
    const clean = await BrokerProcess.start({}, broker.folder)
    const killed = once(clean.child, 'exit')
    clean.child.kill('SIGKILL')
    await killed
    const dirty = await BrokerProcess.start({}, broker.folder)
    await dirty.stop()
    rows.push({
      'log MB': Math.round(bytes / 1e6),
      'after a clean stop, ms': Math.round(clean.readyMs),
      'after kill -9, ms': Math.round(dirty.readyMs),
    })
  }
  return rows
}
