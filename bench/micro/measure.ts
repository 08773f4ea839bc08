/** What one call costs, in CPU time: what others do on the machine meanwhile counts less than on a clock. */
import { median } from '../statistics.ts'

export interface Micro {
  readonly what: string
  /** One call. It takes a microsecond at least, or does its work several times. */
  readonly run: () => unknown
  /** How many pieces of work a call does; 1 when absent. */
  readonly pieces?: number
}

export interface Timing {
  /** Nanoseconds of all threads for a piece: of the least disturbed sample, and of the middle one. */
  readonly least: number
  readonly middle: number
}

const samples = 40

/** Samples of about `sampleMs`, after as many calls to warm up. */
export async function timingOf({ run, pieces = 1 }: Micro, sampleMs: number): Promise<Timing> {
  let calls = 1
  while ((await sample(run, calls)) < sampleMs) calls *= 2
  const seen: number[] = []
  for (let i = 0; i < samples; i++) seen.push(((await sample(run, calls)) * 1e6) / calls / pieces)
  return { least: Math.min(...seen), middle: median(seen) }
}

/** CPU milliseconds for so many calls. What returns no promise is not awaited: that would cost more than some of the calls. */
async function sample(run: () => unknown, calls: number): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < calls; i++) {
    const result = run()
    if (result instanceof Promise) await result
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
