/** Cost against size: one shape of row for all that must not grow. */
import { inTurns, medianOf } from '../load/sample.ts'
import type { Row } from '../report.ts'

/** One round. */
export interface Cost {
  readonly cost: number
  /** MB/s; NaN where nothing is moved. */
  readonly speed: number
  /** Resident memory of the broker afterwards, MB. */
  readonly memory: number
}

export interface Growth {
  readonly what: string
  /** What grows. */
  readonly axis: string
  /** Of the cost. */
  readonly unit: string
  readonly rounds: number
  /** The aim: so many times what the smallest costs; none when absent. */
  readonly atMost?: number
}

/** Does the same on each of the sites, which differ in size, in turns. The smallest comes first. */
export async function growthRows<Site extends { readonly size: number }>(
  { what, axis, unit, rounds, atMost }: Growth,
  sites: readonly Site[],
  work: (site: Site) => Promise<Cost>,
): Promise<Row[]> {
  const turns = sites.map((site) => [site.size, () => work(site)] as const)
  const seen = await inTurns(rounds, Object.fromEntries(turns))
  const smallest = medianOf(seen[sites[0]?.size ?? 0] ?? [], 'cost')
  const shown = (figure: number) => (figure < 20 ? figure.toFixed(1) : String(Math.round(figure)))
  return sites.map(({ size }) => {
    const samples = seen[size] ?? []
    const costs = samples.map(({ cost }) => cost)
    const cost = medianOf(samples, 'cost')
    const speed = medianOf(samples, 'speed')
    return {
      what,
      axis,
      size,
      unit,
      cost: shown(cost),
      'from to': `${shown(Math.min(...costs))}-${shown(Math.max(...costs))}`,
      'to the smallest': (cost / smallest).toFixed(2),
      'at most': atMost ?? '',
      'MB/s': Number.isNaN(speed) ? '' : Math.round(speed),
      'memory MB': Math.round(medianOf(samples, 'memory')),
    }
  })
}
