import { argumentsOf } from '../../bench/arguments.ts'
import { aimed, bugs } from './bugs/bugs.ts'
import { type Result, runAll } from './pool.ts'
import { isSound, planFor } from './simulation.ts'

const usage = `
Whole clusters in a simulated world, each from a seed.

    npm run sim -- --seeds 1000 --from 5000      so many, on all cores (--processes for fewer)
    npm run sim -- --seed 42 --trace             one, with all that happened; --plan: what the seed stands for, --marks: how often what
    npm run sim -- --bugs                        plants one bug after the other, and says in how many seeds each is caught
    npm run sim -- --bugs --bug NAME             only those with such a name; with --seed: that seed with the bug

The last line is the verdict: with the hash of the trace of a single seed, with the count of many.
`

const values = argumentsOf(usage, {
  seed: { type: 'string' },
  seeds: { type: 'string', default: '100' },
  from: { type: 'string', default: '0' },
  processes: { type: 'string' },
  trace: { type: 'boolean', default: false },
  plan: { type: 'boolean', default: false },
  marks: { type: 'boolean', default: false },
  bugs: { type: 'boolean', default: false },
  bug: { type: 'string' },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const processes = values.processes === undefined ? undefined : Number(values.processes)

function describe({
  seed,
  violations,
  anomalies,
}: Pick<Result, 'seed' | 'violations' | 'anomalies'>): string[] {
  return [
    ...violations.map((violation) => `seed ${seed}: ${violation}`),
    ...anomalies.slice(0, 10).map(({ kind, key, detail }) => `seed ${seed}: ${kind} ${key}: ${detail}`),
  ]
}

/** With `--bug` the bug is planted, and the plan aimed at it. */
async function one(seed: number): Promise<boolean> {
  const bug = bugs.find(({ name }) => values.bug !== undefined && name.includes(values.bug))
  const plan = bug === undefined ? planFor(seed) : aimed(bug, planFor(seed))
  if (values.plan) print(JSON.stringify(plan, null, 2))
  const task = { seed, keepsLines: values.trace, ...(bug !== undefined && { bug: bug.name, aim: bug.name }) }
  const sound: boolean[] = []
  await runAll([task], (_, result) => {
    for (const line of [...result.lines, ...describe(result)]) print(line)
    if (values.marks) for (const [name, count] of result.marks) print(`${count} ${name}`)
    sound.push(isSound(result))
    print(`${isSound(result) ? 'sound' : 'FAULTY'} seed ${seed} trace ${result.traceHash}`)
  })
  return sound.every(Boolean)
}

const seedsFrom = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

async function many(from: number, count: number): Promise<boolean> {
  const faulty: number[] = []
  const marks = new Map<string, number>()
  let [operations, simulatedMs] = [0, 0]
  const begun = performance.now()
  const tasks = seedsFrom(from, count).map((seed) => ({ seed }))
  const take = (result: Result): void => {
    operations += result.operations
    simulatedMs += result.simulatedMs
    for (const [name, times] of result.marks) marks.set(name, (marks.get(name) ?? 0) + times)
    const lines = describe(result)
    if (lines.length > 0) faulty.push(result.seed)
    for (const line of lines) print(line)
  }
  await runAll(tasks, (_, result) => take(result), processes)
  const seconds = (performance.now() - begun) / 1000
  for (const [name, times] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1))) print(`${times} ${name}`)
  print(`${operations} operations, ${Math.round(simulatedMs / 1000)} simulated s in ${seconds.toFixed(1)} s`)
  const which = faulty.length === 0 ? '' : `: ${faulty.sort((a, b) => a - b).join(' ')}`
  print(
    `${faulty.length === 0 ? 'sound' : 'FAULTY'} ${count} seeds from ${from}, ${faulty.length} faulty${which}`,
  )
  return faulty.length === 0
}

/** Whether each planted bug is caught, and in how many of the seeds. */
async function hunt(from: number, count: number): Promise<boolean> {
  const planted = bugs.filter(({ name }) => values.bug === undefined || name.includes(values.bug))
  let missed = 0
  for (const { name: bug } of planted) {
    const caught: number[] = []
    const take = (result: Result): void => {
      if (!isSound(result)) caught.push(result.seed)
    }
    const tasks = seedsFrom(from, count).map((seed) => ({ seed, bug, aim: bug, endsAtViolation: true }))
    await runAll(tasks, (_, result) => take(result), processes)
    if (caught.length === 0) missed++
    print(
      `${caught.length} of ${count}: ${bug} (${caught
        .sort((a, b) => a - b)
        .slice(0, 8)
        .join(' ')})`,
    )
  }
  print(
    `${missed === 0 ? 'sound' : 'FAULTY'} ${planted.length} planted bugs, ${missed} not caught in ${count} seeds`,
  )
  return missed === 0
}

const [from, count] = [Number(values.from), Number(values.seeds)]
const isGood =
  values.seed !== undefined
    ? await one(Number(values.seed))
    : values.bugs
      ? await hunt(from, count)
      : await many(from, count)
process.exitCode = isGood ? 0 : 1
