/**
 * Typed keys and values: how they become bytes, and come back. A topic is declared once; what is sent to it and read from it
 * then has its types, at compile time and in the bytes.
 */
import { SerdeFailed } from './errors.ts'

export interface SerdeContext {
  readonly topic: string
  readonly part: 'key' | 'value'
}

/**
 * Both ways may answer at once or with a promise (a schema to be looked up); at once is what costs nothing. `null` is a record
 * without key, or a tombstone: most serdes refuse it, `nullable` lets it through.
 */
export interface Serde<T> {
  serialize(value: T, context: SerdeContext): Buffer | null | Promise<Buffer | null>
  deserialize(bytes: Buffer | null, context: SerdeContext): T | Promise<T>
}

export const string: Serde<string> = {
  serialize(value) {
    if (typeof value !== 'string') throw new SerdeFailed(`a string is wanted, not ${typeof value}`)
    return Buffer.from(value)
  },
  deserialize: (bytes) => present(bytes).toString(),
}

export const bytes: Serde<Buffer> = {
  serialize: (value) => value,
  deserialize: (value) => present(value),
}

/** JSON. `check` makes sure of what was read, and returns or throws; without it, T is taken on trust. */
export function json<T>(check?: (value: unknown) => T): Serde<T> {
  return {
    serialize(value) {
      const text = JSON.stringify(value)
      if (text === undefined) throw new SerdeFailed(`JSON has nothing for ${typeof value}`)
      return Buffer.from(text)
    },
    deserialize(encoded) {
      const value: unknown = JSON.parse(present(encoded).toString())
      return check === undefined ? (value as T) : check(value)
    },
  }
}

/** Lets null through: for keys that may be absent, and for topics with tombstones. */
export function nullable<T>(serde: Serde<T>): Serde<T | null> {
  return {
    serialize: (value, context) => (value === null ? null : serde.serialize(value, context)),
    deserialize: (encoded, context) => (encoded === null ? null : serde.deserialize(encoded, context)),
  }
}

/** @throws SerdeFailed */
export function present(encoded: Buffer | null): Buffer {
  if (encoded === null)
    throw new SerdeFailed('there is nothing, not even an empty value; `nullable` allows that')
  return encoded
}

/** What is in a topic. Without `key`, keys are bytes or null. */
export interface TopicType {
  readonly key?: Serde<unknown>
  readonly value: Serde<unknown>
}

export interface TopicTypes {
  readonly [topic: string]: TopicType
}

type TypeOf<S> = S extends { deserialize(bytes: Buffer | null, context: SerdeContext): infer R }
  ? Awaited<R>
  : never

export type ValueOf<D extends TopicType> = TypeOf<D['value']>
export type KeyOf<D extends TopicType> = D extends { readonly key: Serde<unknown> }
  ? TypeOf<D['key']>
  : Buffer | null
