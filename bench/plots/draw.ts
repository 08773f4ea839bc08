import { drawBars } from './bars.ts'
import { drawLines } from './lines.ts'
import type { Plot } from './plot.ts'

/** The SVG of a plot; see `standingAlone` for a file of its own. @throws Error when a line, or the bars of a series, have no figure at all */
export function draw(plot: Plot): string {
  const empty = withoutFigures(plot)
  if (empty !== undefined)
    throw new Error(`plot '${plot.name}': no figure for '${empty}'; is its column called otherwise now?`)
  return plot.kind === 'bars' ? drawBars(plot) : drawLines(plot)
}

function withoutFigures(plot: Plot): string | undefined {
  const isEmpty = (values: readonly (number | null)[]): boolean => values.every((value) => value === null)
  if (plot.kind === 'lines') return plot.lines.find(({ values }) => isEmpty(values))?.name
  return plot.series.find((_, s) => isEmpty(plot.rows.map(({ values }) => values[s] ?? null)))
}
