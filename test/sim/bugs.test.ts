/** Planted bugs are caught, and nothing is caught where none is planted: what makes the seeds worth running. */
import t from 'tap'
import { bugs } from './bugs/bugs.ts'
import { type Result, runAll } from './pool.ts'

/** The machine may be busy with other tests: the runner is told, too. */
const patience = { timeout: 1_200_000 }
t.setTimeout(patience.timeout)
t.comment(`timeout=${patience.timeout}`)

t.test('every planted bug is caught', patience, async (t) => {
  const results = new Map<string, Result>()
  await runAll(
    bugs.map(({ name, seed }) => ({ seed, bug: name, aim: name })),
    ({ bug }, result) => void results.set(bug, result),
  )
  for (const { name, seed } of bugs) {
    const { violations, anomalies } = results.get(name) ?? { violations: [], anomalies: [] }
    t.not(violations.length + anomalies.length, 0, `${name}, in seed ${seed}`)
  }
})

t.test('the same plans without a bug are sound', patience, async (t) => {
  await runAll(
    bugs.map(({ name, seed }) => ({ seed, aim: name })),
    ({ aim }, { violations, anomalies }) => void t.same([...violations, ...anomalies], [], aim),
  )
})
