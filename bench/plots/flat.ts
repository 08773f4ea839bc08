/** Plots of what must not grow: a line for each kind of work, over the sizes of each axis. */
import type { Row } from '../report.ts'
import { figure, linesOf } from './cells.ts'
import type { Plot } from './plot.ts'

const titles: Readonly<Record<string, string>> = {
  partitions: 'Cost of a batch by number of partitions',
  connections: 'Cost of a batch by number of connections',
  'log MB': 'Cost of a batch, and of a start, by size of the log',
}

export function flatPlots(rows: readonly Row[]): Plot[] {
  // Where nothing is aimed at, growth is to be expected: each partition is opened at the start.
  const held = rows.filter((row) => figure(row, 'at most') !== null)
  return Object.entries(titles).flatMap(([axis, title]): Plot[] => {
    const own = held.filter((row) => row.axis === axis)
    if (own.length === 0) return []
    const { ticks, lines } = linesOf(own, ({ what }) => String(what), 'size', 'to the smallest')
    return [
      {
        kind: 'lines',
        name: `flat-${axis.replace(' MB', '')}`,
        title,
        unit: 'to the cost of the smallest',
        better: 'lower',
        x: {
          label: axis.replace('log MB', 'MB of log'),
          ticks: ticks.map((tick) => Number(tick).toLocaleString('en')),
        },
        isLogarithmic: false,
        lines,
        aim: { value: figure(own[0], 'at most') ?? Number.NaN, kind: 'at most' },
      },
    ]
  })
}
