/** Rows of results as they were kept: figures may be text, and what was not measured may be missing. */
import type { Row } from '../report.ts'
import type { Aim, BarRow, Line } from './plot.ts'

/** Null when there is none. */
export function figure(row: Row | undefined, key: string): number | null {
  const cell = row?.[key]
  if (cell === undefined || cell === '') return null
  const value = Number(cell)
  return Number.isFinite(value) ? value : null
}

export function aimOf(row: Row, kind: Aim['kind']): { aim: Aim } | Record<never, never> {
  const value = figure(row, kind)
  return value === null ? {} : { aim: { value, kind } }
}

/** One bar a row. */
export function barsOf(
  rows: readonly Row[],
  label: (row: Row) => string,
  key: string,
  kind?: Aim['kind'],
): BarRow[] {
  return rows.map((row) => ({
    label: label(row),
    values: [figure(row, key)],
    ...(kind !== undefined && aimOf(row, kind)),
  }))
}

/** Rows that differ in nothing but `seriesKey` become one row with a bar for each of its values. */
export function groupedBars(
  rows: readonly Row[],
  label: (row: Row) => string,
  key: string,
  seriesKey: string,
): { series: string[]; rows: BarRow[] } {
  const series = [...new Set(rows.map((row) => String(row[seriesKey])))]
  const labels = [...new Set(rows.map(label))]
  return {
    series,
    rows: labels.map((one) => ({
      label: one,
      values: series.map((name) =>
        figure(
          rows.find((row) => label(row) === one && String(row[seriesKey]) === name),
          key,
        ),
      ),
    })),
  }
}

/** A line for each value of `name`, over the values of `xKey` as they come. */
export function linesOf(
  rows: readonly Row[],
  name: (row: Row) => string,
  xKey: string,
  key: string,
): { ticks: string[]; lines: Line[] } {
  const ticks = [...new Set(rows.map((row) => String(row[xKey])))]
  const names = [...new Set(rows.map(name))]
  const at = (line: string, tick: string) =>
    rows.find((row) => name(row) === line && String(row[xKey]) === tick)
  return {
    ticks,
    lines: names.map((line) => ({ name: line, values: ticks.map((tick) => figure(at(line, tick), key)) })),
  }
}

export function bytes(size: number | string | undefined): string {
  const value = Number(size)
  if (value >= 1_048_576 && value % 1_048_576 === 0) return `${value / 1_048_576} MiB`
  if (value >= 1024 && value % 1024 === 0) return `${value / 1024} KiB`
  if (value >= 1e6) return `${value / 1e6} MB`
  return value >= 1000 ? `${value / 1000} kB` : `${value} B`
}

/** Sizes within words: '1024 B in 65.536 kB' is '1 KiB in 64 KiB'. */
export function readable(words: string): string {
  return words
    .replace(/([\d.]+) kB/g, (_, size) => bytes(Math.round(Number(size) * 1000)))
    .replace(/(\d+) B\b/g, (_, size) => bytes(size))
}
