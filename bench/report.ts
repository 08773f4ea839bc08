/** Runs suites, prints their tables, keeps what they measured in bench/results, and draws it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { keepMemoryFull, settleMachine } from './page-cache.ts'
import { writeReport } from './plots/write.ts'

export type Row = Readonly<Record<string, string | number>>
export type Suite = (options: { isQuick: boolean }) => Promise<Row[]>

interface Kept {
  readonly machine: Row
  readonly suites: Readonly<Record<string, { measured: string; isQuick: boolean; rows: Row[] }>>
}

export const resultsFolder = fileURLToPath(new URL('../../bench/results/', import.meta.url))

/** `only` names the suites, by commas; what a file holds of the others stays. @throws for a suite that is none */
export async function report(
  file: string,
  suites: Readonly<Record<string, Suite>>,
  { only, quick }: { only?: string | undefined; quick: boolean },
): Promise<void> {
  const wanted = only?.split(',') ?? Object.keys(suites)
  const unknown = wanted.find((name) => suites[name] === undefined)
  if (unknown !== undefined)
    throw new Error(`there is no suite '${unknown}': ${Object.keys(suites).join(', ')}`)
  if (!quick) keepMemoryFull()
  for (const name of wanted) {
    settleMachine()
    process.stderr.write(`${name} ...\n`)
    const rows = (await suites[name]?.({ isQuick: quick })) ?? []
    process.stdout.write(`${name}\n${tableOf(rows)}\n\n`)
    keep(file, name, { measured: new Date().toISOString(), isQuick: quick, rows })
  }
  writeReport(resultsFolder)
  process.stderr.write(`kept in bench/results/${file}; all of them in bench/results/report.html\n`)
}

export function tableOf(rows: readonly Row[]): string {
  const table = new Table({ head: Object.keys(rows[0] ?? {}), style: { head: [], border: [] } })
  for (const row of rows) table.push(Object.values(row).map(String))
  return table.toString()
}

export function thisMachine(): Row {
  return {
    node: process.version,
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  }
}

function keep(file: string, name: string, suite: Kept['suites'][string]): void {
  mkdirSync(resultsFolder, { recursive: true })
  const path = resultsFolder + file
  const before: Partial<Kept> = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
  const kept: Kept = { machine: thisMachine(), suites: { ...before.suites, [name]: suite } }
  writeFileSync(path, `${JSON.stringify(kept, null, 2)}\n`)
}
