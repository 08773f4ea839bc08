/** Plots of reading from one broker. */
import type { Row } from '../report.ts'
import { barsOf, bytes, groupedBars } from './cells.ts'
import type { Plot } from './plot.ts'

export const consumingPlots: Readonly<Record<string, (rows: readonly Row[]) => Plot[]>> = {
  consume: (rows) => [
    {
      kind: 'bars',
      name: 'consume',
      title: 'Reading a log in the page cache',
      unit: 'MB/s for each core that the broker uses',
      better: 'higher',
      ...groupedBars(
        rows.map((row) => ({ ...row, records: `${bytes(row['record B'])} records` })),
        (row) => `fetch of ${bytes(row['fetch B'])}`,
        'MB/s a core',
        'records',
      ),
    },
  ],
  cold: (rows) => [
    {
      kind: 'bars',
      name: 'cold',
      title: 'Catching up with a log that is on the disk alone',
      unit: 'MB/s',
      better: 'higher',
      series: ['MB/s'],
      rows: barsOf(rows, ({ log }) => String(log), 'MB/s'),
    },
  ],
  fanout: (rows) => [
    {
      kind: 'bars',
      name: 'fan-out',
      title: 'Consumers of one partition',
      unit: 'CPU seconds of the broker per GB sent',
      better: 'lower',
      ...groupedBars(
        rows,
        (row) => `${row.consumers} ${row.consumers === 1 ? 'consumer' : 'consumers'}`,
        'cpu s/GB out',
        'work',
      ),
    },
  ],
}
