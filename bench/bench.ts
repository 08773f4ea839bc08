/**
 * The benchmark of one broker: start-up, memory, throughput, latency. Prints a table and keeps bench/results/latest.json.
 *
 *     npm run bench                 everything (some minutes)
 *     npm run bench -- --quick      smaller amounts, to see that it runs
 *     npm run bench -- --only produce,consume
 *
 * Read the figures as ratios within one run: a shared machine is as fast as its neighbours let it be. CPU seconds per GB are
 * steadier than MB/s.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { consuming } from './suites/consuming.ts'
import { latency } from './suites/latency.ts'
import { producing } from './suites/producing.ts'
import { recovery } from './suites/recovery.ts'
import { type Suite, startup } from './suites/startup.ts'

const suites: Readonly<Record<string, Suite>> = {
  startup,
  produce: producing,
  consume: consuming,
  latency,
  recovery,
}

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
})
const wanted = values.only?.split(',') ?? Object.keys(suites)

const results: Record<string, unknown> = {}
for (const name of wanted) {
  const suite = suites[name]
  if (suite === undefined) throw new Error(`there is no suite '${name}': ${Object.keys(suites).join(', ')}`)
  process.stderr.write(`${name} ...\n`)
  const rows = await suite({ isQuick: values.quick })
  results[name] = rows
  const first = rows[0]
  if (first === undefined) continue
  const table = new Table({ head: Object.keys(first), style: { head: [], border: [] } })
  for (const row of rows) table.push(Object.values(row).map(String))
  process.stdout.write(`${name}\n${table.toString()}\n\n`)
}

const folder = fileURLToPath(new URL('../../bench/results/', import.meta.url))
mkdirSync(folder, { recursive: true })
const machine = {
  node: process.version,
  cores: cpus().length,
  cpu: cpus()[0]?.model,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
}
const kept = { measured: new Date().toISOString(), isQuick: values.quick, machine, results }
writeFileSync(`${folder}latest.json`, `${JSON.stringify(kept, null, 2)}\n`)
process.stderr.write(`kept in bench/results/latest.json\n`)
