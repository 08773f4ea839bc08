/** Plots of bench/results/latest.json. */
import type { Row } from '../report.ts'
import { barsOf, figure, groupedBars, readable } from './cells.ts'
import { consumingPlots } from './consuming.ts'
import { delays } from './delays.ts'
import { flatPlots } from './flat.ts'
import type { Aim, Plot } from './plot.ts'
import { producingPlots } from './producing.ts'

export const oneBroker: Readonly<Record<string, (rows: readonly Row[]) => Plot[]>> = {
  startup: (rows) => [
    {
      kind: 'bars',
      name: 'startup',
      title: 'From the command to the ready line',
      unit: 'milliseconds, median',
      better: 'lower',
      series: ['ms'],
      rows: barsOf(
        rows.filter(({ unit }) => unit === 'ms'),
        ({ what }) => String(what),
        'median',
      ),
    },
  ],
  ...producingPlots,
  ...consumingPlots,
  latency: (rows) => [delays(rows, 'latency', 'Delay at 10 MB/s of 1 KiB records, acks=all')],
  recovery: (rows) => {
    const columns = Object.keys(rows[0] ?? {}).filter((column) => column.endsWith(', ms'))
    return [
      {
        kind: 'lines',
        name: 'recovery',
        title: 'Start by size of the log, one segment',
        unit: 'milliseconds to the ready line',
        better: 'lower',
        x: { label: 'MB of log', ticks: rows.map((row) => Number(row['log MB']).toLocaleString('en')) },
        isLogarithmic: false,
        lines: columns.map((column) => ({
          name: column.replace(', ms', ''),
          values: rows.map((row) => figure(row, column)),
        })),
      },
    ]
  },
  flat: flatPlots,
  limits: (rows) => [
    {
      kind: 'bars',
      name: 'limits',
      title: 'The broker beside bare programs that do the least its work demands',
      unit: 'throughput of the broker to that of the program',
      better: 'higher',
      series: ['ratio'],
      reference: { value: 1, label: 'as fast as the bare program' },
      rows: rows
        .filter(({ who }) => who !== 'broker')
        .map((row) => ({
          label: `${readable(String(row.work).replace('batches of ', ''))}: ${shortOf(String(row.who))}`,
          values: [figure(row, 'broker to it')],
          ...limitAim(String(row.work), String(row.who)),
        })),
    },
  ],
  stalls: (rows) => [
    {
      kind: 'bars',
      name: 'stalls',
      title: "How late the broker's event loop is under load",
      unit: 'milliseconds',
      better: 'lower',
      series: ['p99', 'most'],
      rows: rows.map((row) => ({
        label: String(row.load),
        values: [figure(row, 'late p99 ms'), figure(row, 'max ms')],
        aim: { value: 50, kind: 'at most' },
      })),
    },
  ],
  fairness: (rows) => [
    {
      kind: 'bars',
      name: 'fairness',
      title: 'What a patient client waits beside greedy ones',
      unit: 'milliseconds, p99',
      better: 'lower',
      ...groupedBars(rows, (row) => String(row.greedy), 'p99 ms', 'patient'),
    },
  ],
}

/** Not synced, and fetches: to a program that does the same. Synced: to a loop of nothing but writes and syncs. */
function limitAim(work: string, who: string): { aim: Aim } | Record<never, never> {
  const isSynced = work.startsWith('produce synced')
  if (isSynced !== who.startsWith('write and fdatasync')) return {}
  return { aim: { value: isSynced ? 0.7 : 0.6, kind: 'at least' } }
}

function shortOf(program: string): string {
  return program.replace(' with crc32c', ' + crc32c').replace(' alone', '')
}
