/** One process of pool.ts: takes tasks, one at a time, and sends back what came of them. */
import { aimed, bugs } from './bugs/bugs.ts'
import type { Result, Task } from './pool.ts'
import { planFor, simulate } from './simulation.ts'

process.on('message', (message) => {
  void run(message as Task).then((result) => process.send?.(result))
})

async function run({ seed, bug: name, isControl }: Task): Promise<Result> {
  const bug = bugs.find((one) => one.name === name)
  const plan = bug === undefined ? planFor(seed) : aimed(bug, planFor(seed))
  const unplant = isControl === true ? undefined : bug?.plant()
  const { violations, anomalies, traceHash, operations, simulatedMs, marks } = await simulate(seed, { plan })
  unplant?.()
  return { seed, violations, anomalies, traceHash, operations, simulatedMs, marks: [...marks] }
}
