/** What replication costs: three brokers beside one, by acks, sync and size of record. */
import { LoadConnection } from '../load/connection.ts'
import { readyTopic, spreadLatency, spreadThroughput } from '../load/leaders.ts'
import { type Sample, sampleOf } from '../load/sample.ts'
import { flushes, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { median } from '../statistics.ts'
import { Brokers } from './brokers.ts'

const partitions = 6
const batchBytes = 65_536
/** Of young brokers one measures V8's compiler. */
const warmBytes = 400e6
/** 5 MB/s: well below what any of them carries. */
const latencyLoad = { batchBytes: 10_000, perSecond: 500 }

interface Case {
  readonly brokers: number
  readonly acks: 1 | -1
  readonly flush: keyof typeof flushes
  readonly recordBytes: number
}

interface Measured extends Sample {
  readonly peak: number
  readonly p50: number
  readonly p99: number
}

export const replication: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  for (const recordBytes of [100, 1024]) {
    for (const acks of [1, -1] as const) {
      for (const flush of ['unsynced', 'synced'] as const) {
        // 1 3 1 3: what drifts on this machine drifts for both.
        const samples = { 1: [] as Measured[], 3: [] as Measured[] }
        for (let round = 0; round < (isQuick ? 1 : 3); round++) {
          for (const brokers of [1, 3] as const)
            samples[brokers].push(await attempt({ brokers, acks, flush, recordBytes }, isQuick))
        }
        const of = (brokers: 1 | 3, key: keyof Measured) => median(samples[brokers].map((one) => one[key]))
        for (const brokers of [1, 3] as const) {
          rows.push({
            brokers,
            'record B': recordBytes,
            acks: acks === 1 ? '1' : 'all',
            flush,
            'MB/s': Math.round(of(brokers, 'megabytesPerSecond')),
            'records/s': Math.round(of(brokers, 'recordsPerSecond')),
            'to one': (of(brokers, 'megabytesPerSecond') / of(1, 'megabytesPerSecond')).toFixed(2),
            'cpu s/GB': of(brokers, 'cpuPerGigabyte').toFixed(1),
            'p50 ms': of(brokers, 'p50').toFixed(2),
            'p99 ms': of(brokers, 'p99').toFixed(2),
            'peak MB': Math.round(of(brokers, 'peak')),
          })
        }
      }
    }
  }
  return rows
}

/** A machine that stands still for a second moves leaders, and the load does not follow them. */
async function attempt(wanted: Case, isQuick: boolean): Promise<Measured> {
  for (let left = 2; ; left--) {
    const cluster = await Brokers.start(wanted.brokers)
    try {
      return await measure(cluster, wanted, isQuick)
    } catch (error) {
      if (left === 0) throw error
      process.stderr.write(`once more: ${String(error)}\n`)
    } finally {
      await cluster.stop()
    }
  }
}

async function measure(cluster: Brokers, wanted: Case, isQuick: boolean): Promise<Measured> {
  const { brokers, acks, flush, recordBytes } = wanted
  const control = await LoadConnection.open(cluster.bootstrap)
  const configs = { 'flush.messages': flushes[flush] }
  const load = { topic: 'load', partitions, acks, payload: payload(recordBytes, batchBytes) } as const
  const led = await readyTopic(control, { ...load, replicas: brokers, configs }, load.payload)
  const batches = (isQuick ? 50e6 : 200e6) / batchBytes
  await spreadThroughput(load, led, (isQuick ? warmBytes / 2 : warmBytes) / batchBytes)
  const sample = await sampleOf(cluster.pids, () => spreadThroughput(load, led, batches))
  const small = { ...load, payload: payload(recordBytes, latencyLoad.batchBytes) }
  await spreadLatency(small, led, { ...latencyLoad, seconds: 1 })
  const histogram = await spreadLatency(small, led, { ...latencyLoad, seconds: isQuick ? 3 : 10 })
  control.close()
  return {
    ...sample,
    peak: cluster.peakMegabytes(),
    p50: histogram.percentile(50) / 1e6,
    p99: histogram.percentile(99) / 1e6,
  }
}
