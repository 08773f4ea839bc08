/** One page of all results: plots and tables, in itself, without a script. */
import type { Row } from '../report.ts'
import { draw } from './draw.ts'
import type { Plot } from './plot.ts'
import { colours, escaped, plotStyle } from './svg.ts'

export interface Section {
  readonly title: string
  /** When, on what. */
  readonly notes: readonly string[]
  readonly plots: readonly Plot[]
  readonly rows: readonly Row[]
}

export interface Chapter {
  readonly title: string
  readonly command: string
  readonly sections: readonly Section[]
}

export function pageOf(chapters: readonly Chapter[]): string {
  const contents = chapters.map(({ title }, n) => `<a href="#c${n}">${escaped(title)}</a>`).join('')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lograft: benchmarks</title>
<style>${colours}${plotStyle}${pageStyle}</style>
</head>
<body>
<header>
<h1>lograft: benchmarks</h1>
<p>Batches are made beforehand and sent again and again, so what is measured is the broker. Read figures as ratios within one run:
contestants take turns, the first round is thrown away, the middle of the others counts.</p>
<nav>${contents}</nav>
</header>
${chapters.map(chapterOf).join('\n')}
</body>
</html>
`
}

function chapterOf({ title, command, sections }: Chapter, n: number): string {
  return `<section class="chapter" id="c${n}"><h2>${escaped(title)}</h2><p><code>${escaped(command)}</code></p>
${sections.map(sectionOf).join('\n')}</section>`
}

function sectionOf({ title, notes, plots, rows }: Section): string {
  const figures = plots.map((plot) => `<figure>${draw(plot)}</figure>`).join('\n')
  return `<article><h3>${escaped(title)}</h3><p class="notes">${notes.map(escaped).join(' · ')}</p>
<div class="plots">${figures}</div>
<details${plots.length === 0 ? ' open' : ''}><summary>All figures</summary><div class="wide">${tableOf(rows)}</div></details></article>`
}

function tableOf(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {})
  const head = columns.map((column) => `<th>${escaped(column)}</th>`).join('')
  const body = rows.map((row) => `<tr>${columns.map((column) => cellOf(row[column])).join('')}</tr>`)
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`
}

function cellOf(cell: string | number | undefined): string {
  const words = typeof cell === 'number' ? cell.toLocaleString('en') : (cell ?? '')
  const isFigure = words !== '' && Number.isFinite(Number(words.replaceAll(',', '')))
  return `<td${isFigure ? ' class="figure"' : ''}>${escaped(words)}</td>`
}

const pageStyle = `
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 1000px; background: var(--surface); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .25rem; padding-top: 1rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.05rem; margin: 2rem 0 .1rem; }
p { max-width: 46rem; }
nav a { color: var(--s0); margin-right: 1.25rem; }
.notes { color: var(--soft); margin: 0 0 .75rem; font-size: .9em; }
figure { margin: 0 0 1rem; border: 1px solid var(--grid); border-radius: 8px; overflow: hidden; max-width: 760px; }
figure svg { display: block; width: 100%; height: auto; }
code { background: var(--grid); padding: .1em .4em; border-radius: 4px; font-size: .9em; }
summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85em; margin-top: .5rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--grid); text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
.figure { text-align: right; font-variant-numeric: tabular-nums; }
`
