/** Kinds of produce load beside each other, on one broker, in turns. */
import { inTurns, medianOf } from './load/sample.ts'
import type { Row, Suite } from './report.ts'
import { type ProduceCase, type Produced, produced, withWarmBroker } from './warm-broker.ts'

export interface Workload extends Omit<ProduceCase, 'bytes'> {
  /** What tells it from the others: the first columns of its row. */
  readonly shown: Row
  /** Records a second at least, where there is an aim. */
  readonly aim?: number
}

/** @param bytes that each gets in each round */
export const workloads =
  (list: readonly Workload[], bytes: number): Suite =>
  async ({ isQuick }) =>
    await withWarmBroker({ isQuick }, async (warm) => {
      const amount = isQuick ? bytes / 6 : bytes
      const turns = list.map((one, n) => [n, () => produced(warm, { ...one, bytes: amount })] as const)
      const seen = await inTurns(isQuick ? 1 : 3, Object.fromEntries(turns))
      const hasAims = list.some(({ aim }) => aim !== undefined)
      return list.map((one, n) => rowOf(one, hasAims, seen[n] ?? []))
    })

function rowOf({ shown, aim }: Workload, hasAims: boolean, samples: readonly Produced[]): Row {
  const speeds = samples.map(({ megabytesPerSecond }) => Math.round(megabytesPerSecond))
  return {
    ...shown,
    'MB/s': Math.round(medianOf(samples, 'megabytesPerSecond')),
    'from to': `${Math.min(...speeds)}-${Math.max(...speeds)}`,
    'records/s': Math.round(medianOf(samples, 'recordsPerSecond')),
    ...(hasAims && { 'at least': aim ?? '' }),
    'cpu s/GB': medianOf(samples, 'cpuPerGigabyte').toFixed(2),
    'peak MB': Math.round(medianOf(samples, 'peak')),
  }
}
