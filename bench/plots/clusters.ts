/** Plots of bench/results/cluster.json. */
import type { Row } from '../report.ts'
import { bytes, figure, groupedBars } from './cells.ts'
import { delays } from './delays.ts'
import type { Plot } from './plot.ts'

export const clusters: Readonly<Record<string, (rows: readonly Row[]) => Plot[]>> = {
  replication: (all) => {
    const rows = all.map((row) => ({
      ...row,
      who: row.brokers === 1 ? '1 broker' : `${row.brokers} brokers`,
    }))
    const label = (row: Row) => `${bytes(row['record B'])}, acks=${row.acks}, ${row.flush}`
    return [
      {
        kind: 'bars',
        name: 'cluster-throughput',
        title: 'Three brokers that keep every record three times, beside one',
        unit: 'MB/s produced, all on one machine',
        better: 'higher',
        ...groupedBars(rows, label, 'MB/s', 'who'),
      },
      {
        kind: 'bars',
        name: 'cluster-cpu',
        title: 'What replication costs',
        unit: 'CPU seconds of all brokers per GB produced',
        better: 'lower',
        ...groupedBars(rows, label, 'cpu s/GB', 'who'),
      },
    ]
  },
  latency: (rows) => [
    delays(rows, 'cluster-latency', 'Three replicas: delay at 10 MB/s of 1 KiB records, acks=all'),
  ],
  idle: (rows) => [
    {
      kind: 'lines',
      name: 'cluster-idle',
      title: 'What partitions of three replicas cost that nobody uses',
      unit: '% of a core, each of three brokers',
      better: 'lower',
      x: { label: 'partitions', ticks: rows.map((row) => Number(row.partitions).toLocaleString('en')) },
      isLogarithmic: false,
      lines: [{ name: 'CPU', values: rows.map((row) => figure(row, 'cpu % of a core, each broker')) }],
    },
  ],
}
