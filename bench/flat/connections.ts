/** The same batches over one connection, and over five thousand that are all open: what an append costs. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { openConnections, rotatingFrames } from '../load/rotation.ts'
import { makeTopic, type Payload } from '../load/topic.ts'
import { warmUp } from '../load/warm.ts'
import type { Row } from '../report.ts'
import { appendRows, batch, hangUp, type Site, unsynced } from './batches.ts'

const topic = 'flat'
const partitions = 6
const framesOf = (of: Payload) => rotatingFrames([topic], partitions, of)

export async function overConnections(isQuick: boolean): Promise<Row[]> {
  const sites: Site[] = []
  for (const size of isQuick ? [1, 100, 1_000] : [1, 100, 5_000]) {
    const broker = await BrokerProcess.start()
    await warmUp(broker, { isQuick })
    const control = await LoadConnection.open(broker.bootstrap)
    await makeTopic(control, topic, partitions, unsynced)
    control.close()
    const connections = await openConnections(broker.bootstrap, size)
    sites.push({ size, broker, connections, ...framesOf(batch) })
  }
  const rows = await appendRows('connections', sites, (_, of) => framesOf(of), isQuick)
  for (const site of sites) {
    hangUp(site)
    await site.broker.stop()
  }
  return rows
}
