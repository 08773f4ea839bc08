/** Plots and rows of bench/results/client.json, which is kept by work and library. */
import type { Row } from '../report.ts'
import type { Plot } from './plot.ts'

export type ClientResults = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>
>

const own = 'lograft'

export function clientRows(results: ClientResults): Row[] {
  return Object.entries(results).flatMap(([work, libraries]) =>
    Object.entries(libraries).map(([library, figures]) => ({
      work,
      library,
      'records/s': Math.round(figures.rate ?? Number.NaN),
      'cpu s per million': (figures.cpuPerMillion ?? Number.NaN).toFixed(2),
      "the broker's": (figures.brokerCpuPerMillion ?? Number.NaN).toFixed(2),
      'peak MiB': Math.round(figures.peakMiB ?? Number.NaN),
      'loop late p99 ms': (figures.delayP99Ms ?? Number.NaN).toFixed(1),
    })),
  )
}

export function clientPlots(results: ClientResults): Plot[] {
  const others = [...new Set(Object.values(results).flatMap((libraries) => Object.keys(libraries)))]
    .filter((library) => library !== own)
    .slice(0, 4)
  if (others.length === 0) return []
  const rows = Object.entries(results).map(([work, libraries]) => ({
    label: work.replace('1024 B', '1 KiB'),
    values: others.map((other) => {
      const ratio = (libraries[own]?.rate ?? Number.NaN) / (libraries[other]?.rate ?? Number.NaN)
      return Number.isFinite(ratio) ? ratio : null
    }),
  }))
  return [
    {
      kind: 'bars',
      name: 'client',
      title: "lograft's client beside others",
      unit: 'records per second, to those of each other library',
      better: 'higher',
      series: others.map((other) => `to ${other}`),
      reference: { value: 1, label: 'as fast as the other' },
      rows,
    },
  ]
}
