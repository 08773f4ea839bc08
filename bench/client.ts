/**
 * This client beside the others, in one run, on one broker: single sends, batched produce, consume, at 100 B and 1 KiB.
 *
 *     npm run bench:client                                  against a broker of its own
 *     npm run bench:client -- --bootstrap 127.0.0.1:9092    against any Kafka
 *     npm run bench:client -- --quick --only consume
 *
 * Each piece of work runs in a process of its own, in rounds, so that what the machine does meanwhile meets all of them
 * alike. Read the ratios: a shared machine is as fast as its neighbours let it be.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import Table from 'cli-table3'
import { Client } from '../client/client.ts'
import { BrokerProcess } from './broker-process.ts'
import { type LibraryName, libraryNames } from './clients/libraries.ts'
import type { Figures, Work } from './clients/worker.ts'
import { median } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
  },
})
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

async function measure(work: Work): Promise<Figures> {
  const { stdout } = await run(process.execPath, [worker, JSON.stringify(work)], { timeout: 120_000 })
  return JSON.parse(stdout) as Figures
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
const results: Record<string, Record<LibraryName, Figures>> = {}
try {
  await using client = new Client({ bootstrap })
  const table = new Table({
    head: [
      'work',
      'library',
      'records/s',
      'ratio',
      'CPU s per million',
      'peak MiB',
      'loop delay p99, max ms',
    ],
    style: { head: [], border: [] },
  })
  for (const kind of kinds.filter((name) => options.only?.split(',').includes(name) ?? true)) {
    for (const valueBytes of [100, 1024]) {
      const count = countOf(kind, valueBytes)
      const rounds: Record<LibraryName, Figures[]> = { lograft: [], kafkajs: [], platformatic: [] }
      const topic = await newTopic(client)
      if (kind === 'consume') await fill(client, topic, count, valueBytes)
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const library of libraryNames) {
          process.stderr.write(`${kind} ${valueBytes} B ${library}, round ${round + 1}\n`)
          rounds[library].push(await measure({ library, bootstrap, topic, kind, valueBytes, count }))
        }
      }
      await client.admin().deleteTopics([topic])
      const middle = Object.fromEntries(
        libraryNames.map((library) => [library, middleOf(rounds[library])]),
      ) as Record<LibraryName, Figures>
      results[`${kind} ${valueBytes} B`] = middle
      for (const library of libraryNames) table.push(row(`${kind} ${valueBytes} B`, library, middle))
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

function middleOf(figures: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(figures.map((one) => one[name]))
  return {
    rate: of('rate'),
    cpuPerMillion: of('cpuPerMillion'),
    peakMiB: of('peakMiB'),
    delayP99Ms: of('delayP99Ms'),
    delayMaxMs: of('delayMaxMs'),
  }
}

/** The ratio is to the best of the others. */
function row(name: string, library: LibraryName, all: Record<LibraryName, Figures>): string[] {
  const { rate, cpuPerMillion, peakMiB, delayP99Ms, delayMaxMs } = all[library]
  const best = Math.max(...libraryNames.filter((other) => other !== library).map((other) => all[other].rate))
  return [
    name,
    library,
    Math.round(rate).toLocaleString('en'),
    (rate / best).toFixed(2),
    cpuPerMillion.toFixed(2),
    peakMiB.toFixed(0),
    `${delayP99Ms.toFixed(1)}, ${delayMaxMs.toFixed(0)}`,
  ]
}
