import type { AnyApi } from './notation.ts'

/** The compatibility table of the README, in Markdown: one row for each API, closed by a line break. */
export function compatibilityTable(apis: Iterable<AnyApi>): string {
  const rows = [...apis].map((api) => `| ${api.key} | ${api.name} | ${versions(api)} | ${flexible(api)} |\n`)
  return `| key | API | versions | flexible from |\n|---:|---|---|---|\n${rows.join('')}`
}

function versions({ min, max, advertisedMin }: AnyApi): string {
  const served = min === max ? `${min}` : `${min}-${max}`
  return advertisedMin === min ? served : `${served} (advertised from ${advertisedMin})`
}

function flexible({ flexible, max }: AnyApi): string {
  return flexible === null || flexible > max ? '-' : `${flexible}`
}
