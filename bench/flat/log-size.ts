/** The same work at the end, and in the middle, of logs of 10 MB to 10 GB; and how long a start takes with them. */
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { BrokerProcess } from '../broker-process.ts'
import { coolDown, syncLogs } from '../load/cold.ts'
import { LoadConnection } from '../load/connection.ts'
import { answerOf, fetchFrame } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { openConnections, rotate, rotatingFrames } from '../load/rotation.ts'
import { makeTopic, payload } from '../load/topic.ts'
import { warmUp } from '../load/warm.ts'
import type { Row } from '../report.ts'
import { aim, append, batch, hangUp, type Site, unsynced } from './batches.ts'
import { type Cost, growthRows } from './row.ts'
import { start } from './start.ts'

const topic = 'flat'
const connections = 6
const stored = payload(1024, 65_536)
/** Reads between two coolings: the system reads some way ahead, and in the smallest log soon knows everything. */
const readsAtOnce = 10
/** More than what a broker keeps in memory of the batches that came last. */
const hotBytes = 64e6

export async function overLogSize(isQuick: boolean): Promise<Row[]> {
  const sites: Site[] = []
  for (const megabytes of sizesOf(isQuick)) sites.push(await siteOf(megabytes, isQuick))
  const axis = 'log MB'
  const rounds = isQuick ? 1 : 3
  const rows = await growthRows({ what: 'append', axis, ...aim, rounds }, sites, (site) =>
    append(site, 2_000),
  )
  for (const { broker } of sites) await displaceHot(broker)
  const reads = { what: 'read 64 KiB anywhere, cold', axis, ...aim, rounds }
  rows.push(...(await growthRows(reads, sites, (site) => readCold(site, isQuick ? 10 : 40))))
  for (const site of sites) {
    hangUp(site)
    await site.broker.stop({ keepData: true })
  }
  const startCold = (site: Site) => {
    coolDown(site.broker.folder)
    return start(site)
  }
  const starts = { what: 'start, cold', axis, unit: 'ms', atMost: aim.atMost, rounds }
  rows.push(...(await growthRows(starts, sites, startCold)))
  for (const { broker } of sites) broker.removeData()
  return rows
}

/** Megabytes; no larger than half of what is free. */
function sizesOf(isQuick: boolean): number[] {
  const { bavail, bsize } = statfsSync(tmpdir())
  return (isQuick ? [10, 100] : [10, 100, 1_000, 10_000]).filter((size) => size * 2e6 < bavail * bsize)
}

async function siteOf(megabytes: number, isQuick: boolean): Promise<Site> {
  const broker = await BrokerProcess.start()
  await warmUp(broker, { isQuick })
  const control = await LoadConnection.open(broker.bootstrap)
  await makeTopic(control, topic, 1, unsynced)
  control.close()
  const load = { bootstrap: broker.bootstrap, topic, partitions: 1, acks: -1, payload: stored } as const
  await produceThroughput({ ...load, connections, inFlight: 5, bytes: megabytes * 1e6 })
  syncLogs(broker.folder)
  const open = await openConnections(broker.bootstrap, connections)
  return { size: megabytes, broker, connections: open, ...rotatingFrames([topic], 1, batch) }
}

async function displaceHot({ bootstrap }: BrokerProcess): Promise<void> {
  const control = await LoadConnection.open(bootstrap)
  await makeTopic(control, 'other', 1, unsynced)
  control.close()
  const load = { bootstrap, topic: 'other', partitions: 1, acks: -1, payload: stored } as const
  await produceThroughput({ ...load, connections: 1, inFlight: 5, bytes: hotBytes })
}

/** One batch a request, one request after the other; no place twice between two coolings. */
async function readCold({ size, broker, connections }: Site, times: number): Promise<Cost> {
  const batches = Math.floor((size * 1e6) / stored.batch.length)
  const { errorAt } = answerOf(topic)
  let [cpu, seconds] = [0, 0]
  for (let left = times; left > 0; left--) {
    const places = new Set<number>()
    while (places.size < readsAtOnce) places.add(Math.floor(Math.random() * batches))
    const frames = [...places].map((place) =>
      fetchFrame({ topic, partition: 0, offset: place * stored.records, fetchBytes: 1, maxWaitMs: 0 }),
    )
    coolDown(broker.folder)
    const before = broker.cpuSeconds()
    seconds += await rotate({ connections, frames, errorAt, inFlight: 1, count: readsAtOnce })
    cpu += broker.cpuSeconds() - before
  }
  const reads = times * readsAtOnce
  return {
    cost: (cpu / reads) * 1e6,
    speed: (reads * stored.batch.length) / 1e6 / seconds,
    memory: broker.memory().now,
  }
}
