import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { argumentsOf } from './arguments.ts'
import { logMicros } from './micro/log.ts'
import { type Timing, timingOf } from './micro/measure.ts'
import { protocolMicros } from './micro/protocol.ts'
import { raftMicros } from './micro/raft.ts'
import { recordMicros } from './micro/records.ts'
import { type Row, resultsFolder, tableOf, thisMachine } from './report.ts'

const usage = `
What single pieces of the broker cost, beside what they cost when the baseline of this kind of machine was kept
(bench/results/micro-*.json). Read the least: what disturbs only adds.

    npm run bench:micro
    npm run bench:micro -- --quick
    npm run bench:micro -- --only raft,log
    npm run bench:micro -- --keep          the new baseline, of the groups that are measured
`

const values = argumentsOf(usage, {
  quick: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  only: { type: 'string' },
})
const log = await logMicros()
const groups = { records: recordMicros(), protocol: protocolMicros(), log: log.micros, raft: raftMicros() }
const kind = [cpus()[0]?.model ?? '', `${cpus().length} cores`, `node ${process.versions.node.split('.')[0]}`]
const path = `${resultsFolder}micro-${kind
  .join(' ')
  .toLowerCase()
  .replaceAll(/[^a-z0-9]+/g, '-')}.json`
const before: { timings?: Record<string, Timing> } = existsSync(path)
  ? JSON.parse(readFileSync(path, 'utf8'))
  : {}

const timings: Record<string, Timing> = {}
const rows: Row[] = []
for (const [group, micros] of Object.entries(groups)) {
  if (values.only?.split(',').includes(group) === false) continue
  for (const micro of micros) {
    const timing = await timingOf(micro, values.quick ? 2 : 10)
    timings[micro.what] = timing
    rows.push(rowOf(micro.what, timing, before.timings?.[micro.what]))
  }
}
await log.close()
process.stdout.write(`${tableOf(rows)}\n`)
if (values.keep) {
  mkdirSync(resultsFolder, { recursive: true })
  const kept = { machine: thisMachine(), measured: new Date().toISOString(), unit: 'ns of CPU' }
  writeFileSync(path, `${JSON.stringify({ ...kept, timings: { ...before.timings, ...timings } }, null, 2)}\n`)
}

function rowOf(what: string, timing: Timing, baseline: Timing | undefined): Row {
  const shown = (nanoseconds: number) => (nanoseconds / 1000).toPrecision(3)
  return {
    what,
    'least CPU us': shown(timing.least),
    'middle CPU us': shown(timing.middle),
    'baseline us': baseline === undefined ? '' : shown(baseline.least),
    'to baseline': baseline === undefined ? '' : (timing.least / baseline.least).toFixed(2),
  }
}
