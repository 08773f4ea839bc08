/**
 * lograft beside NATS JetStream: one stream in a file, one replica, messages of 128 B published asynchronously. First both leave it to
 * the system when the disk gets them, then both have each on the disk before it is acknowledged.
 */
import { inTurns, medianOf, type Sample, sampleOf } from '../load/sample.ts'
import type { Row, Suite } from '../report.ts'
import { memoryOf } from '../usage.ts'
import { NatsConnection } from './nats-connection.ts'
import { publishThroughput } from './nats-load.ts'
import { type Flush, type Load, oneByOne, prebuilt } from './nats-lograft.ts'
import { type NatsServer, startNats } from './nats-server.ts'
import { type Measured, startLograft, withPeer } from './peer.ts'

const recordBytes = 128
/** Our records per second to theirs, when neither waits for the disk. */
const aims = { unsynced: 5, synced: '' } as const

/** Of a turn: what takes a second or two on two cores. */
const records = {
  unsynced: { nats: 150_000, batches: 2_000_000, client: 600_000 },
  synced: { nats: 1500, batches: 500_000, client: 300_000 },
} as const

interface Contestant {
  readonly pid: number
  readonly load: Load
  readonly records: number
  /** Ratios are to the fastest `nats`, which promises what lograft does; a `hasty nats` promises less. */
  readonly kind: 'lograft' | 'nats' | 'hasty nats'
}

type Contestants = Readonly<Record<string, Contestant>>

interface Measurement extends Sample {
  /** CPU seconds per million records: of what is measured, of that in the system, of this process that loads it. */
  readonly cpu: number
  readonly system: number
  readonly loader: number
  /** Resident when the load is over. */
  readonly megabytes: number
}

export const besideNats =
  (executable: string): Suite =>
  async ({ isQuick }) =>
    await withPeer(startLograft, 1, async (ours) => {
      const rows: Row[] = []
      for (const flush of ['unsynced', 'synced'] as const) {
        const nats = await startNats(executable, flush === 'synced' ? 'always' : '2m')
        try {
          rows.push(...(await sideBySide(ours, nats, flush, isQuick)))
        } finally {
          await nats.stop()
        }
      }
      return rows
    })

async function sideBySide(ours: Measured, nats: NatsServer, flush: Flush, isQuick: boolean): Promise<Row[]> {
  const closing: (() => Promise<void>)[] = []
  const contestants: Contestants = {
    ...(await ofNats(nats, flush)),
    ...(await ofLograft(ours, flush, closing)),
  }
  const runs = Object.entries(contestants).map(([name, one]) => [name, () => measure(one, isQuick)] as const)
  const seen = await inTurns<string, Measurement>(isQuick ? 1 : 3, Object.fromEntries(runs))
  for (const close of closing) await close()
  const kindOf = (name: string) => contestants[name]?.kind
  const theirs = Object.keys(seen).filter((name) => kindOf(name) === 'nats')
  const best = Math.max(...theirs.map((name) => medianOf(seen[name] ?? [], 'recordsPerSecond')))
  return Object.entries(seen).map(([name, samples]) =>
    rowOf(`${flush}, ${name}`, samples, best, kindOf(name) === 'lograft' ? aims[flush] : ''),
  )
}

async function ofNats(nats: NatsServer, flush: Flush): Promise<Contestants> {
  const control = await NatsConnection.open(nats.host, nats.port)
  const makeStream = async (name: string, more: object = {}) => {
    const stream = { name, subjects: [name], storage: 'file', num_replicas: 1, ...more }
    await control.ask(`$JS.API.STREAM.CREATE.${name}`, stream)
  }
  await makeStream('stream')
  if (flush === 'unsynced') await makeStream('unwritten', { persist_mode: 'async' })
  control.close()
  const { host, port, pid } = nats
  const contestant = (connections: number, unacknowledged: number, subject = 'stream'): Contestant => {
    const load = { host, port, subject, connections, unacknowledged, messageBytes: recordBytes }
    return {
      pid,
      load: (messages) => publishThroughput({ ...load, messages }),
      records: records[flush].nats,
      kind: subject === 'stream' ? 'nats' : 'hasty nats',
    }
  }
  const durable = {
    'NATS, 1 client, 500 unacknowledged': contestant(1, 500),
    'NATS, 1 client, 4000 unacknowledged': contestant(1, 4000),
    'NATS, 6 clients, 4000 unacknowledged': contestant(6, 4000),
  }
  if (flush === 'synced') return durable
  // Acknowledged before it is written at all: what the process still holds is lost with it.
  return { ...durable, 'NATS, 1 client, 4000, persist_mode async': contestant(1, 4000, 'unwritten') }
}

async function ofLograft(
  { control, bootstrap, pids }: Measured,
  flush: Flush,
  closing: (() => Promise<void>)[],
): Promise<Contestants> {
  const ours = { pid: pids[0] ?? 0, kind: 'lograft' as const }
  const contestants: Record<string, Contestant> = {}
  for (const [batchBytes, partitions] of [
    [16_384, 1],
    [16_384, 6],
    [65_536, 1],
    [65_536, 6],
  ] as const) {
    const load = await prebuilt(control, flush, { partitions, recordBytes, batchBytes })
    const name = `lograft, batches of ${batchBytes / 1024} KiB, partitions: ${partitions}`
    contestants[name] = { ...ours, load, records: records[flush].batches }
  }
  for (const [unacknowledged, partitions] of [
    [4000, 1],
    [null, 1],
    [null, 6],
  ] as const) {
    const wanted = { partitions, recordBytes, unacknowledged }
    const { load, close } = await oneByOne(control, bootstrap, flush, wanted)
    closing.push(close)
    const bound = unacknowledged === null ? 'as it comes' : `${unacknowledged} unacknowledged`
    const name = `lograft's client, ${bound}, partitions: ${partitions}`
    contestants[name] = { ...ours, load, records: records[flush].client }
  }
  return contestants
}

async function measure({ pid, load, records }: Contestant, isQuick: boolean): Promise<Measurement> {
  let loader = 0
  const sample = await sampleOf([pid], async () => {
    const before = process.cpuUsage()
    const done = await load(isQuick ? records / 5 : records)
    const { user, system } = process.cpuUsage(before)
    loader = (user + system) / done.records
    return done
  })
  const gigabytesPerMillion = (sample.megabytesPerSecond / sample.recordsPerSecond) * 1000
  return {
    ...sample,
    cpu: sample.cpuPerGigabyte * gigabytesPerMillion,
    system: sample.systemPerGigabyte * gigabytesPerMillion,
    loader,
    megabytes: memoryOf([pid]).now,
  }
}

function rowOf(work: string, samples: readonly Measurement[], best: number, aim: number | ''): Row {
  const rates = samples.map(({ recordsPerSecond }) => Math.round(recordsPerSecond))
  const rate = medianOf(samples, 'recordsPerSecond')
  const middle = (key: 'cpu' | 'system' | 'loader') => medianOf(samples, key).toFixed(2)
  return {
    work,
    'records/s': Math.round(rate),
    'from to': `${Math.min(...rates)}-${Math.max(...rates)}`,
    'to nats': (rate / best).toFixed(2),
    'at least': aim,
    'cpu s per million': middle('cpu'),
    'of that system': middle('system'),
    "the load's cpu": middle('loader'),
    MB: Math.round(medianOf(samples, 'megabytes')),
  }
}
