/**
 * `npm run sim -- --seed N` runs one seed, `--seeds COUNT --from N` many; `--trace` prints all that happened, `--plan` what the
 * seed stands for. `--bugs` plants one bug after the other and says in how many seeds each is caught. The last line is the verdict: with the hash of the trace of a single seed, with the count of many.
 */
import { parseArgs } from 'node:util'
import { aimed, bugs, plant } from './bugs.ts'
import { planFor, simulate, type Verdict } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    plan: { type: 'boolean', default: false },
    marks: { type: 'boolean', default: false },
    bugs: { type: 'boolean', default: false },
  },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)

function describe({ seed, violations, anomalies }: Verdict): string[] {
  return [
    ...violations.map((violation) => `seed ${seed}: ${violation}`),
    ...anomalies.slice(0, 10).map(({ kind, key, detail }) => `seed ${seed}: ${kind} ${key}: ${detail}`),
  ]
}

const isSound = ({ violations, anomalies }: Verdict): boolean => violations.length + anomalies.length === 0

async function one(seed: number): Promise<boolean> {
  if (values.plan) print(JSON.stringify(planFor(seed), null, 2))
  const verdict = await simulate(seed, { keepsLines: values.trace })
  for (const line of [...verdict.lines, ...describe(verdict)]) print(line)
  if (values.marks) for (const [name, count] of verdict.marks) print(`${count} ${name}`)
  print(`${isSound(verdict) ? 'sound' : 'FAULTY'} seed ${seed} trace ${verdict.traceHash}`)
  return isSound(verdict)
}

async function many(from: number, count: number): Promise<boolean> {
  const faulty: number[] = []
  const marks = new Map<string, number>()
  let [operations, simulatedMs] = [0, 0]
  const begun = performance.now()
  for (let seed = from; seed < from + count; seed++) {
    const verdict = await simulate(seed)
    operations += verdict.operations
    simulatedMs += verdict.simulatedMs
    for (const [name, times] of verdict.marks) marks.set(name, (marks.get(name) ?? 0) + times)
    if (isSound(verdict)) continue
    faulty.push(seed)
    for (const line of describe(verdict)) print(line)
  }
  const seconds = (performance.now() - begun) / 1000
  for (const [name, times] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1))) print(`${times} ${name}`)
  print(`${operations} operations, ${Math.round(simulatedMs / 1000)} simulated s in ${seconds.toFixed(1)} s`)
  const which = faulty.length === 0 ? '' : `: ${faulty.join(' ')}`
  print(
    `${faulty.length === 0 ? 'sound' : 'FAULTY'} ${count} seeds from ${from}, ${faulty.length} faulty${which}`,
  )
  return faulty.length === 0
}

/** Whether each planted bug is caught, and in how many of the seeds. */
async function hunt(from: number, count: number): Promise<boolean> {
  let missed = 0
  for (const bug of bugs) {
    const caught: number[] = []
    const unplant = plant(bug)
    for (let seed = from; seed < from + count; seed++) {
      const plan = aimed(bug, planFor(seed))
      if (!isSound(await simulate(seed, { plan }))) caught.push(seed)
    }
    unplant()
    if (caught.length === 0) missed++
    print(`${caught.length} of ${count}: ${bug.name} (${caught.slice(0, 8).join(' ')})`)
  }
  print(
    `${missed === 0 ? 'sound' : 'FAULTY'} ${bugs.length} planted bugs, ${missed} not caught in ${count} seeds`,
  )
  return missed === 0
}

const [from, count] = [Number(values.from), Number(values.seeds)]
const sound = values.bugs
  ? await hunt(from, count)
  : values.seed === undefined
    ? await many(from, count)
    : await one(Number(values.seed))
process.exitCode = sound ? 0 : 1
