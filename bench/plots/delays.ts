import type { Row } from '../report.ts'
import { figure } from './cells.ts'
import type { Plot } from './plot.ts'

const columns = ['p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms']

/** Of one partition, to a consumer; and of the disk alone. */
export function delays(rows: readonly Row[], name: string, title: string): Plot {
  return {
    kind: 'lines',
    name,
    title,
    unit: 'milliseconds from the moment a batch was due',
    better: 'lower',
    x: { label: 'percentile', ticks: columns.map((column) => column.replace(' ms', '')) },
    isLogarithmic: true,
    lines: rows
      .filter(({ to, partitions }) => partitions === 1 && to !== 'the producer')
      .map((row) => ({
        name: `to ${row.to}, ${row.flush}`,
        values: columns.map((column) => figure(row, column)),
      })),
  }
}
