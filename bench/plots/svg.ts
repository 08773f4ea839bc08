/** SVG as text: elements, how wide words are, and the colours of both themes. */

export type Attributes = Readonly<Record<string, string | number | undefined>>

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** `content` is markup: text in it is escaped beforehand. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escaped(String(value))}"`)
    .join('')
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(words))
}

/** Tooltip of the element around it. */
export function tip(words: string): string {
  return element('title', {}, escaped(words))
}

/** About, for there is nobody to ask: fonts differ. A little more than most have. */
export function widthOf(words: string, fontSize = 12): number {
  return words.length * fontSize * 0.59
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

/** Numbers as people write them. */
export function shown(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return String(Number(value.toFixed(1)))
  return String(Number(value.toFixed(2)))
}

const light = `
  --surface: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --grid: #e1e0d9; --axis: #a3a29b;
  --s0: #2a78d6; --s1: #eb6834; --s2: #1baf7a; --s3: #4a3aa7;`
const dark = `
  --surface: #1a1a19; --ink: #ffffff; --soft: #c3c2b7; --grid: #33332f; --axis: #6f6e68;
  --s0: #3987e5; --s1: #d95926; --s2: #199e70; --s3: #9085e9;`

/** For the page and for each picture that stands alone. */
export const colours = `:root {${light} }
@media (prefers-color-scheme: dark) { :root {${dark} } }`

export const plotStyle = `
.plot { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
.plot text { fill: var(--soft); }
.plot .title { font-size: 15px; font-weight: 600; fill: var(--ink); }
.plot .value { fill: var(--ink); font-variant-numeric: tabular-nums; }
.plot .surface { fill: var(--surface); }
.plot .grid { stroke: var(--grid); stroke-width: 1; }
.plot .axis { stroke: var(--axis); stroke-width: 1; }
.plot .reference { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 3 3; }
.plot .aim { stroke: var(--ink); stroke-width: 3; }
.plot line.aim-line { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; }
.plot polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
${[0, 1, 2, 3].map((n) => `.plot .f${n} { fill: var(--s${n}); } .plot .l${n} { stroke: var(--s${n}); }`).join('\n')}
`

/** A picture; its style comes with it when it stands alone. */
export function picture(size: { width: number; height: number }, title: string, content: string): string {
  const { width, height } = size
  const surface = element('rect', { class: 'surface', width, height, rx: 8 })
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      class: 'plot',
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      width,
      height,
      role: 'img',
      'aria-label': title,
    },
    surface + content,
  )
}

export function standingAlone(svg: string): string {
  const at = svg.indexOf('>') + 1
  return `${svg.slice(0, at)}<style>${colours}${plotStyle}</style>${svg.slice(at)}\n`
}
