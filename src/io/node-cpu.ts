import { openSync, readSync } from 'node:fs'

/** So far, ms. */
export interface CpuTime {
  readonly usedMs: number
  /** Ready to run, and without a CPU. 0 where the system does not tell. */
  readonly waitedMs: number
}

/** Tells the time of this thread, where the system does (Linux); else that of the whole process. 10 us. */
export function cpuClock(): () => CpuTime {
  const file = openSchedule()
  if (file === null) return ofProcess
  const text = Buffer.alloc(128)
  return () => {
    // Nanoseconds on a CPU, nanoseconds in the queue for one, slices.
    const bytes = readSync(file, text, 0, text.length, 0)
    const [used, waited] = text.toString('latin1', 0, bytes).split(' ').map(Number)
    return { usedMs: (used ?? 0) / 1e6, waitedMs: (waited ?? 0) / 1e6 }
  }
}

function openSchedule(): number | null {
  try {
    return openSync('/proc/thread-self/schedstat', 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function ofProcess(): CpuTime {
  const { user, system } = process.cpuUsage()
  return { usedMs: (user + system) / 1000, waitedMs: 0 }
}
