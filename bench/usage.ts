/** What the system says of processes (Linux): CPU time and memory, by process id, whoever started them. */
import { readFileSync, writeFileSync } from 'node:fs'

export interface Cpu {
  /** Seconds so far. */
  readonly user: number
  readonly system: number
}

/** Of all of them together. */
export function cpuOf(pids: readonly number[]): Cpu {
  const sum = { user: 0, system: 0 }
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    // Clock ticks of 10 ms: what Linux shows to user space everywhere.
    sum.user += Number(fields[11]) / 100
    sum.system += Number(fields[12]) / 100
  }
  return sum
}

/** Seconds of all of them, user and system. */
export function cpuSecondsOf(pids: readonly number[]): number {
  const { user, system } = cpuOf(pids)
  return user + system
}

/** Resident memory of all of them together, now and at its peak, MB. */
export function memoryOf(pids: readonly number[]): { now: number; peak: number } {
  const sum = { now: 0, peak: 0 }
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
    sum.now += megabytes('VmRSS')
    sum.peak += megabytes('VmHWM')
  }
  return sum
}

/** Their peak counts from here on. */
export function forgetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
