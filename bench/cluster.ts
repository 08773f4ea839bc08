/**
 * The benchmark of three brokers that form a cluster, beside one broker: throughput, latency, CPU; and what idle partitions cost. Prints
 * tables and keeps bench/results/cluster.json.
 *
 *     npm run bench:cluster                       everything (a quarter of an hour)
 *     npm run bench:cluster -- --quick
 *     npm run bench:cluster -- --only idle
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { idle } from './cluster/idle.ts'
import { replication } from './cluster/replication.ts'
import type { Suite } from './suites/startup.ts'

const suites: Readonly<Record<string, Suite>> = { replication, idle }

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
})
// Thousands of partitions have much to say, and that is not what is measured.
process.env.LOGRAFT_LOG_LEVEL ??= 'warn'
const results: Record<string, unknown> = {}
for (const name of values.only?.split(',') ?? Object.keys(suites)) {
  const suite = suites[name]
  if (suite === undefined) throw new Error(`there is no suite '${name}': ${Object.keys(suites).join(', ')}`)
  process.stderr.write(`${name} ...\n`)
  const rows = await suite({ isQuick: values.quick })
  results[name] = rows
  const table = new Table({ head: Object.keys(rows[0] ?? {}), style: { head: [], border: [] } })
  for (const row of rows) table.push(Object.values(row).map(String))
  process.stdout.write(`${name}\n${table.toString()}\n\n`)
}
const folder = fileURLToPath(new URL('../../bench/results/', import.meta.url))
mkdirSync(folder, { recursive: true })
const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model }
const kept = { measured: new Date().toISOString(), isQuick: values.quick, machine, results }
writeFileSync(`${folder}cluster.json`, `${JSON.stringify(kept, null, 2)}\n`)
