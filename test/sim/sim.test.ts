/** Seeds, on all cores: nothing is lost, whatever happens; and the same seed is the same run. */
import t from 'tap'
import { type Result, runAll } from './pool.ts'
import { isSound, planFor, simulate } from './simulation.ts'

/** LOGRAFT_SIM_SEEDS for more, or fewer. */
const seeds = Number(process.env.LOGRAFT_SIM_SEEDS ?? 300)
/** The machine may be busy with other tests: the runner is told, too. */
const patience = { timeout: 1_200_000 }
t.setTimeout(patience.timeout)
t.comment(`timeout=${patience.timeout}`)

const faultsOf = ({
  seed,
  violations,
  anomalies,
}: Pick<Result, 'seed' | 'violations' | 'anomalies'>): string[] => [
  ...violations.map((violation) => `seed ${seed}: ${violation}`),
  ...anomalies.map(({ kind, key, detail }) => `seed ${seed}: ${kind} ${key}: ${detail}`),
]

t.test('a cluster in a seed: nothing acknowledged is lost, whatever happens', patience, async (t) => {
  const faults: string[] = []
  const tasks = Array.from({ length: seeds }, (_, seed) => ({ seed }))
  await runAll(tasks, (_, result) => void faults.push(...faultsOf(result)))
  t.same(faults, [])
})

t.test('the same seed twice is the same run, in another process too', patience, async (t) => {
  const chosen = [3, 44, 45]
  const elsewhere = new Map<number, string>()
  await runAll(
    chosen.map((seed) => ({ seed })),
    ({ seed }, { traceHash }) => void elsewhere.set(seed, traceHash),
    1,
  )
  for (const seed of chosen.reverse())
    t.equal((await simulate(seed)).traceHash, elsewhere.get(seed), `seed ${seed}`)
  t.not(elsewhere.get(3), elsewhere.get(44), 'another seed is another run')
})

t.test('a plan is data: with fewer faults it is another run', patience, async (t) => {
  const seed = [...Array(50).keys()].find((one) => planFor(one).faults.length > 3) ?? 0
  const plan = planFor(seed)
  const shorter = { ...plan, faults: plan.faults.slice(0, 1) }
  const verdict = await simulate(seed, { plan: shorter })
  t.ok(isSound(verdict))
  t.not(verdict.traceHash, (await simulate(seed, { plan: JSON.parse(JSON.stringify(plan)) })).traceHash)
})
