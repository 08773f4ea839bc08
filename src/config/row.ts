/** What a row of the table of settings is, and how one is written. */
export type SettingType = 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list'

export interface Row<T> {
  readonly type: SettingType
  readonly default: T
  /** Inclusive. */
  readonly min?: number
  readonly max?: number
  /** The values allowed, for strings and lists. */
  readonly oneOf?: readonly string[]
  /** Of Kafka's values, those that are known and not served yet: refused, with this sentence. */
  readonly refused?: { readonly [value: string]: string }
  readonly scope: 'broker' | 'dynamic'
  /** The name of the topic setting that this is the default of. */
  readonly topic?: string
  readonly doc: string
}

const maxInt = 2 ** 31 - 1
/** Kafka's Long.MAX_VALUE, as near as a number comes: "no limit". */
export const unlimited = Number.MAX_SAFE_INTEGER

type Options<T> = Omit<Row<T>, 'type' | 'default' | 'doc' | 'scope'> & { scope?: 'broker' | 'dynamic' }

export function row<T>(type: SettingType, value: T, doc: string, options: Options<T> = {}): Row<T> {
  return { type, default: value, doc, scope: 'broker', ...options }
}
export const int = (value: number, doc: string, options: Options<number> = {}) =>
  row('int', value, doc, { max: maxInt, ...options })
export const long = (value: number, doc: string, options: Options<number> = {}) =>
  row('long', value, doc, options)
export const boolean = (value: boolean, doc: string, options: Options<boolean> = {}) =>
  row('boolean', value, doc, options)
export const string = (value: string, doc: string, options: Options<string> = {}) =>
  row('string', value, doc, options)
