/** Plots of producing into one broker. */
import type { Row } from '../report.ts'
import { barsOf, bytes, figure, groupedBars } from './cells.ts'
import type { Plot } from './plot.ts'

export const producingPlots: Readonly<Record<string, (rows: readonly Row[]) => Plot[]>> = {
  produce: (rows) => {
    const label = (row: Row) => `${bytes(row['record B'])} records in ${bytes(row['batch B'])}`
    const head = { kind: 'bars', series: [] } as const
    return [
      {
        ...head,
        name: 'produce-throughput',
        title: 'Produce throughput of one broker, acks=all',
        unit: 'MB/s, six partitions',
        better: 'higher',
        ...groupedBars(rows, label, 'MB/s', 'flush'),
      },
      {
        ...head,
        name: 'produce-cpu',
        title: 'What producing costs the broker, acks=all',
        unit: 'CPU seconds per GB',
        better: 'lower',
        ...groupedBars(rows, label, 'cpu s/GB', 'flush'),
      },
    ]
  },
  linkedin: (rows) => [
    {
      kind: 'bars',
      name: 'linkedin',
      title: "LinkedIn's load of 2014: 100 B records, 6 partitions, acks=1",
      unit: 'records per second',
      better: 'higher',
      series: ['records/s'],
      rows: barsOf(
        rows,
        (row) =>
          `${row.producers} ${row.producers === 1 ? 'producer' : 'producers'}, ${bytes(row['batch B'])}`,
        'records/s',
        'at least',
      ),
    },
  ],
  openmessaging: (rows) => [
    {
      kind: 'bars',
      name: 'openmessaging',
      title: 'Settings of OpenMessaging Benchmark: 1 KiB records, acks=all',
      unit: 'MB/s by partitions',
      better: 'higher',
      ...groupedBars(
        rows.map((row) => ({ ...row, batches: `batches of ${bytes(row['batch B'])}` })),
        (row) => `${row.partitions} ${row.partitions === 1 ? 'partition' : 'partitions'}`,
        'MB/s',
        'batches',
      ),
    },
  ],
  acks: (rows) => [
    {
      kind: 'bars',
      name: 'acks',
      title: 'What an acknowledgement costs: 1 KiB records in 64 KiB',
      unit: 'MB/s',
      better: 'higher',
      ...groupedBars(rows, (row) => `acks=${row.acks}`, 'MB/s', 'flush'),
    },
  ],
  codecs: (rows) => [
    {
      kind: 'bars',
      name: 'codecs',
      title: 'Batches of 64 KiB on the wire, by codec: the broker looks into none',
      unit: 'CPU seconds per GB on the wire',
      better: 'lower',
      series: ['produce', 'fetch'],
      rows: rows.map((row) => ({
        label: String(row.codec),
        values: [figure(row, 'cpu s/GB'), figure(row, 'fetch cpu s/GB')],
      })),
    },
  ],
}
