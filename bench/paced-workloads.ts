/**
 * How long batches take at 10 MB/s, a batch of 10 kB every millisecond; and, with as little between as can be, how long the disk needs for
 * the same, and the way through a socket to it.
 */
import { BareProgram, pacedSyncerDelays } from './limits/programs.ts'
import type { LoadConnection } from './load/connection.ts'
import { type Delays, delayColumns } from './load/delays.ts'
import { copiedDelays, type Paced, pacedDelays } from './load/paced.ts'
import { inTurns } from './load/sample.ts'
import type { Row } from './report.ts'

const load = { batchBytes: 10_000, perSecond: 1000 } as const

/** In turns. The disk gets as many files as there are replicas, and has what most of them have; a copier has one. */
export async function pacedWorkloads(
  control: LoadConnection,
  replicas: number,
  wanted: readonly Pick<Paced, 'to' | 'flush' | 'partitions'>[],
  isQuick: boolean,
): Promise<Row[]> {
  const [rounds, seconds] = isQuick ? [1, 2] : [5, 4]
  const turns: [work: Row, turn: () => Promise<Delays>][] = wanted.map((one) => {
    const { to, partitions, flush } = one
    const turn = () => pacedDelays(control, { ...one, ...load, replicas }, seconds)
    return [{ to: `the ${to}`, replicas, partitions, flush }, turn]
  })
  const copiers: BareProgram[] = []
  try {
    for (const flush of replicas === 1 ? ['synced', 'unsynced'] : []) {
      const copier = await BareProgram.start('copier', [flush])
      copiers.push(copier)
      const turn = () => copiedDelays(copier.bootstrap, load, seconds)
      turns.push([{ to: "a bare copier's producer", replicas, partitions: 1, flush }, turn])
    }
    const disk = { to: 'the disk alone', replicas, partitions: 1, flush: 'synced' }
    turns.push([disk, () => pacedSyncerDelays(replicas, load, seconds)])
    const seen = await inTurns(rounds, Object.fromEntries(turns.map(([, turn], n) => [n, turn])))
    return turns.map(([work], n) => ({ ...work, ...delayColumns(seen[n] ?? []) }))
  } finally {
    for (const copier of copiers) await copier.stop()
  }
}
