/** Settings as DescribeConfigs shows them. @source KIP-133, KIP-226, KIP-569 */

import type { Row, SettingType } from '../config/row.ts'
import { isSettingName, type Settings, type Source, textOf } from '../config/settings.ts'
import { type SettingName, table, topicSettingDefaults } from '../config/table.ts'

/** Kafka's ConfigEntry.ConfigSource. */
const source = {
  topic: 1,
  dynamic: 2,
  'dynamic-default': 3,
  file: 4,
  environment: 4,
  flag: 4,
  default: 5,
} as const satisfies { readonly [S in Source | 'topic']: number }

/** Kafka's ConfigDef.Type. */
const types: { readonly [T in SettingType]: number } = {
  boolean: 1,
  string: 2,
  int: 3,
  long: 5,
  double: 6,
  list: 7,
}

export interface ConfigEntry {
  readonly name: string
  readonly value: string
  readonly readOnly: boolean
  readonly configSource: number
  /** What clients of version 0 are told in place of the source. */
  readonly isDefault: boolean
  readonly isSensitive: boolean
  readonly synonyms: readonly { readonly name: string; readonly value: string; readonly source: number }[]
  readonly configType: number
  readonly documentation: string
}

/** All settings of a topic, or those asked for. */
export function describeTopic(
  settings: Settings,
  configs: ReadonlyMap<string, string>,
  keys: readonly string[] | null,
): ConfigEntry[] {
  return [...topicSettingDefaults]
    .filter(([name]) => keys === null || keys.includes(name))
    .map(([name, broker]) => {
      const row: Row<unknown> = table[broker]
      const own = configs.get(name)
      const inherited = synonymsOf(settings, broker)
      const synonyms =
        own === undefined ? inherited : [{ name, value: own, source: source.topic }, ...inherited]
      return entry(name, row, synonyms, false)
    })
}

/** All settings of a broker, or those asked for. */
export function describeBroker(settings: Settings, keys: readonly string[] | null): ConfigEntry[] {
  return (Object.keys(table) as SettingName[])
    .filter((name) => keys === null || keys.includes(name))
    .map((name) => {
      const row: Row<unknown> = table[name]
      return entry(name, row, synonymsOf(settings, name), row.scope !== 'dynamic')
    })
}

/** What was set for all brokers together. */
export function describeBrokerDefaults(
  configs: ReadonlyMap<string, string>,
  keys: readonly string[] | null,
): ConfigEntry[] {
  return (
    [...configs]
      .filter(([name]) => keys === null || keys.includes(name))
      // What another release knew has no effect here, and no description.
      .flatMap(([name, value]) =>
        isSettingName(name)
          ? [entry(name, table[name], [{ name, value, source: source['dynamic-default'] }], false)]
          : [],
      )
  )
}

function synonymsOf(settings: Settings, name: SettingName) {
  return settings.synonyms(name).map((held) => ({ name, value: held.text, source: source[held.source] }))
}

function entry(
  name: string,
  row: Row<unknown>,
  synonyms: ConfigEntry['synonyms'],
  readOnly: boolean,
): ConfigEntry {
  const strongest = synonyms[0]
  return {
    name,
    value: strongest?.value ?? textOf(row.default as string),
    readOnly,
    configSource: strongest?.source ?? source.default,
    isDefault: (strongest?.source ?? source.default) === source.default,
    isSensitive: false,
    synonyms,
    configType: types[row.type],
    documentation: row.doc,
  }
}
