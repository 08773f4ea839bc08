/**
 * The TypeScript type of what an Avro schema describes, worked out by the compiler.
 *
 * int, long, float, double are numbers (a long beyond 2^53 is refused, not rounded); bytes and fixed are Buffers; a union is
 * a union of its branches; a field with a default may be left out when written. A name refers to the record, enum or fixed
 * of that name anywhere in the schema (its namespace is not looked at); one that is nowhere there is `unknown`.
 */
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

/** What is read. `Env`: what has a name, by name. */
export type AvroValue<S, Env = NamesIn<S>> = S extends keyof Primitives
  ? Primitives[S]
  : S extends string
    ? LastPart<S> extends keyof Env
      ? AvroValue<Env[LastPart<S>], Env>
      : unknown
    : S extends readonly (infer B)[]
      ? B extends unknown
        ? AvroValue<B, Env>
        : never
      : S extends RecordSchema
        ? RecordValue<S['fields'], Env>
        : S extends { readonly type: 'enum'; readonly symbols: readonly (infer Y)[] }
          ? Y
          : S extends { readonly type: 'array'; readonly items: infer I }
            ? AvroValue<I, Env>[]
            : S extends { readonly type: 'map'; readonly values: infer V }
              ? { [key: string]: AvroValue<V, Env> }
              : S extends { readonly type: 'fixed' }
                ? Buffer
                : S extends { readonly type: infer T }
                  ? AvroValue<T, Env>
                  : unknown

export type RecordValue<F extends RecordSchema['fields'], Env> = Simplify<{
  -readonly [M in F[number] as M['name']]: AvroValue<M['type'], Env>
}>
