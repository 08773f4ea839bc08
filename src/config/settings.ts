/**
 * The settings in force: parsed from text (file, environment, flags, AlterConfigs), checked against the table.
 * Pure: reading the file and the environment is the caller's part.
 */
import { Refused } from '../base/errors.ts'
import { type Row, unlimited } from './row.ts'
import { type SettingName, type SettingValue, table, topicSettingDefaults } from './table.ts'

/** Where a value came from, strongest last. */
export type Source = 'default' | 'file' | 'environment' | 'flag' | 'dynamic-default' | 'dynamic'

interface Held {
  readonly value: boolean | number | string
  readonly text: string
  readonly source: Source
}

const rank: { readonly [S in Source]: number } = {
  default: 0,
  file: 1,
  environment: 2,
  flag: 3,
  'dynamic-default': 4,
  dynamic: 5,
}

/** Kafka's aliases in other units, folded into the name that holds: `log.retention.hours` counts as ms. */
const aliases: { readonly [alias: string]: { readonly name: SettingName; readonly factor: number } } = {
  'log.retention.hours': { name: 'log.retention.ms', factor: 3_600_000 },
  'log.retention.minutes': { name: 'log.retention.ms', factor: 60_000 },
  'log.roll.hours': { name: 'log.roll.ms', factor: 3_600_000 },
}

export class Settings {
  readonly #held = new Map<SettingName, Map<Source, Held>>()

  /**
   * A topic setting's name (`retention.ms`) sets the broker's default of it.
   * @throws Refused INVALID_CONFIG, with a sentence that names the setting.
   */
  set(name: string, text: string, source: Exclude<Source, 'default'>): void {
    const alias = aliases[name]
    if (alias !== undefined) {
      const count = Number(text.trim())
      if (!Number.isFinite(count)) throw invalid(name, `wants a number, not '${text}'`)
      this.set(alias.name, String(count < 0 ? -1 : count * alias.factor), source)
      return
    }
    const broker = topicSettingDefaults.get(name)
    if (broker !== undefined && !isSettingName(name)) {
      this.set(broker, text, source)
      return
    }
    if (!isSettingName(name)) throw invalid(name, `is not a setting${suggestion(name)}`)
    const value = parse(name, table[name], text)
    const bySource = this.#held.get(name) ?? new Map<Source, Held>()
    bySource.set(source, { value, text: text.trim(), source })
    this.#held.set(name, bySource)
  }

  /** Forgets everything that one source said. */
  forget(source: Exclude<Source, 'default'>): void {
    for (const bySource of this.#held.values()) bySource.delete(source)
  }

  get<N extends SettingName>(name: N): SettingValue<N> {
    return (this.#strongest(name)?.value ?? table[name].default) as SettingValue<N>
  }

  /** The value as text, and where it came from: for DescribeConfigs. */
  describe(name: SettingName): { text: string; source: Source } {
    const held = this.#strongest(name)
    return held === undefined
      ? { text: textOf(table[name].default), source: 'default' }
      : { text: held.text, source: held.source }
  }

  /** Every source that says something about a setting, strongest first, the default last. */
  synonyms(name: SettingName): readonly { text: string; source: Source }[] {
    const held = [...(this.#held.get(name)?.values() ?? [])].sort((a, b) => rank[b.source] - rank[a.source])
    return [
      ...held.map(({ text, source }) => ({ text, source })),
      { text: textOf(table[name].default), source: 'default' },
    ]
  }

  #strongest(name: SettingName): Held | undefined {
    let strongest: Held | undefined
    for (const held of this.#held.get(name)?.values() ?? []) {
      if (strongest === undefined || rank[held.source] > rank[strongest.source]) strongest = held
    }
    return strongest
  }
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(table, name)
}

/** Kafka writes "no limit" as Long.MAX_VALUE; so does DescribeConfigs here. */
export function textOf(value: boolean | number | string): string {
  return value === unlimited ? '9223372036854775807' : String(value)
}

/** Parses and checks one value. @throws Refused INVALID_CONFIG */
export function parse(name: string, row: Row<unknown>, text: string): boolean | number | string {
  const trimmed = text.trim()
  switch (row.type) {
    case 'boolean':
      if (trimmed !== 'true' && trimmed !== 'false') throw invalid(name, `wants true or false, not '${text}'`)
      return trimmed === 'true'
    case 'int':
    case 'long':
    case 'double':
      return parseNumber(name, row, trimmed)
    case 'string':
    case 'list': {
      const why = row.refused?.[trimmed]
      if (why !== undefined) throw invalid(name, `'${trimmed}' ${why}`)
      if (row.oneOf !== undefined && !row.oneOf.includes(trimmed)) {
        throw invalid(name, `wants one of ${row.oneOf.join(', ')}, not '${text}'`)
      }
      return trimmed
    }
  }
}

function parseNumber(name: string, row: Row<unknown>, text: string): number {
  const pattern = row.type === 'double' ? /^-?\d+(\.\d+)?$/ : /^-?\d+$/
  if (!pattern.test(text))
    throw invalid(name, `wants a ${row.type === 'double' ? 'number' : 'whole number'}, not '${text}'`)
  const exact = Number(text)
  const value = exact > unlimited ? unlimited : exact
  if (row.type === 'int' && Math.abs(value) > 2 ** 31) throw invalid(name, `does not fit 32 bits: ${text}`)
  if (row.min !== undefined && value < row.min)
    throw invalid(name, `must be at least ${row.min}, not ${text}`)
  if (row.max !== undefined && value > row.max) throw invalid(name, `must be at most ${row.max}, not ${text}`)
  return value
}

function invalid(name: string, what: string): Refused {
  return new Refused('INVALID_CONFIG', `setting '${name}' ${what}`)
}

/** The nearest known name, for a slip of the finger. */
function suggestion(name: string): string {
  let best = ''
  let bestDistance = 4
  for (const known of Object.keys(table)) {
    const distance = editDistance(name, known, bestDistance)
    if (distance < bestDistance) {
      best = known
      bestDistance = distance
    }
  }
  return best === '' ? '' : `; did you mean '${best}'?`
}

function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? bound
}
