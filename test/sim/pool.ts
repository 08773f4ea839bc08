/** Runs seeds on all cores: a process each, as the code under test is changed for a planted bug, and watched, for a whole process. */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Verdict } from './simulation.ts'

export interface Task {
  readonly seed: number
  /** The plan of the seed is aimed at this bug. */
  readonly aim?: string
  /** This bug is planted. */
  readonly bug?: string
  readonly keepsLines?: boolean
  /** Whether it is sound is all that is asked. */
  readonly endsAtViolation?: boolean
}

/** A verdict as it comes from another process. */
export type Result = Omit<Verdict, 'marks'> & { readonly marks: readonly (readonly [string, number])[] }

/** CPU time, of which a machine that others use may give little: a seed takes seconds; one that takes this long is in a loop. */
const cpuMsMax = 120_000
/** Real time: one that takes this long waits for what does not come. */
const realMsMax = 1_800_000
/** How often that is looked at, ms. */
const watchMs = 5_000

/** Calls back with each result, in whatever order they come. Rejects when a process ends early. */
export async function runAll<T extends Task>(
  tasks: readonly T[],
  onResult: (task: T, result: Result) => void,
  processes = availableParallelism(),
): Promise<void> {
  const left = [...tasks].reverse()
  const count = Math.min(processes, tasks.length)
  await Promise.all(Array.from({ length: count }, () => work(left, onResult)))
}

async function work<T extends Task>(left: T[], onResult: (task: T, result: Result) => void): Promise<void> {
  const workers: Worker[] = []
  try {
    for (let task = left.pop(); task !== undefined; task = left.pop()) {
      const { bug } = task
      if (workers[0] === undefined || workers[0].bug !== bug || workers[0].isSpent) {
        workers.pop()?.end()
        workers.push(new Worker(bug))
      }
      const result = await workers[0]?.run(task)
      if (result !== undefined) onResult(task, result)
    }
  } finally {
    workers.pop()?.end()
  }
}

/** A process with one bug, or none. */
class Worker {
  readonly bug: string | undefined
  /** It was stopped in the middle of a run. */
  isSpent = false
  readonly #process: ChildProcess
  #settle: { resolve: (message: unknown) => void; reject: (error: Error) => void } | null = null
  readonly #ready: Promise<unknown>

  constructor(bug: string | undefined) {
    this.bug = bug
    this.#process = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [bug ?? ''])
    this.#process.on('message', (message) => this.#settle?.resolve(message))
    this.#process.on('exit', (code) =>
      this.#settle?.reject(new Error(`a process ended with ${code} ('${bug}')`)),
    )
    this.#ready = this.#next()
  }

  async run(task: Task): Promise<Result> {
    await this.#ready
    const result = this.#next()
    this.#process.send(task)
    const watch = this.#watch(task)
    try {
      return (await result) as Result
    } finally {
      clearInterval(watch)
    }
  }

  #watch(task: Task): NodeJS.Timeout {
    const cpuFrom = cpuMs(this.#process)
    const realFrom = performance.now()
    return setInterval(() => {
      if (cpuMs(this.#process) - cpuFrom > cpuMsMax) this.#abandon(task, `${cpuMsMax / 1000} s of CPU time`)
      else if (performance.now() - realFrom > realMsMax)
        this.#abandon(task, `${realMsMax / 1000} s of real time`)
    }, watchMs)
  }

  /** A loop that never waits takes no message either: the process goes. */
  #abandon({ seed }: Task, bound: string): void {
    this.isSpent = true
    const violations = [`does not end within ${bound}`]
    const nothing = { anomalies: [], traceHash: '', operations: 0, simulatedMs: 0, marks: [], lines: [] }
    this.#settle?.resolve({ seed, violations, ...nothing } satisfies Result)
    this.#settle = null
    this.#process.kill('SIGKILL')
  }

  end(): void {
    this.#settle = null
    this.#process.kill()
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }
}

/** What a process has taken of the processors; where the system does not tell, the time that has passed. */
function cpuMs({ pid }: ChildProcess): number {
  const path = `/proc/${pid}/stat`
  if (!existsSync(path)) return performance.now()
  const stat = readFileSync(path, 'latin1')
  // Behind the name, which may hold anything; see proc(5): utime and stime, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
