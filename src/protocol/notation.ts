/**
 * The notation for every byte that leaves this process in a message: Kafka's APIs, messages between peers,
 * replicated changes and images. An object literal is the definition; its static types are inferred, its
 * codecs are compiled.
 *
 *     topics: array({
 *       topic: string.until(13).ignorable,         // versions 4-12
 *       topicId: uuid.since(13).ignorable,         // versions 13 on
 *       partitions: array({ partition: int32, currentLeaderEpoch: int32.since(9).or(-1).ignorable }),
 *     })
 *
 * Key order is wire order; the type comes first, then when the field exists, then what its absence means. One
 * static type serves all versions: a decoded value has every field, with its default where the version lacks
 * it.
 *
 * The default of a field without `.or` is Kafka's: 0, false, '', the zero uuid, no bytes, no elements, a
 * struct of defaults; null when it is nullable. Names are Kafka's own in camelCase.
 */
import { assert } from '../base/assert.ts'
import type { Reader, Writer } from '../base/bytes.ts'
import { compileDecoder, compileEncoder } from './compiler.ts'

export { zeroUuid } from '../base/uuid.ts'

/** Methods of Reader and Writer that are called by the name of the type. */
export type Primitive =
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'nearest64'
  | 'bigint64'
  | 'uint16'
  | 'uint32'
  | 'float64'
  | 'bool'
  | 'uuid'

export type Type =
  | { readonly kind: Primitive }
  | { readonly kind: 'string' | 'bytes' | 'records' }
  | { readonly kind: 'array'; readonly element: AnyField }
  | { readonly kind: 'struct'; readonly shape: Shape }

/**
 * When a field exists and what its absence means. Versions are numbers of the api or layout it is used in.
 */
export interface Presence {
  /** First version with the field. */
  readonly since: number
  /** First version without it again. */
  readonly until: number
  /** First version in which it may be null; Infinity: never. */
  readonly nullableSince: number
  /** Number of the tagged field that holds it, in flexible versions. */
  readonly tag: number | null
  /** What stands for it when it is absent; undefined: the default of its type. */
  readonly default: unknown
  /** Encoding does without it: its default is written. The other fields must be given. */
  readonly isOmittable: boolean
  /** May be left out silently where the version lacks it, even when it is not its default. */
  readonly isIgnorable: boolean
  /** Keeps the classic encoding in flexible versions. */
  readonly isClassic: boolean
}

const always: Presence = {
  since: 0,
  until: Infinity,
  nullableSince: Infinity,
  tag: null,
  default: undefined,
  isOmittable: false,
  isIgnorable: false,
  isClassic: false,
}

/**
 * A field: `Out` is what decoding gives, `In` what encoding takes, `Omittable` whether encoding does without
 * it. Immutable: every modifier answers a new one.
 */
export class Field<Out, In = Out, Omittable extends boolean = false> {
  /** Exist for the type checker only. */
  declare readonly out: Out
  declare readonly in: In
  declare readonly omittable: Omittable

  constructor(
    readonly type: Type,
    readonly presence: Presence = always,
  ) {}

  /** May be null in every version. */
  get nullable(): Field<Out | null, In | null, Omittable> {
    return this.nullableSince(0)
  }

  /** May be null from this version on. */
  nullableSince(version: number): Field<Out | null, In | null, Omittable> {
    return this.with({ nullableSince: version })
  }

  /** Exists from this version on. */
  since(version: number): Field<Out, In, true> {
    return this.with({ since: version, isOmittable: true })
  }

  /** Exists below this version: `until(13)` is there in 12. */
  until(version: number): Field<Out, In, true> {
    return this.with({ until: version, isOmittable: true })
  }

  /** Travels as a tagged field, and only when it is not its default (KIP-482). */
  tag(number: number): Field<Out, In, true> {
    return this.with({ tag: number, isOmittable: true })
  }

  /** What stands for it where the version lacks it, or where encoding was not given it. */
  or(value: Out): Field<Out, In, true> {
    return this.with({ default: value, isOmittable: true })
  }

  /**
   * Encoding leaves it out of versions that lack it, whatever its value; else only its default may be left
   * out.
   */
  get ignorable(): Field<Out, In, Omittable> {
    return this.with({ isIgnorable: true })
  }

  /** Keeps the classic encoding in flexible versions, as the client id of the request header does. */
  get classic(): Field<Out, In, Omittable> {
    return this.with({ isClassic: true })
  }

  private with<O, I, M extends boolean>(change: Partial<Presence>): Field<O, I, M> {
    return new Field<O, I, M>(this.type, { ...this.presence, ...change })
  }
}

/** For positions that hold a field of whatever type. */
export type AnyField = Field<unknown, unknown, boolean>

/** Fields in wire order. */
export type Shape = { readonly [name: string]: AnyField }

/** What decoding gives: every field, whatever the version. */
export type Decoded<S extends Shape> = { -readonly [K in keyof S]: S[K]['out'] }

/**
 * What encoding takes: fields that have a default of their own or are limited to some versions may be
 * omitted.
 */
export type Input<S extends Shape> = Simplify<
  { readonly [K in keyof S as S[K]['omittable'] extends true ? never : K]: S[K]['in'] } & {
    readonly [K in keyof S as S[K]['omittable'] extends true ? K : never]?: S[K]['in'] | undefined
  }
>

type Simplify<T> = { [K in keyof T]: T[K] }

export const int8 = new Field<number>({ kind: 'int8' })
export const int16 = new Field<number>({ kind: 'int16' })
export const int32 = new Field<number>({ kind: 'int32' })
/** A safe integer; other numbers are malformed, or a broken assertion when written. */
export const int64 = new Field<number>({ kind: 'int64' })
/**
 * An int64 as the nearest number. For what clients choose freely and we compare or hand back, but never count
 * on: offsets they ask for (2^63-1 for "beyond the end") and timestamps (in nanoseconds, by mistake).
 * Malformed would be too harsh.
 */
export const nearest64 = new Field<number>({ kind: 'nearest64' })
export const bigint64 = new Field<bigint>({ kind: 'bigint64' })
export const uint16 = new Field<number>({ kind: 'uint16' })
export const uint32 = new Field<number>({ kind: 'uint32' })
export const float64 = new Field<number>({ kind: 'float64' })
export const bool = new Field<boolean>({ kind: 'bool' })
/** Canonical form: lower case, 8-4-4-4-12 digits. */
export const uuid = new Field<string>({ kind: 'uuid' })
/** UTF-8, at most 32767 bytes. */
export const string = new Field<string>({ kind: 'string' })
/** Decoding gives a slice of the frame: no copy. */
export const bytes = new Field<Buffer>({ kind: 'bytes' })
/**
 * Record batches: bytes that may come as several buffers. Encoding sends the buffers as they are, without a
 * copy, and an empty list as zero bytes. Decoding gives one slice of the frame, or the empty list; null
 * (which brokers should not send, and some do) reads as the empty list unless the field is nullable.
 */
export const records = new Field<readonly Buffer[]>({ kind: 'records' })

export function struct<S extends Shape>(shape: S): Field<Decoded<S>, Input<S>> {
  return new Field({ kind: 'struct', shape })
}

/** An array of a field, or of structs of a shape. */
export function array<F extends AnyField>(element: F): Field<F['out'][], readonly F['in'][]>
export function array<S extends Shape>(element: S): Field<Decoded<S>[], readonly Input<S>[]>
export function array(element: AnyField | Shape): AnyField {
  return new Field({ kind: 'array', element: element instanceof Field ? element : struct(element) })
}

/** Encoders and decoders of one definition, for each of its versions. */
export interface Layout<S extends Shape> {
  readonly shape: S
  readonly min: number
  readonly max: number
  readonly isFlexible: (version: number) => boolean
  /** @throws Malformed; may leave bytes unread: `reader.expectEnd` is the caller's. */
  decode(reader: Reader, version: number): Decoded<S>
  encode(writer: Writer, value: Input<S>, version: number): void
}

interface LayoutOptions {
  /** First and last version, both included. */
  readonly versions: readonly [number, number]
  /** First flexible version (KIP-482), null for none. */
  readonly flexible: number | null
  /** For the sentences of errors. */
  readonly name?: string
}

/** The decoded value of a layout. */
export type ValueOf<L> = L extends Layout<infer S> ? Decoded<S> : never
/** What the encoder of a layout takes. */
export type ValueInput<L> = L extends Layout<infer S> ? Input<S> : never

/**
 * The notation for what is not an API: headers, consumer protocol, messages between peers, replicated
 * changes, images. Codecs are compiled when first used.
 */
export function layout<S extends Shape>(shape: S, options: LayoutOptions): Layout<S> {
  const [min, max] = options.versions
  const name = options.name ?? 'layout'
  const isFlexible = (version: number) => options.flexible !== null && version >= options.flexible
  const target = (version: number) => {
    assert(Number.isInteger(version) && version >= min && version <= max, `${name} v${version} is defined`)
    return { name, version, isFlexible: isFlexible(version) }
  }
  const decoders = perVersion((version) => compileDecoder<Decoded<S>>(shape, target(version)))
  const encoders = perVersion((version) => compileEncoder<Input<S>>(shape, target(version)))
  return {
    shape,
    min,
    max,
    isFlexible,
    decode: (reader, version) => decoders(version)(reader),
    encode: (writer, value, version) => encoders(version)(writer, value),
  }
}

/** Compiles on first use: most versions of most APIs are never asked for. */
function perVersion<Codec>(compile: (version: number) => Codec): (version: number) => Codec {
  const codecs: Codec[] = []
  return (version) => {
    const known = codecs[version]
    if (known !== undefined) return known
    const codec = compile(version)
    codecs[version] = codec
    return codec
  }
}

/** One Kafka API: a pair of layouts and where they are used. */
export interface Api<Q extends Shape, R extends Shape> extends AnyApi {
  readonly decodeRequest: (reader: Reader, version: number) => Decoded<Q>
  readonly encodeRequest: (writer: Writer, value: Input<Q>, version: number) => void
  readonly decodeResponse: (reader: Reader, version: number) => Decoded<R>
  readonly encodeResponse: (writer: Writer, value: Input<R>, version: number) => void
}

/** An API of whatever types, for lists of them and for dispatch. */
export interface AnyApi {
  readonly key: number
  readonly name: string
  /** First and last version that is defined, and served. */
  readonly min: number
  readonly max: number
  /**
   * First version that ApiVersions names; below `min` only where old clients would draw wrong conclusions.
   */
  readonly advertisedMin: number
  /** First flexible version, null for none. */
  readonly flexible: number | null
  readonly requestShape: Shape
  readonly responseShape: Shape
  readonly isFlexible: (version: number) => boolean
  readonly requestHeaderVersion: (version: number) => 1 | 2
  readonly responseHeaderVersion: (version: number) => 0 | 1
  /** @throws Malformed, also when bytes are left, unless the API tolerates them. */
  readonly decodeRequest: (reader: Reader, version: number) => unknown
  readonly encodeRequest: (writer: Writer, value: never, version: number) => void
  /** @throws Malformed, also when bytes are left. */
  readonly decodeResponse: (reader: Reader, version: number) => unknown
  readonly encodeResponse: (writer: Writer, value: never, version: number) => void
}

export type RequestOf<A extends AnyApi> = ReturnType<A['decodeRequest']>
export type ResponseOf<A extends AnyApi> = ReturnType<A['decodeResponse']>
export type RequestInput<A extends AnyApi> = Parameters<A['encodeRequest']>[1]
export type ResponseInput<A extends AnyApi> = Parameters<A['encodeResponse']>[1]

interface ApiDefinition<Q extends Shape, R extends Shape> {
  readonly key: number
  readonly name: string
  /** First and last version, both included. */
  readonly versions: readonly [number, number]
  /** First version that ApiVersions names, when that is lower than the first that is served. */
  readonly advertisedMin?: number
  readonly flexible: number | null
  /** Bytes behind a request are passed over: for an API of which a client in wide use sends too many. */
  readonly toleratesTail?: boolean
  readonly request: Q
  readonly response: R
}

const apiVersionsKey = 18

/** Defines an API. Codecs are compiled when first used. */
export function api<Q extends Shape, R extends Shape>(definition: ApiDefinition<Q, R>): Api<Q, R> {
  const { key, name, versions, flexible } = definition
  const request = layout(definition.request, { versions, flexible, name: `${name} request` })
  const response = layout(definition.response, { versions, flexible, name: `${name} response` })
  // Also asked for versions that are not served: the answer to an unknown version of ApiVersions needs the
  // header.
  const isFlexible = request.isFlexible
  return {
    key,
    name,
    min: versions[0],
    max: versions[1],
    advertisedMin: definition.advertisedMin ?? versions[0],
    flexible,
    requestShape: definition.request,
    responseShape: definition.response,
    isFlexible,
    requestHeaderVersion: (version) => (isFlexible(version) ? 2 : 1),
    // A client that asks for ApiVersions does not know yet what the broker speaks (KIP-511).
    responseHeaderVersion: (version) => (isFlexible(version) && key !== apiVersionsKey ? 1 : 0),
    decodeRequest(reader, version) {
      const value = request.decode(reader, version)
      if (definition.toleratesTail !== true) reader.expectEnd(name)
      return value
    },
    encodeRequest: (writer, value, version) => request.encode(writer, value, version),
    decodeResponse(reader, version) {
      const value = response.decode(reader, version)
      reader.expectEnd(name)
      return value
    },
    encodeResponse: (writer, value, version) => response.encode(writer, value, version),
  }
}
