/** The report of the benchmarks: what it shows, and that it needs nothing but itself. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { drawBars } from '../../bench/plots/bars.ts'
import { drawLines } from '../../bench/plots/lines.ts'
import { writeReport } from '../../bench/plots/write.ts'

const flatRow = { what: 'append', axis: 'partitions', unit: 'CPU us a batch', cost: '98', 'at most': 1.5 }
const suite = (rows: object[]) => ({ measured: '2026-11-21T00:00:00.000Z', isQuick: true, rows })

/** Elements that were opened and not closed, or the other way round. */
function unbalanced(markup: string): string[] {
  const open: string[] = []
  for (const [, slash, name = '', , alone] of markup.matchAll(/<(\/?)([a-z]+)((?:\s[^<>]*?)?)(\/?)>/g)) {
    if (alone === '/') continue
    if (slash === '') open.push(name)
    else if (open.pop() !== name) return [`</${name}>`]
  }
  return open
}

t.test('a page and a picture for each plot, of what was measured', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-report-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const suites = {
    flat: suite([
      { ...flatRow, size: 1, 'to the smallest': '1.00' },
      { ...flatRow, size: 10_000, 'to the smallest': '1.31' },
      { ...flatRow, what: 'start', 'at most': '', size: 1, 'to the smallest': '1.00' },
    ]),
    'never drawn <&>': suite([{ what: 'a & b', figure: 7 }]),
  }
  writeFileSync(
    join(folder, 'latest.json'),
    JSON.stringify({ machine: { node: 'v20.0.0', cores: 2, cpu: 'x' }, suites }),
  )
  writeReport(folder)

  t.same(readdirSync(folder).toSorted(), ['flat-partitions.svg', 'latest.json', 'report.html'])
  const page = readFileSync(join(folder, 'report.html'), 'utf8')
  t.match(page, 'Cost of a batch by number of partitions')
  t.match(page, '1.31')
  t.match(page, 'aim: at most 1.5')
  t.match(page, 'never drawn &lt;&amp;&gt;', 'a suite that nobody drew has its table')
  t.notMatch(page, /<script|<link|src=|url\(/, 'it needs nothing else')
  t.match(page, 'prefers-color-scheme: dark')
  t.notMatch(page, /NaN|undefined/)
  const svg = readFileSync(join(folder, 'flat-partitions.svg'), 'utf8')
  t.match(svg, 'prefers-color-scheme: dark', 'a picture alone has its colours with it')
  t.same(unbalanced(svg), [])
})

t.test('a column that is called otherwise now is not passed over', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-report-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const suites = { flat: suite([{ ...flatRow, size: 1, 'to the least': '1.00' }]) }
  writeFileSync(join(folder, 'latest.json'), JSON.stringify({ suites }))
  t.throws(() => writeReport(folder), /plot 'flat-partitions': no figure for 'append'/)
})

t.test('bars say whether they meet their aim', async (t) => {
  const head = { kind: 'bars', name: 'x', title: 'x', unit: 'x', better: 'higher', series: ['x'] } as const
  const drawn = (value: number, kind: 'at least' | 'at most') =>
    drawBars({ ...head, rows: [{ label: 'row', values: [value], aim: { value: 1.5, kind } }] })
  t.match(drawn(1.6, 'at least'), 'at least 1.5 ✓')
  t.notMatch(drawn(1.4, 'at least'), '1.5 ✓')
  t.match(drawn(1.4, 'at most'), 'at most 1.5 ✓')
  t.notMatch(drawn(1.6, 'at most'), '1.5 ✓')
  t.match(drawBars({ ...head, rows: [{ label: 'row', values: [null] }] }), 'row', 'what was not measured')
})

t.test('figures at the ends of lines do not cover each other', async (t) => {
  const svg = drawLines({
    kind: 'lines',
    name: 'x',
    title: 'x',
    unit: 'ms',
    better: 'lower',
    x: { label: 'size', ticks: ['1', '10'] },
    isLogarithmic: true,
    lines: [10, 10.1, 10.2].map((end) => ({ name: `to ${end}`, values: [1, end] })),
  })
  const places = [...svg.matchAll(/<text x="[\d.]+" y="([\d.]+)" class="value"/g)].map(([, y]) => Number(y))
  t.equal(places.length, 3)
  for (const [n, y] of places.entries()) {
    if (n > 0) t.ok(y - (places[n - 1] ?? 0) >= 12, `${y}`)
  }
  t.same(unbalanced(svg), [])
})
