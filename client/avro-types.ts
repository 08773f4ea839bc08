/**
 * The TypeScript type of what an Avro schema describes, worked out by the compiler.
 *
 * int, long, float, double are numbers (a long beyond 2^53 is refused, not rounded); bytes and fixed are Buffers; a union is
 * a union of its branches; a field with a default may be left out when written. A name refers to the record, enum or fixed
 * of that name anywhere in the schema (its namespace is not looked at); one that is nowhere there is `unknown`.
 * Logical types: avro-logical.ts says which are values of their own, unless they are left at their base type.
 */
export type LogicalTypes = 'values' | 'base'

export interface Primitives {
  null: null
  boolean: boolean
  int: number
  long: number
  float: number
  double: number
  bytes: Buffer
  string: string
}

export interface RecordSchema {
  readonly type: 'record' | 'error'
  readonly name: string
  readonly fields: readonly { readonly name: string; readonly type: unknown }[]
}

export type Simplify<T> = { [K in keyof T]: T[K] }

type LastPart<N extends string> = N extends `${string}.${infer Rest}` ? LastPart<Rest> : N

/** Every part of the schema that has a name. */
type NamedIn<S> = S extends readonly (infer B)[]
  ? NamedIn<B>
  : S extends RecordSchema
    ? S | NamedIn<S['fields'][number]['type']>
    : S extends { readonly type: 'enum' | 'fixed'; readonly name: string }
      ? S
      : S extends { readonly type: 'array'; readonly items: infer I }
        ? NamedIn<I>
        : S extends { readonly type: 'map'; readonly values: infer V }
          ? NamedIn<V>
          : S extends { readonly type: infer T }
            ? NamedIn<T>
            : never

/** By name. */
type NamesIn<S> = {
  [N in NamedIn<S> as N extends { readonly name: infer M extends string } ? LastPart<M> : never]: N
}

/** What logical types have values of their own; never: the others. */
type LogicalValueOf<S, L extends LogicalTypes> = L extends 'base'
  ? never
  : S extends { readonly type: 'long'; readonly logicalType: 'timestamp-millis' }
    ? Date
    : S extends { readonly type: 'int'; readonly logicalType: 'date' }
      ? string
      : S extends {
            readonly type: 'bytes' | 'fixed'
            readonly logicalType: 'decimal'
            readonly precision: number
          }
        ? string
        : S extends { readonly type: 'fixed'; readonly logicalType: 'uuid'; readonly size: 16 }
          ? string
          : never

/** What is read and written. `Env`: what has a name, by name. */
export type AvroValue<S, L extends LogicalTypes = 'values', Env = NamesIn<S>> = S extends keyof Primitives
  ? Primitives[S]
  : S extends string
    ? LastPart<S> extends keyof Env
      ? AvroValue<Env[LastPart<S>], L, Env>
      : unknown
    : S extends readonly (infer B)[]
      ? B extends unknown
        ? AvroValue<B, L, Env>
        : never
      : S extends RecordSchema
        ? RecordValue<S['fields'], L, Env>
        : [LogicalValueOf<S, L>] extends [never]
          ? S extends { readonly type: 'enum'; readonly symbols: readonly (infer Y)[] }
            ? Y
            : S extends { readonly type: 'array'; readonly items: infer I }
              ? AvroValue<I, L, Env>[]
              : S extends { readonly type: 'map'; readonly values: infer V }
                ? { [key: string]: AvroValue<V, L, Env> }
                : S extends { readonly type: 'fixed' }
                  ? Buffer
                  : S extends { readonly type: infer T }
                    ? AvroValue<T, L, Env>
                    : unknown
          : LogicalValueOf<S, L>

export type RecordValue<F extends RecordSchema['fields'], L extends LogicalTypes, Env> = Simplify<{
  -readonly [M in F[number] as M['name']]: AvroValue<M['type'], L, Env>
}>
