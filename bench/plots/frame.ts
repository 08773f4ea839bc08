/** What stands above every plot: its title, its unit, which way is better, and what the colours mean. */
import type { PlotHead } from './plot.ts'
import { element, text, widthOf } from './svg.ts'

export const width = 760
export const margin = 20

export interface Head {
  readonly markup: string
  /** Where the plot itself may begin. */
  readonly bottom: number
}

/** @param marks what else the legend tells of: markup of 16 by 12 pixels, and its words */
export function headOf(
  plot: PlotHead,
  series: readonly string[],
  marks: readonly { readonly mark: string; readonly words: string }[] = [],
): Head {
  const better = plot.better === 'higher' ? '▲ higher is better' : '▼ lower is better'
  const parts = [
    text(margin, 30, plot.title, { class: 'title' }),
    text(margin, 50, plot.unit),
    text(width - margin, 50, better, { 'text-anchor': 'end' }),
  ]
  const named = series.length > 1 ? series.map((words, n) => ({ mark: swatch(n), words })) : []
  const entries = [...named, ...marks]
  let [x, y] = [margin, 74]
  for (const { mark, words } of entries) {
    const room = 20 + widthOf(words) + 18
    if (x > margin && x + room > width - margin) [x, y] = [margin, y + 20]
    parts.push(element('g', { transform: `translate(${Math.round(x)} ${y - 10})` }, mark))
    parts.push(text(x + 20, y, words))
    x += room
  }
  return { markup: parts.join(''), bottom: entries.length === 0 ? 66 : y + 16 }
}

function swatch(n: number): string {
  return element('rect', { class: `f${n}`, y: 0, width: 12, height: 12, rx: 3 })
}
