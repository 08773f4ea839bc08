import { drawBars } from './bars.ts'
import { drawLines } from './lines.ts'
import type { Plot } from './plot.ts'

/** The SVG of a plot; see `standingAlone` for a file of its own. */
export function draw(plot: Plot): string {
  return plot.kind === 'bars' ? drawBars(plot) : drawLines(plot)
}
