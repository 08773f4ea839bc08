/** The same batches over one connection, and over five thousand that are all open: what an append costs. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { openConnections, rotatingFrames } from '../load/rotation.ts'
import { makeTopic } from '../load/topic.ts'
import { warmUp } from '../load/warm.ts'
import type { Row } from '../report.ts'
import { aim, append, batch, hangUp, largeBatch, type Site, unsynced } from './batches.ts'
import { growthRows } from './row.ts'

const topic = 'flat'
const partitions = 6

export async function overConnections(isQuick: boolean): Promise<Row[]> {
  const sites: Site[] = []
  for (const size of isQuick ? [1, 100, 1_000] : [1, 100, 5_000]) {
    const broker = await BrokerProcess.start()
    await warmUp(broker, { isQuick })
    const control = await LoadConnection.open(broker.bootstrap)
    await makeTopic(control, topic, partitions, unsynced)
    control.close()
    const connections = await openConnections(broker.bootstrap, size)
    sites.push({ size, broker, connections, ...rotatingFrames([topic], partitions, batch) })
  }
  const count = isQuick ? 2_000 : 20_000
  const appends = { what: 'append', axis: 'connections', ...aim, rounds: isQuick ? 1 : 3 }
  const rows = await growthRows(appends, sites, (site) => append(site, count))
  const large = sites.map((site) => ({ ...site, ...rotatingFrames([topic], partitions, largeBatch) }))
  rows.push(
    ...(await growthRows({ ...appends, what: 'append 64 KiB' }, large, (site) => append(site, count))),
  )
  for (const site of sites) {
    hangUp(site)
    await site.broker.stop()
  }
  return rows
}
