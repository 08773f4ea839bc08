/** How long batches take at 10 MB/s, a batch of 10 kB every millisecond; and what the disk needs for the same, with nothing between. */
import { pacedSyncerDelays } from './limits/programs.ts'
import type { LoadConnection } from './load/connection.ts'
import { type Delays, delayColumns } from './load/delays.ts'
import { type Paced, pacedDelays } from './load/paced.ts'
import { inTurns } from './load/sample.ts'
import type { Row } from './report.ts'

const load = { batchBytes: 10_000, perSecond: 1000 } as const

/** In turns. The disk gets as many files as there are replicas, and has what most of them have. */
export async function pacedWorkloads(
  control: LoadConnection,
  replicas: number,
  wanted: readonly Pick<Paced, 'to' | 'flush' | 'partitions'>[],
  isQuick: boolean,
): Promise<Row[]> {
  const [rounds, seconds] = isQuick ? [1, 2] : [5, 4]
  const turns = wanted.map((one, n): [string, () => Promise<Delays>] => [
    `${n}`,
    () => pacedDelays(control, { ...one, ...load, replicas }, seconds),
  ])
  turns.push(['disk', () => pacedSyncerDelays(replicas, load, seconds)])
  const seen = await inTurns<string, Delays>(rounds, Object.fromEntries(turns))
  return [
    ...wanted.map(({ to, partitions, flush }, n) => ({
      to: `the ${to}`,
      replicas,
      partitions,
      flush,
      ...delayColumns(seen[`${n}`] ?? []),
    })),
    { to: 'the disk alone', replicas, partitions: 1, flush: 'synced', ...delayColumns(seen.disk ?? []) },
  ]
}
