import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Table from 'cli-table3'
import { Client } from '../client/client.ts'
import { argumentsOf } from './arguments.ts'
import { BrokerProcess } from './broker-process.ts'
import { type LibraryName, libraryNames } from './clients/libraries.ts'
import { install } from './clients/rdkafka.ts'
import type { Figures, Work } from './clients/worker.ts'
import { writeReport } from './plots/write.ts'
import { median } from './statistics.ts'

const usage = `
This client beside the others, in one run, on one broker: single sends, batched produce, consume, at 100 B and 1 KiB.

    npm run bench:client                                  against a broker of its own
    npm run bench:client -- --bootstrap 127.0.0.1:9092    against any Kafka
    npm run bench:client -- --quick --only consume
    npm run bench:client -- --native /var/tmp/node-rdkafka     beside librdkafka, too: built there, when it is not there yet

Each piece of work runs in a process of its own, in rounds, so that what the machine does meanwhile meets all of them
alike. Read the ratios: a shared machine is as fast as its neighbours let it be.
`

const options = argumentsOf(usage, {
  bootstrap: { type: 'string' },
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  native: { type: 'string' },
})
const native = options.native === undefined ? '' : resolve(options.native)
if (native !== '') await install(native)
const measured = libraryNames.filter((name) => name !== 'rdkafka' || native !== '')
const kinds = ['single', 'batched', 'consume'] as const
const partitions = 4
/** A group of one has nobody to wait for. */
const alone = { 'group.initial.rebalance.delay.ms': '0' }
const run = promisify(execFile)
const worker = fileURLToPath(new URL('./clients/worker.js', import.meta.url))

function countOf(kind: Work['kind'], valueBytes: number): number {
  const full = kind === 'single' ? 5_000 : valueBytes > 500 ? 200_000 : 1_000_000
  return options.quick ? full / 10 : full
}

interface Measured extends Figures {
  /** CPU of the broker per million records, seconds; NaN when it is not ours. */
  readonly brokerCpuPerMillion: number
}

async function measure(work: Work): Promise<Measured> {
  const before = brokerCpu()
  const { stdout } = await run(process.execPath, [worker, JSON.stringify(work)], { timeout: 600_000 })
  const figures = JSON.parse(stdout) as Figures
  return { ...figures, brokerCpuPerMillion: ((brokerCpu() - before) / work.count) * 1e6 }
}

function brokerCpu(): number {
  if (broker === null) return Number.NaN
  const { user, system } = broker.cpu()
  return user + system
}

async function newTopic(client: Client): Promise<string> {
  const name = `bench-${randomUUID()}`
  await client.admin().createTopics([{ name, partitions }])
  return name
}

async function fill(client: Client, topic: string, count: number, valueBytes: number): Promise<void> {
  await using producer = client.producer()
  const value = Buffer.alloc(valueBytes, 'x')
  for (let n = 0; n < count; n++) {
    const room = producer.enqueue({ topic, partition: n % partitions, value }, (error) => {
      if (error !== null) throw error
    })
    if (room !== undefined) await room
  }
}

const broker = options.bootstrap === undefined ? await BrokerProcess.start(alone) : null
const bootstrap = options.bootstrap ?? broker?.bootstrap ?? ''
const results: Record<string, Partial<Record<LibraryName, Measured>>> = {}
try {
  await using client = new Client({ bootstrap })
  const table = new Table({
    head: [
      'work',
      'library',
      'records/s',
      'to the best other JS',
      'to native',
      'CPU s per million',
      "broker's",
      'peak MiB',
      'loop delay p99, max ms',
    ],
    style: { head: [], border: [] },
  })
  for (const kind of kinds.filter((name) => options.only?.split(',').includes(name) ?? true)) {
    for (const valueBytes of [100, 1024]) {
      const count = countOf(kind, valueBytes)
      const rounds = new Map<LibraryName, Measured[]>(measured.map((library) => [library, []]))
      const topic = await newTopic(client)
      if (kind === 'consume') await fill(client, topic, count, valueBytes)
      for (let round = 0; round < Number(options.rounds); round++) {
        // In another order each time: whoever comes after the same one always inherits what that leaves the broker with.
        for (const [library, figures] of turned([...rounds], round)) {
          process.stderr.write(`${kind} ${valueBytes} B ${library}, round ${round + 1}\n`)
          figures.push(await measure({ library, bootstrap, topic, kind, valueBytes, count, native }))
        }
      }
      await client.admin().deleteTopics([topic])
      const middle = new Map([...rounds].map(([library, figures]) => [library, middleOf(figures)]))
      results[`${kind} ${valueBytes} B`] = Object.fromEntries(middle)
      for (const library of measured) table.push(row(`${kind} ${valueBytes} B`, library, middle))
    }
  }
  process.stdout.write(`${table.toString()}\n`)
} finally {
  await broker?.stop()
}
const folder = fileURLToPath(new URL('../../bench/results/', import.meta.url))
mkdirSync(folder, { recursive: true })
const kept = { measured: new Date().toISOString(), isQuick: options.quick, node: process.version, results }
writeFileSync(`${folder}client.json`, `${JSON.stringify(kept, null, 2)}\n`)
writeReport(folder)

function turned<T>(list: readonly T[], by: number): T[] {
  const at = by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

function middleOf(figures: readonly Measured[]): Measured {
  const of = (name: keyof Measured): number => median(figures.map((one) => one[name]))
  return {
    rate: of('rate'),
    cpuPerMillion: of('cpuPerMillion'),
    brokerCpuPerMillion: of('brokerCpuPerMillion'),
    peakMiB: of('peakMiB'),
    delayP99Ms: of('delayP99Ms'),
    delayMaxMs: of('delayMaxMs'),
  }
}

function row(name: string, library: LibraryName, all: ReadonlyMap<LibraryName, Measured>): string[] {
  const own = all.get(library)
  if (own === undefined) return [name, library]
  const rates = [...all].filter(([other]) => other !== library && other !== 'rdkafka')
  const best = Math.max(...rates.map(([, { rate }]) => rate))
  const toNative = own.rate / (all.get('rdkafka')?.rate ?? Number.NaN)
  const shown = (figure: number, digits: number): string =>
    Number.isNaN(figure) ? '' : figure.toFixed(digits)
  return [
    name,
    library,
    Math.round(own.rate).toLocaleString('en'),
    shown(own.rate / best, 2),
    shown(toNative, 2),
    shown(own.cpuPerMillion, 2),
    shown(own.brokerCpuPerMillion, 2),
    shown(own.peakMiB, 0),
    `${own.delayP99Ms.toFixed(1)}, ${own.delayMaxMs.toFixed(0)}`,
  ]
}
