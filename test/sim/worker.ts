/**
 * One process of pool.ts: takes tasks, one at a time, and sends back what came of them. The bug that is given as its argument is
 * planted for as long as it lives.
 */
import { register } from 'node:module'
import { awayBugs } from './bugs/away.ts'
import { clusterBugs } from './bugs/cluster.ts'
import { memoryBugs } from './bugs/memory.ts'
import type { Result, Task } from './pool.ts'

const name = process.argv[2] ?? ''
const edits = [...clusterBugs, ...memoryBugs, ...awayBugs].find((bug) => bug.name === name)?.edits
if (edits !== undefined) register(new URL('./bugs/loader.js', import.meta.url), { data: edits })
// Only now: what is to be changed must not be loaded yet.
const { aimed, bugs } = await import('./bugs/bugs.ts')
const { planFor, simulate } = await import('./simulation.ts')
bugs.find((bug) => bug.name === name)?.plant?.()

process.on('message', (message) => {
  void run(message as Task).then((result) => process.send?.(result))
})
process.send?.('ready')

async function run({ seed, aim, keepsLines = false, endsAtViolation = false }: Task): Promise<Result> {
  const bug = bugs.find((one) => one.name === aim)
  const plan = bug === undefined ? planFor(seed) : aimed(bug, planFor(seed))
  const { marks, ...verdict } = await simulate(seed, { plan, keepsLines, endsAtViolation })
  return { ...verdict, marks: [...marks] }
}
