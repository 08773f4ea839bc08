/** What replication costs: three brokers beside one, by acks, sync and size of record. */
import { createHistogram } from 'node:perf_hooks'
import { LoadConnection } from '../load/connection.ts'
import { type ProduceLoad, produceLatency, produceThroughput } from '../load/produce.ts'
import { flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { median } from '../statistics.ts'
import { Brokers, type Led } from './brokers.ts'

const partitions = 6
const batchBytes = 65_536
/** 5 MB/s: well below what any of them carries. */
const latencyLoad = { batchBytes: 10_000, perSecond: 500 }

interface Case {
  readonly brokers: number
  readonly acks: 1 | -1
  readonly flush: keyof typeof flushes
  readonly recordBytes: number
}

interface Sample {
  readonly megabytesPerSecond: number
  readonly recordsPerSecond: number
  readonly cpuPerGigabyte: number
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
        const samples = { 1: [] as Sample[], 3: [] as Sample[] }
        for (let round = 0; round < (isQuick ? 1 : 3); round++) {
          for (const brokers of [1, 3] as const)
            samples[brokers].push(await attempt({ brokers, acks, flush, recordBytes }, isQuick))
        }
        const of = (brokers: 1 | 3, key: keyof Sample) => median(samples[brokers].map((one) => one[key]))
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
async function attempt(wanted: Case, isQuick: boolean): Promise<Sample> {
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

async function measure(cluster: Brokers, wanted: Case, isQuick: boolean): Promise<Sample> {
  const { brokers, acks, flush, recordBytes } = wanted
  const control = await LoadConnection.open(cluster.bootstrap)
  await makeTopic(control, 'load', partitions, { 'flush.messages': flushes[flush] }, brokers)
  const led = await cluster.leaders('load')
  const load = { topic: 'load', partitions, acks, payload: payload(recordBytes, batchBytes) } as const
  const bytes = isQuick ? 50e6 : 200e6
  await throughput(load, led, bytes / 10)
  const before = cluster.cpuSeconds()
  const begun = performance.now()
  const done = await throughput(load, led, bytes)
  const seconds = (performance.now() - begun) / 1000
  // With acks=1 followers still work when the producers have heard: it belongs to the price.
  await settled(cluster)
  const cpu = cluster.cpuSeconds() - before
  const small = { ...load, payload: payload(recordBytes, latencyLoad.batchBytes) }
  await latency(small, led, latencyLoad.perSecond)
  const histogram = await latency(small, led, latencyLoad.perSecond * (isQuick ? 3 : 10))
  control.close()
  const peak = cluster.peakMegabytes()
  return {
    megabytesPerSecond: done.bytes / 1e6 / seconds,
    recordsPerSecond: done.records / seconds,
    cpuPerGigabyte: cpu / (done.bytes / 1e9),
    peak,
    p50: histogram.percentile(50) / 1e6,
    p99: histogram.percentile(99) / 1e6,
  }
}

type Shared = Omit<ProduceLoad, 'bootstrap' | 'indexes' | 'connections'>

/** Each leader gets its share, all at once. */
async function throughput(load: Shared, led: readonly Led[], bytes: number) {
  const parts = await Promise.all(
    led.map(({ bootstrap, indexes }) => {
      const share = indexes.length / load.partitions
      const connections = indexes.length
      return produceThroughput({
        ...load,
        bootstrap,
        indexes,
        connections,
        inFlight: 5,
        bytes: bytes * share,
      })
    }),
  )
  const sum = (key: 'bytes' | 'records') => parts.reduce((total, part) => total + part[key], 0)
  return { bytes: sum('bytes'), records: sum('records') }
}

async function latency(load: Shared, led: readonly Led[], count: number) {
  const all = createHistogram()
  const parts = await Promise.all(
    led.map(({ bootstrap, indexes }) => {
      const share = indexes.length / load.partitions
      const intervalMs = 1000 / (latencyLoad.perSecond * share)
      const connections = indexes.length
      return produceLatency({
        ...load,
        bootstrap,
        indexes,
        connections,
        intervalMs,
        count: Math.ceil(count * share),
      })
    }),
  )
  for (const part of parts) all.add(part)
  return all
}

/** Until nobody has worked for a moment. */
async function settled(cluster: Brokers): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const before = cluster.cpuSeconds()
    await new Promise((resolve) => setTimeout(resolve, 200))
    if (cluster.cpuSeconds() - before < 0.03) return
  }
}
