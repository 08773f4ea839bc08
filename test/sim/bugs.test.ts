/** Planted bugs are caught, and nothing is caught where none is planted: what makes the seeds worth running. */
import t from 'tap'
import { bugs } from './bugs/bugs.ts'
import { runAll } from './pool.ts'
import { isSound } from './simulation.ts'

/** The machine may be busy with other tests: the runner is told, too. */
const patience = { timeout: 1_200_000 }
t.setTimeout(patience.timeout)
t.comment(`timeout=${patience.timeout}`)

/** After a change of the code another seed than the one that is written down may be the one that meets the bug. */
const seedsMax = 6

t.test('every planted bug is caught', patience, async (t) => {
  let missed = bugs
  for (let more = 0; more < seedsMax && missed.length > 0; more++) {
    const caught = new Set<string>()
    await runAll(
      missed.map(({ name, seed }) => ({ seed: seed + more, bug: name, aim: name, endsAtViolation: true })),
      ({ bug }, result) => {
        if (!isSound(result)) caught.add(bug)
      },
    )
    missed = missed.filter(({ name }) => !caught.has(name))
  }
  t.same(
    missed.map(({ name }) => name),
    [],
  )
})

t.test('the same plans without a bug are sound', patience, async (t) => {
  const faults: string[] = []
  await runAll(
    bugs.map(({ name, seed }) => ({ seed, aim: name })),
    ({ seed, aim }, { violations, anomalies }) => {
      const kinds = anomalies.map(({ kind, detail }) => `${kind} ${detail}`)
      for (const fault of [...violations, ...kinds]) faults.push(`seed ${seed}, ${aim}: ${fault}`)
    },
  )
  t.same(faults, [])
})
