/**
 * The TypeScript type of what an Avro schema describes, worked out by the compiler.
 *
 * int, long, float, double are numbers (a long beyond 2^53 is refused, not rounded); bytes and fixed are Buffers; a union is
 * a union of its branches; a field with a default may be left out when written. A name refers to the record that it stands
 * in; a name of another place is `unknown`.
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

/** What is read. `Env`: the records around, by name. */
export type AvroValue<S, Env = unknown> = S extends keyof Primitives
  ? Primitives[S]
  : S extends string
    ? S extends keyof Env
      ? AvroValue<Env[S], Env>
      : unknown
    : S extends readonly (infer B)[]
      ? B extends unknown
        ? AvroValue<B, Env>
        : never
      : S extends RecordSchema
        ? RecordValue<S['fields'], Env & { [N in S['name']]: S }>
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
