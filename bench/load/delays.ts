/** How long batches took, at a fixed rate: of one piece of load, and of several. */
import type { RecordableHistogram } from 'node:perf_hooks'
import type { Row } from '../report.ts'
import { medianOf } from './sample.ts'

const shown = { p50: 'p50 ms', p90: 'p90 ms', p99: 'p99 ms', p999: 'p99.9 ms', max: 'max ms' } as const

/** Milliseconds. */
export type Delays = Readonly<Record<keyof typeof shown, number>>

/** @param nanoseconds that they took */
export function delaysOf(nanoseconds: RecordableHistogram): Delays {
  const at = (percentile: number) => nanoseconds.percentile(percentile) / 1e6
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: nanoseconds.max / 1e6 }
}

/** The middle of several rounds, and from where to where p50 and p99 lay. */
export function delayColumns(rounds: readonly Delays[]): Row {
  const range = (key: keyof Delays) => {
    const all = rounds.map((one) => one[key])
    return `${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)}`
  }
  const middle = Object.entries(shown).map(([key, column]) => [
    column,
    medianOf(rounds, key as keyof Delays).toFixed(2),
  ])
  return { ...Object.fromEntries(middle), 'p50 from to': range('p50'), 'p99 from to': range('p99') }
}
