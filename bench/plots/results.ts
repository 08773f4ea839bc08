/** The kept results as chapters of the page. What was never measured is left out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row } from '../report.ts'
import { besideOthers } from './beside-others.ts'
import { type ClientResults, clientPlots, clientRows } from './clients.ts'
import { clusters } from './clusters.ts'
import { oneBroker } from './one-broker.ts'
import type { Chapter, Section } from './page.ts'
import type { Plot } from './plot.ts'

interface Kept {
  readonly machine?: Row
  readonly measured?: string
  readonly isQuick?: boolean
  readonly suites?: Readonly<Record<string, { measured: string; isQuick: boolean; rows: Row[] }>>
  readonly results?: ClientResults
  readonly unit?: string
  readonly timings?: Readonly<Record<string, { least: number; middle: number }>>
}

type PlotsOf = Readonly<Record<string, (rows: readonly Row[]) => Plot[]>>

export function chaptersOf(folder: string): Chapter[] {
  const read = (file: string): Kept | null =>
    existsSync(join(folder, file)) ? (JSON.parse(readFileSync(join(folder, file), 'utf8')) as Kept) : null
  const micro = readdirSync(folder).filter((name) => /^micro-.*\.json$/.test(name))
  const chapters: Chapter[] = [
    { title: 'One broker', command: 'npm run bench', sections: suitesOf(read('latest.json'), oneBroker) },
    {
      title: 'Beside other brokers',
      command: 'npm run bench:peers -- --kafka FOLDER --nats FOLDER',
      sections: suitesOf(read('peers.json'), besideOthers),
    },
    {
      title: 'A cluster',
      command: 'npm run bench:cluster',
      sections: suitesOf(read('cluster.json'), clusters),
    },
    { title: 'The client', command: 'npm run bench:client', sections: clientOf(read('client.json')) },
    {
      title: 'Single pieces',
      command: 'npm run bench:micro',
      sections: micro.flatMap((file) => microOf(file, read(file))),
    },
  ]
  return chapters.filter(({ sections }) => sections.length > 0)
}

function suitesOf(kept: Kept | null, plots: PlotsOf): Section[] {
  const measured = Object.entries(kept?.suites ?? {})
  // In the order of the plots, not of who measured last.
  const order = Object.keys(plots)
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  return measured
    .toSorted(([a], [b]) => place(a) - place(b))
    .map(([name, suite]) => ({
      title: name,
      notes: notesOf({ ...suite, ...(kept?.machine && { machine: kept.machine }) }),
      plots: plots[name]?.(suite.rows) ?? [],
      rows: suite.rows,
    }))
}

function clientOf(kept: Kept | null): Section[] {
  if (kept?.results === undefined) return []
  const { results } = kept
  return [{ title: 'client', notes: notesOf(kept), plots: clientPlots(results), rows: clientRows(results) }]
}

function microOf(file: string, kept: Kept | null): Section[] {
  if (kept?.timings === undefined) return []
  const rows = Object.entries(kept.timings).map(([piece, { least, middle }]) => ({
    piece,
    'least ns': Math.round(least),
    'middle ns': Math.round(middle),
  }))
  return [{ title: file.replace('.json', ''), notes: notesOf(kept), plots: [], rows }]
}

function notesOf({ measured, isQuick, machine }: Kept): string[] {
  const where =
    machine === undefined ? [] : [`${machine.cores} cores of ${machine.cpu}, Node ${machine.node}`]
  return [
    measured?.slice(0, 10) ?? '',
    ...where,
    isQuick === true ? 'a quick run: small amounts' : '',
  ].filter((note) => note !== '')
}
