/** Bars that lie: what they are called stands before them, what they measure behind. */
import { headOf, margin, width } from './frame.ts'
import type { BarPlot, BarRow } from './plot.ts'
import { linear } from './scale.ts'
import { element, picture, shown, text, tip, widthOf } from './svg.ts'

const barHeight = 15
const barGap = 2
const rowGap = 12

export function drawBars(plot: BarPlot): string {
  const { series, rows, reference } = plot
  const hasAims = rows.some(({ aim }) => aim !== undefined)
  const marks = [
    ...(hasAims ? [{ mark: line('aim', 6, 0, 6, 12), words: 'aim (✓ met)' }] : []),
    ...(reference === undefined ? [] : [{ mark: line('reference', 6, 0, 6, 12), words: reference.label }]),
  ]
  const head = headOf(plot, series, marks)
  const left = margin + Math.min(380, Math.max(...rows.map(({ label }) => widthOf(label)))) + 10
  // Where lines cross the bars, figures stand in a column of their own: at the ends of the bars they would be crossed, too.
  const hasColumn = hasAims || reference !== undefined
  const aimWidth = hasAims ? Math.max(...rows.map((row) => widthOf(aimWords(row)))) + 14 : 0
  const valuesAt = width - margin - aimWidth
  const values = rows.flatMap((row) => [...row.values, row.aim?.value ?? null])
  const most = Math.max(reference?.value ?? 0, ...values.map((value) => value ?? 0))
  const scale = linear(most, [left, valuesAt - 52])
  const rowHeight = series.length * (barHeight + barGap) + rowGap
  const bottom = head.bottom + rows.length * rowHeight
  const parts = [head.markup]
  for (const tick of scale.ticks) {
    parts.push(line(tick === 0 ? 'axis' : 'grid', scale.at(tick), head.bottom, scale.at(tick), bottom))
    parts.push(text(scale.at(tick), bottom + 18, shown(tick), { 'text-anchor': 'middle' }))
  }
  if (reference !== undefined) {
    const x = scale.at(reference.value)
    parts.push(line('reference', x, head.bottom, x, bottom))
  }
  for (const [n, row] of rows.entries()) {
    const top = head.bottom + n * rowHeight + rowGap / 2
    const middle = top + (rowHeight - rowGap) / 2
    parts.push(text(left - 10, middle + 3, row.label, { 'text-anchor': 'end' }))
    for (const [s, value] of row.values.entries()) {
      if (value === null) continue
      const y = top + s * (barHeight + barGap)
      const words = [row.label, series.length > 1 ? series[s] : '', shown(value)].filter(
        (word) => word !== '',
      )
      parts.push(
        element('path', { class: `f${s}`, d: barPath(left, scale.at(value), y) }, tip(words.join(': '))),
      )
      const place = hasColumn ? valuesAt : Math.max(left, scale.at(value)) + 6
      const anchor = hasColumn ? 'end' : 'start'
      parts.push(text(place, y + 12, shown(value), { class: 'value', 'text-anchor': anchor }))
    }
    if (row.aim === undefined) continue
    const x = scale.at(row.aim.value)
    parts.push(line('aim', x, top - 3, x, top + rowHeight - rowGap + 1))
    parts.push(text(width - margin, middle + 3, aimWords(row), { 'text-anchor': 'end' }))
  }
  return picture({ width, height: bottom + 34 }, plot.title, parts.join(''))
}

function aimWords({ aim, values }: BarRow): string {
  if (aim === undefined) return ''
  const isMet = values.every(
    (value) => value === null || (aim.kind === 'at least' ? value >= aim.value : value <= aim.value),
  )
  return `${aim.kind} ${shown(aim.value)} ${isMet ? '✓' : '–'}`
}

function line(className: string, x1: number, y1: number, x2: number, y2: number): string {
  return element('line', { class: className, x1, y1, x2, y2 })
}

/** Square where it begins, round where it ends. */
function barPath(from: number, to: number, y: number): string {
  const length = Math.max(1, to - from)
  const r = Math.min(4, length)
  return `M${from} ${y}h${(length - r).toFixed(1)}a${r} ${r} 0 0 1 ${r} ${r}v${barHeight - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}h${(r - length).toFixed(1)}z`
}
