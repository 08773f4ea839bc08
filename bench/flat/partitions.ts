/** The same batches over one partition, and over ten thousand: what an append costs, and how long a start with all of them takes. */
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { openConnections, type RotatingFrames, rotatingFrames } from '../load/rotation.ts'
import { makeTopic, type Payload } from '../load/topic.ts'
import { warmUp } from '../load/warm.ts'
import type { Row } from '../report.ts'
import { append, appendRows, batch, hangUp, type Site, unsynced } from './batches.ts'
import { growthRows } from './row.ts'
import { start } from './start.ts'

/** Larger topics take longer than a client waits. */
const partitionsOfTopic = 1_000
const connections = 6

export async function overPartitions(isQuick: boolean): Promise<Row[]> {
  const sites: Site[] = []
  for (const size of isQuick ? [1, 100, 1_000] : [1, 100, 1_000, 10_000])
    sites.push(await siteOf(size, isQuick))
  // The first batch of a partition makes its files.
  for (const site of sites) await append(site, site.size)
  const axis = 'partitions'
  const rows = await appendRows(axis, sites, ({ size }, of) => framesOf(size, of), isQuick)
  for (const site of sites) {
    hangUp(site)
    await site.broker.stop({ keepData: true })
  }
  rows.push(...(await growthRows({ what: 'start', axis, unit: 'ms', rounds: 1 }, sites, start)))
  for (const { broker } of sites) broker.removeData()
  return rows
}

async function siteOf(size: number, isQuick: boolean): Promise<Site> {
  const broker = await BrokerProcess.start()
  await warmUp(broker, { isQuick })
  const control = await LoadConnection.open(broker.bootstrap)
  const { topics, each } = topicsOf(size)
  for (const topic of topics) await makeTopic(control, topic, each, unsynced)
  control.close()
  const open = await openConnections(broker.bootstrap, connections)
  return { size, broker, connections: open, ...framesOf(size, batch) }
}

function framesOf(size: number, of: Payload): RotatingFrames {
  const { topics, each } = topicsOf(size)
  return rotatingFrames(topics, each, of)
}

function topicsOf(size: number): { topics: string[]; each: number } {
  const each = Math.min(size, partitionsOfTopic)
  const topics = Array.from({ length: size / each }, (_, n) => `flat-${String(n).padStart(2, '0')}`)
  return { topics, each }
}
