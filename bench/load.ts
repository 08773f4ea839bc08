import { randomUUID } from 'node:crypto'
import { argumentsOf } from './arguments.ts'
import { LoadConnection } from './load/connection.ts'
import { consumeThroughput } from './load/consume.ts'
import { endToEnd } from './load/end-to-end.ts'
import { readyTopic, spreadThroughput } from './load/leaders.ts'
import { type Sample, sampleOf } from './load/sample.ts'
import { dropTopic, flushes, payload } from './load/topic.ts'
import { type Row, tableOf } from './report.ts'
import { memoryOf } from './usage.ts'

const usage = `
The load by itself, on any broker that speaks Kafka's protocol; with its process's id, its CPU time and memory, too.

    npm run bench:load -- --bootstrap 127.0.0.1:9092 --pid 4711
    npm run bench:load -- --bootstrap 127.0.0.1:9092 --record 100 --batch 1000000 --flush synced --acks 1 --megabytes 2000

Makes a topic, produces, reads it, measures the delay from end to end at --rate batches a second of 10 kB; drops the topic.
`

const values = argumentsOf(usage, {
  bootstrap: { type: 'string' },
  pid: { type: 'string', multiple: true, default: [] },
  record: { type: 'string', default: '1024' },
  batch: { type: 'string', default: '65536' },
  fetch: { type: 'string', default: '1048576' },
  partitions: { type: 'string', default: '6' },
  replicas: { type: 'string', default: '1' },
  acks: { type: 'string', default: 'all' },
  flush: { type: 'string', default: 'unsynced' },
  megabytes: { type: 'string', default: '500' },
  rate: { type: 'string', default: '500' },
})
const { bootstrap, flush } = values
if (bootstrap === undefined) throw new Error('say where the broker is: --bootstrap HOST:PORT')
if (flush !== 'synced' && flush !== 'unsynced') throw new Error('--flush is synced or unsynced')
if (values.acks !== 'all' && values.acks !== '1')
  throw new Error('--acks is 1 or all: the load counts answers')

const pids = values.pid.map(Number)
const bytes = Number(values.megabytes) * 1e6
const topic = `load-${randomUUID().slice(0, 8)}`
const partitions = Number(values.partitions)
const acks = values.acks === '1' ? 1 : -1
const batch = payload(Number(values.record), Number(values.batch))
const load = { topic, partitions, acks, payload: batch } as const

const control = await LoadConnection.open(bootstrap)
const configs = { 'flush.messages': flushes[flush] }
const led = await readyTopic(control, { ...load, replicas: Number(values.replicas), configs }, batch)
const rows: Row[] = []
const batches = bytes / batch.batch.length
rows.push(rowOf('produce', await sampleOf(pids, () => spreadThroughput(load, led, batches))))
// Partitions of a cluster are read at the brokers that lead them; one of them is enough to see what reading costs.
if (led.length === 1) {
  const read = { ...load, bootstrap, bytes, fetchBytes: Number(values.fetch) }
  rows.push(rowOf('consume', await sampleOf(pids, () => consumeThroughput(read))))
}
process.stdout.write(`${tableOf(rows)}\n`)
if (led.length === 1) {
  const rate = Number(values.rate)
  const small = { ...load, payload: payload(Number(values.record), 10_000), bootstrap }
  const histogram = await endToEnd({ ...small, intervalMs: 1000 / rate, count: rate * 5 })
  const at = (percentile: number) => (histogram.percentile(percentile) / 1e6).toFixed(2)
  process.stdout.write(`end to end: p50 ${at(50)} ms, p99 ${at(99)} ms, p99.9 ${at(99.9)} ms\n`)
}
if (pids.length > 0) process.stdout.write(`peak memory: ${Math.round(memoryOf(pids).peak)} MB\n`)
await dropTopic(control, topic)
control.close()

function rowOf(work: string, sample: Sample): Row {
  return {
    work,
    'MB/s': Math.round(sample.megabytesPerSecond),
    'records/s': Math.round(sample.recordsPerSecond),
    'cpu s/GB': pids.length === 0 ? '' : sample.cpuPerGigabyte.toFixed(2),
    'of that system': pids.length === 0 ? '' : sample.systemPerGigabyte.toFixed(2),
  }
}
