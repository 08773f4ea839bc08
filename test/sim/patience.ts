/**
 * When a run is given up. Real time says little on a machine that others use: a process that gets no core makes no headway either. So
 * what counts is the CPU time it has had: a seed takes seconds, one that takes this long is in a loop. Who sleeps all the time, and uses
 * none, waits for what never comes.
 */
import { readFileSync } from 'node:fs'

const cpuMsMax = 120_000
const asleepMsMax = 120_000
const everyMs = 5_000
/** Of the kernel's accounts (USER_HZ). */
const tickMs = 10

interface Account {
  readonly cpuMs: number
  readonly isAsleep: boolean
}

/** Calls back, once, with why the process is given up, unless it is stopped before. Returns what stops it. */
export function watch(pid: number, onLate: (why: string) => void): () => void {
  const begun = accountOf(pid)
  let last = begun
  let asleepMs = 0
  const timer = setInterval(() => {
    const now = accountOf(pid)
    asleepMs = now.isAsleep && now.cpuMs === last.cpuMs ? asleepMs + everyMs : 0
    last = now
    if (now.cpuMs - begun.cpuMs > cpuMsMax) late(`does not end within ${cpuMsMax / 1000} s of CPU time`)
    else if (asleepMs >= asleepMsMax) late('waits for what never comes')
  }, everyMs)
  const stop = (): void => clearInterval(timer)
  function late(why: string): void {
    stop()
    onLate(why)
  }
  return stop
}

/** @source proc_pid_stat(5): state is the third field, utime and stime are the 14th and 15th; the name before may hold anything */
function accountOf(pid: number): Account {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { cpuMs: (Number(fields[10]) + Number(fields[11])) * tickMs, isAsleep: state === 'S' }
}
