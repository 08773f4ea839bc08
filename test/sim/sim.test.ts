/** A few dozen seeds, and what makes them worth running: the same seed is the same run, and planted bugs are caught. */
import t from 'tap'
import { aimed, bugs, plant } from './bugs.ts'
import { planFor, simulate, type Verdict } from './simulation.ts'

/** The machine may be busy with other tests. */
const patience = { timeout: 240_000 }

const faultsOf = ({ seed, violations, anomalies }: Verdict): string[] => [
  ...violations.map((violation) => `seed ${seed}: ${violation}`),
  ...anomalies.map(({ kind, key, detail }) => `seed ${seed}: ${kind} ${key}: ${detail}`),
]

t.test('a broker in a seed: nothing acknowledged is lost, whatever happens', patience, async (t) => {
  const faults: string[] = []
  for (let seed = 0; seed < 12; seed++) faults.push(...faultsOf(await simulate(seed)))
  t.same(faults, [])
})

t.test('the same seed twice is the same run', patience, async (t) => {
  for (const seed of [3, 44])
    t.equal((await simulate(seed)).traceHash, (await simulate(seed)).traceHash, `seed ${seed}`)
  t.not((await simulate(3)).traceHash, (await simulate(4)).traceHash, 'another seed is another run')
})

t.test('planted bugs are caught, and nothing is caught where none is planted', patience, async (t) => {
  const controls = new Map<string, () => Promise<Verdict>>()
  for (const bug of bugs) {
    const plan = aimed(bug, planFor(bug.seed))
    controls.set(JSON.stringify(plan), () => simulate(bug.seed, { plan }))
    const unplant = plant(bug)
    try {
      t.not(faultsOf(await simulate(bug.seed, { plan })).length, 0, `${bug.name}, in seed ${bug.seed}`)
    } finally {
      unplant()
    }
  }
  for (const control of controls.values()) t.same(faultsOf(await control()), [])
})
