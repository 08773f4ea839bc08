/** What partitions cost that nobody uses: CPU and memory of each broker, and how long a cluster full of them takes to start again. */
import { rmSync } from 'node:fs'
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'
import { makeTopic } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { Brokers } from './brokers.ts'

export const idle: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  for (const partitions of isQuick ? [0, 100] : [0, 1_000, 10_000])
    rows.push(await measure(partitions, isQuick))
  return rows
}

async function measure(partitions: number, isQuick: boolean): Promise<Row> {
  const cluster = await Brokers.start(3)
  const control = await LoadConnection.open(cluster.bootstrap)
  const begun = performance.now()
  // Topics of 1,000: one that is larger takes longer than a client waits.
  for (let left = partitions, n = 0; left > 0; left -= 1_000, n++)
    await makeTopic(control, `idle-${n}`, Math.min(1_000, left), {}, 3)
  const createdMs = performance.now() - begun
  control.close()
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  const seconds = isQuick ? 5 : 30
  const before = cluster.cpuSeconds()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const cpu = (cluster.cpuSeconds() - before) / seconds / 3
  const memory = Math.max(...cluster.processes.map((one) => one.memory().now))
  const startMs = await restart(cluster)
  return {
    partitions,
    replicas: partitions * 3,
    'created ms': Math.round(createdMs),
    'cpu % of a core, each broker': (cpu * 100).toFixed(2),
    'memory MB, the largest': Math.round(memory),
    'all stopped and started ms': Math.round(startMs),
  }
}

/** All at once, on what they had; from the signal to the last ready line. */
async function restart(cluster: Brokers): Promise<number> {
  const begun = performance.now()
  await Promise.all(cluster.processes.map((one) => one.stop({ keepData: true })))
  const again = await Promise.all(
    cluster.processes.map((one) => BrokerProcess.start({}, one.folder, cluster.flagsOf(one))),
  )
  const tookMs = performance.now() - begun
  await Promise.all(again.map((one) => one.stop()))
  for (const { folder } of again) rmSync(folder, { recursive: true, force: true })
  return tookMs
}
