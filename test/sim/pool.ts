/** Runs seeds on all cores: a process each, as the code under test is changed for a planted bug, and watched, for a whole process. */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Anomaly } from './checker/history.ts'
import type { Verdict } from './simulation.ts'

export interface Task {
  readonly seed: number
  /** Planted, and the plan of the seed is aimed at it. */
  readonly bug?: string
  /** Aimed at it, and not planted. */
  readonly isControl?: boolean
}

/** A verdict as it comes from another process. */
export interface Result
  extends Pick<Verdict, 'seed' | 'violations' | 'traceHash' | 'operations' | 'simulatedMs'> {
  readonly anomalies: readonly Anomaly[]
  readonly marks: readonly (readonly [string, number])[]
}

/** Calls back with each result, in whatever order they come. Rejects when a process ends early. */
export async function runAll(
  tasks: readonly Task[],
  onResult: (task: Task, result: Result) => void,
  processes = availableParallelism(),
): Promise<void> {
  const left = [...tasks].reverse()
  const workers = Array.from({ length: Math.min(processes, tasks.length) }, () =>
    fork(fileURLToPath(new URL('./worker.js', import.meta.url))),
  )
  try {
    await Promise.all(workers.map((worker) => work(worker, left, onResult)))
  } finally {
    for (const worker of workers) worker.kill()
  }
}

function work(
  worker: ChildProcess,
  left: Task[],
  onResult: (task: Task, result: Result) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let task = left.pop()
    const next = (): void => {
      if (task === undefined) resolve()
      else worker.send(task)
    }
    worker.on('message', (result) => {
      if (task !== undefined) onResult(task, result as Result)
      task = left.pop()
      next()
    })
    worker.on('exit', (code) => {
      if (task !== undefined)
        reject(new Error(`the process that ran ${JSON.stringify(task)} ended with ${code}`))
    })
    next()
  })
}
