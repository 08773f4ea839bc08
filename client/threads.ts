/** Threads for the work that would hold the event loop up: the client's door to them, and Node's. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { CompressionOutcome, CompressionTask } from './compression-thread.ts'

export interface Threads {
  /** How many make sense here. */
  readonly max: number
  /** Starts one; null where there are none: in an application that was bundled into one file, or is denied threads. */
  start(events: ThreadEvents): Thread | null
}

export interface ThreadEvents {
  /** The task is done. */
  done(outcome: CompressionOutcome): void
  /** The thread is over: told to, or broken. */
  ended(): void
}

export interface Thread {
  /** One task at a time. Its bytes change hands. */
  run(task: CompressionTask): void
  end(): void
}

/** Beside this file, or beside what it was bundled into, which may be CommonJS and then has no import.meta.url. */
const file = new URL('./compression-thread.js', import.meta.url ?? pathToFileURL(__filename))

export const nodeThreads: Threads = {
  // All cores but the one that the event loop runs on.
  max: Math.min(4, Math.max(1, availableParallelism() - 1)),
  start(events) {
    const worker = open()
    if (worker === null) return null
    worker.on('message', (outcome: CompressionOutcome) => {
      // An idle thread holds no process up.
      worker.unref()
      events.done(outcome)
    })
    // What is wrong ends the thread, and who waits does the work himself.
    worker.on('error', () => {})
    worker.on('exit', () => events.ended())
    return {
      run(task) {
        worker.ref()
        worker.postMessage(task, [task.bytes.buffer as ArrayBuffer])
      },
      end: () => void worker.terminate(),
    }
  },
}

function open(): Worker | null {
  if (!existsSync(fileURLToPath(file))) return null
  try {
    // Its own flags: --eval and its like are for the main thread.
    return new Worker(file, { name: 'lograft-compression', execArgv: [] })
  } catch {
    // node --permission
    return null
  }
}
