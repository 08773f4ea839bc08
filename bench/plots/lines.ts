/** Lines over ticks that are equally far apart: sizes by the power of ten, percentiles. */
import { headOf, margin, width } from './frame.ts'
import type { LinePlot } from './plot.ts'
import { linear, logarithmic } from './scale.ts'
import { element, picture, shown, text, tip } from './svg.ts'

const height = 250
/** Room for the figure at the end of a line. */
const endRoom = 64
const labelHeight = 15

export function drawLines(plot: LinePlot): string {
  const { lines, x, aim } = plot
  const aimMark = element('line', { class: 'aim-line', x1: 0, y1: 6, x2: 16, y2: 6 })
  const marks = aim === undefined ? [] : [{ mark: aimMark, words: `aim: ${aim.kind} ${shown(aim.value)}` }]
  const head = headOf(
    plot,
    lines.map(({ name }) => name),
    marks,
  )
  const [top, bottom] = [head.bottom, head.bottom + height]
  const [left, right] = [margin + 52, width - margin - endRoom]
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null))
  const all = aim === undefined ? values : [...values, aim.value]
  const most = Math.max(...all)
  const scale = plot.isLogarithmic
    ? logarithmic(Math.min(...all), most, [bottom, top])
    : linear(most, [bottom, top])
  const xOf = (n: number) =>
    x.ticks.length < 2 ? left : left + 12 + (n * (right - left - 24)) / (x.ticks.length - 1)
  const parts = [head.markup]
  for (const tick of scale.ticks) {
    const y = scale.at(tick)
    parts.push(
      element('line', {
        class: tick === scale.ticks[0] ? 'axis' : 'grid',
        x1: left,
        y1: y,
        x2: right,
        y2: y,
      }),
    )
    parts.push(text(left - 8, y + 4, shown(tick), { 'text-anchor': 'end' }))
  }
  for (const [n, tick] of x.ticks.entries())
    parts.push(text(xOf(n), bottom + 20, tick, { 'text-anchor': 'middle' }))
  parts.push(text((left + right) / 2, bottom + 40, x.label, { 'text-anchor': 'middle' }))
  if (aim !== undefined) {
    const y = scale.at(aim.value)
    parts.push(element('line', { class: 'aim-line', x1: left, y1: y, x2: right, y2: y }))
  }
  const ends: { y: number; words: string; x: number }[] = []
  for (const [n, { name, values: own }] of lines.entries()) {
    const points = own.flatMap((value, at) => (value === null ? [] : [{ value, at }]))
    const path = points
      .map(({ value, at }) => `${xOf(at).toFixed(1)},${scale.at(value).toFixed(1)}`)
      .join(' ')
    parts.push(element('polyline', { class: `l${n}`, points: path }))
    for (const { value, at } of points) {
      const dot = { class: `f${n}`, cx: xOf(at), cy: scale.at(value), r: 4 }
      parts.push(element('circle', dot, tip(`${name}, ${x.ticks[at]}: ${shown(value)}`)))
    }
    const last = points.at(-1)
    if (last !== undefined) ends.push({ y: scale.at(last.value), words: shown(last.value), x: xOf(last.at) })
  }
  for (const { x: at, y, words } of apart(ends)) parts.push(text(at + 10, y + 4, words, { class: 'value' }))
  return picture({ width, height: bottom + 56 }, plot.title, parts.join(''))
}

/** Figures that would cover each other are moved down. */
function apart<Label extends { readonly y: number }>(labels: readonly Label[]): Label[] {
  let free = Number.NEGATIVE_INFINITY
  return labels
    .toSorted((a, b) => a.y - b.y)
    .map((label) => {
      const y = Math.max(label.y, free)
      free = y + labelHeight
      return { ...label, y }
    })
}
