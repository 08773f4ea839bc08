/** A few dozen seeds and what makes them worth running: the same seed is the same run. */
import t from 'tap'
import { simulate, type Verdict } from './simulation.ts'

/** The machine may be busy with other tests. */
const patience = { timeout: 240_000 }

const faultsOf = ({ seed, violations, anomalies }: Verdict): string[] => [
  ...violations.map((violation) => `seed ${seed}: ${violation}`),
  ...anomalies.map(({ kind, key, detail }) => `seed ${seed}: ${kind} ${key}: ${detail}`),
]

t.test('a broker in a seed: nothing acknowledged is lost, whatever happens', patience, async (t) => {
  const faults: string[] = []
  for (let seed = 0; seed < 16; seed++) faults.push(...faultsOf(await simulate(seed)))
  t.same(faults, [])
})

t.test('the same seed twice is the same run', patience, async (t) => {
  for (const seed of [3, 44])
    t.equal((await simulate(seed)).traceHash, (await simulate(seed)).traceHash, `seed ${seed}`)
  t.not((await simulate(3)).traceHash, (await simulate(4)).traceHash, 'another seed is another run')
})
