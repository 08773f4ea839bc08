/**
 * Avro values with a schema registry, in the wire format that all its clients share:
 *
 *     byte 0          int32, big endian
 *     0 (the magic)   id of the writer's schema    the value in Avro's binary form
 *
 * Written with the schema that is given here; read with the schema that it was written with, then resolved to this one by
 * Avro's rules, so that writers and readers need not change on the same day.
 * @source https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/#wire-format
 * @source Avro 1.11, "Schema Resolution"
 */

import avsc, { type Type } from 'avsc'
import { messageOf } from '../src/base/errors.ts'
import { ambiguousUnion, LogicalValue, logicalTypes } from './avro-logical.ts'
import type { AvroValue, LogicalTypes } from './avro-types.ts'

export type { AvroValue, LogicalTypes } from './avro-types.ts'

import { InvalidArgument, RegistryFailed, SerdeFailed } from './errors.ts'
import type { SchemaReference, SchemaRegistry } from './schema-registry.ts'
import { present, type Serde, type SerdeContext } from './serdes.ts'

export interface AvroOptions<L extends LogicalTypes = LogicalTypes> {
  /**
   * 'values', the default: Dates, days and decimals (see avro-logical.ts); 'base': numbers and Buffers, as if the schema said
   * nothing of logical types.
   */
  readonly logicalTypes?: L
  /** Under which subject a schema is kept. 'orders-value' and 'orders-key' when absent, as in all clients. */
  readonly subject?: (context: SerdeContext) => string
  /** Registers the schema when it is new; false: it must be there. */
  readonly register?: boolean
  /** Writers' schemas that are remembered. */
  readonly writersMax?: number
}

interface Writer {
  readonly type: Type
  /** null when it is the reader's own schema. */
  readonly resolver: object | null
}

const magic = 0
const headerBytes = 5
/** One large value is no reason to keep as much for ever. */
const scratchBytesMax = 1024 * 1024

/** @throws InvalidArgument when the schema is none */
export function avro<const S, L extends LogicalTypes = 'values'>(
  registry: SchemaRegistry,
  schema: S,
  options: AvroOptions<L> = {},
): Serde<AvroValue<S, L>> {
  return new AvroSerde<AvroValue<S, L>>(registry, schema, options)
}

class AvroSerde<T> implements Serde<T> {
  readonly #registry: SchemaRegistry
  readonly #options: AvroOptions
  readonly #type: Type
  readonly #schema: string
  /** By subject. */
  readonly #ids = new Map<string, number>()
  /** By id. */
  readonly #writers = new Map<number, Writer>()
  #scratch = Buffer.allocUnsafe(1024)

  constructor(registry: SchemaRegistry, schema: unknown, options: AvroOptions) {
    this.#registry = registry
    this.#options = options
    try {
      this.#type = this.#typeOf(schema)
    } catch (cause) {
      throw new InvalidArgument(`this is not an Avro schema: ${messageOf(cause)}`)
    }
    const union = ambiguousUnion(this.#type)
    if (union !== null) {
      throw new InvalidArgument(
        `values of two branches of ${JSON.stringify(union)} look alike; with logicalTypes: 'base' they may not`,
      )
    }
    this.#schema = JSON.stringify(schema)
  }

  serialize(value: T, context: SerdeContext): Buffer | Promise<Buffer> {
    const subject = this.#options.subject?.(context) ?? `${context.topic}-${context.part}`
    const id = this.#ids.get(subject)
    if (id !== undefined) return this.#encode(value, id)
    return this.#identify(subject).then((found) => this.#encode(value, found))
  }

  deserialize(encoded: Buffer | null): T | Promise<T> {
    const bytes = present(encoded)
    if (bytes.length < headerBytes || bytes[0] !== magic) {
      throw new SerdeFailed('these are not bytes of a schema registry client: the first byte is not 0')
    }
    const id = bytes.readInt32BE(1)
    const writer = this.#writers.get(id)
    if (writer !== undefined) return this.#decode(bytes, writer)
    return this.#writer(id).then((found) => this.#decode(bytes, found))
  }

  async #identify(subject: string): Promise<number> {
    const { register = true } = this.#options
    const id = await (register
      ? this.#registry.register(subject, this.#schema)
      : this.#registry.lookup(subject, this.#schema))
    this.#ids.set(subject, id)
    return id
  }

  #encode(value: T, id: number): Buffer {
    let end: number
    try {
      end = this.#type.encode(value, this.#scratch, headerBytes)
      if (end < 0) {
        // As much as was missing, and some to spare.
        this.#scratch = Buffer.allocUnsafe((this.#scratch.length - end) * 2)
        end = this.#type.encode(value, this.#scratch, headerBytes)
      }
    } catch (cause) {
      throw new SerdeFailed(misfit(this.#type, value, cause), { cause })
    }
    this.#scratch[0] = magic
    this.#scratch.writeInt32BE(id, 1)
    const encoded = Buffer.from(this.#scratch.subarray(0, end))
    if (this.#scratch.length > scratchBytesMax) this.#scratch = Buffer.allocUnsafe(1024)
    return encoded
  }

  #decode(bytes: Buffer, { type, resolver }: Writer): T {
    try {
      const body = bytes.subarray(headerBytes)
      return (resolver === null ? type.fromBuffer(body) : this.#type.fromBuffer(body, resolver)) as T
    } catch (cause) {
      throw new SerdeFailed(`the value is not of its schema ${bytes.readInt32BE(1)}: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  async #writer(id: number): Promise<Writer> {
    const { schema, schemaType, references } = await this.#registry.schema(id)
    if (schemaType !== 'AVRO') throw new SerdeFailed(`schema ${id} is ${schemaType}, not Avro`)
    let writer: Writer
    try {
      const named: Record<string, Type> = {}
      await this.#include(references, named, new Set())
      const type = this.#typeOf(JSON.parse(schema), named)
      // With all attributes: to `equals`, schemas that differ in logical types only are the same.
      const isOurs = JSON.stringify(type) === JSON.stringify(this.#type)
      writer = { type, resolver: isOurs ? null : this.#type.createResolver(type) }
    } catch (cause) {
      if (cause instanceof SerdeFailed || cause instanceof RegistryFailed) throw cause
      throw new SerdeFailed(`schema ${id} cannot be read as this one: ${messageOf(cause)}`, { cause })
    }
    const [oldest] = this.#writers.keys()
    if (this.#writers.size >= (this.#options.writersMax ?? 1_000) && oldest !== undefined)
      this.#writers.delete(oldest)
    this.#writers.set(id, writer)
    return writer
  }

  /** What a schema refers to comes first, each once. */
  async #include(
    references: readonly SchemaReference[],
    named: Record<string, Type>,
    seen: Set<string>,
  ): Promise<void> {
    for (const { subject, version } of references) {
      const key = `${subject} ${version}`
      if (seen.has(key)) continue
      seen.add(key)
      const referred = await this.#registry.version(subject, version)
      await this.#include(referred.references, named, seen)
      this.#typeOf(JSON.parse(referred.schema), named)
    }
  }

  #typeOf(schema: unknown, registry: Record<string, Type> = {}): Type {
    // Unions as they are, not wrapped by the name of the branch: what JSON and TypeScript users expect.
    return avsc.Type.forSchema(schema as avsc.Schema, {
      registry,
      wrapUnions: 'never',
      omitRecordMethods: true,
      ...(this.#options.logicalTypes === 'base' ? {} : { typeHook: logicalTypes() }),
    })
  }
}

/** Where in the value, in words. */
function misfit(type: Type, value: unknown, cause: unknown): string {
  const wrong: string[] = []
  type.isValid(value, {
    errorHook: (path, part, wanted) => {
      const place = path.length === 0 ? 'the value' : path.join('.')
      const what = wanted instanceof LogicalValue ? wanted.face.wanted : wanted.toString()
      wrong.push(`${place} must be ${what}, not ${shown(part)}`)
    },
  })
  return wrong.length === 0 ? messageOf(cause) : wrong.join('; ')
}

function shown(value: unknown): string {
  if (value === undefined) return 'absent'
  return typeof value === 'object' && value !== null
    ? 'an object'
    : `${JSON.stringify(value) ?? typeof value}`
}
