/**
 * Avro's logical types as values of JavaScript, where that has a value that holds each of them and nothing else:
 *
 *     timestamp-millis (long)      Date
 *     date (int)                   '2026-11-21': a day is no instant, and a Date of it is another day west of Greenwich
 *     decimal (bytes, fixed)       '-12.50', with all digits of its scale: exact, and what every library of decimals reads
 *     uuid (fixed of 16)           'c56a4180-65aa-42ec-a945-5fd21dec0538', as the one over a string is anyway
 *
 * All others are their base type. Among them are microseconds, on purpose: a Date would drop three digits in silence, a number
 * holds them exactly until the year 2255. Times of day are the numbers that they are.
 *
 * One that is not known, or not valid (a scale beyond the precision, over another base type), counts for nothing.
 * @source Avro 1.11, "Logical Types"
 */
import avsc, { type Type } from 'avsc'
import { decimalOf, unscaledOf } from './avro-decimal.ts'

interface Schema {
  readonly type?: unknown
  readonly logicalType?: unknown
  readonly precision?: unknown
  readonly scale?: unknown
  readonly size?: unknown
}

const msPerDay = 86_400_000

/** How a logical type looks to who writes and reads it. `base` is of the type that it is over. */
interface Face {
  /** What differs in it cannot be read as one another, though the bytes could be. */
  readonly unit: string
  /** What is wanted, to be said after 'must be'. */
  readonly wanted: string
  /** Of which sort its values are, to tell them apart in a union. */
  readonly sort: 'date' | 'string' | 'number'
  readonly attributes: Schema
  fromBase(base: never): unknown
  /** @throws Error when it is no such value */
  toBase(value: unknown): unknown
}

const timestamp: Face = {
  unit: 'timestamp-millis',
  wanted: 'a Date',
  sort: 'date',
  attributes: {},
  fromBase(ms: number) {
    const date = new Date(ms)
    if (Number.isNaN(date.getTime())) throw new Error(`no Date is ${ms} ms away from 1970`)
    return date
  },
  toBase(value) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new Error('not a valid Date')
    return value.getTime()
  },
}

const day: Face = {
  unit: 'date',
  wanted: "a day like '2026-11-21'",
  sort: 'string',
  attributes: {},
  fromBase: dayOf,
  toBase(value) {
    const days = typeof value === 'string' ? Date.parse(`${value}T00:00:00Z`) / msPerDay : Number.NaN
    // The parser takes February 30 for a day of March.
    if (Number.isNaN(days) || dayOf(days) !== value) throw new Error('not a day')
    return days
  },
}

function dayOf(days: number): string {
  const text = new Date(days * msPerDay).toISOString()
  return text.slice(0, text.indexOf('T'))
}

function decimal(precision: number, scale: number, size: number | null): Face {
  return {
    unit: `decimal of scale ${scale}`,
    wanted: `a decimal like '${decimalOf(Buffer.of(1), scale)}', of at most ${precision} digits, ${scale} of them behind the point`,
    sort: 'string',
    attributes: scale === 0 ? { precision } : { precision, scale },
    fromBase: (bytes: Buffer) => decimalOf(bytes, scale),
    toBase: (value) => unscaledOf(value, precision, scale, size),
  }
}

const uuid: Face = {
  unit: 'uuid',
  wanted: 'a UUID',
  sort: 'string',
  attributes: {},
  fromBase: (bytes: Buffer) => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  toBase(value) {
    const isOne = typeof value === 'string' && /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/i.test(value)
    if (!isOne) throw new Error('not a UUID')
    return Buffer.from(value.replaceAll('-', ''), 'hex')
  },
}

/** Values of the base type, which only must not be read as those of another unit. */
function plain(unit: string): Face {
  return {
    unit,
    wanted: `a whole number (${unit})`,
    sort: 'number',
    attributes: {},
    fromBase: (base) => base,
    toBase: (value) => value,
  }
}

const plainOnes = new Map([
  ['time-millis', 'int'],
  ['time-micros', 'long'],
  ['timestamp-micros', 'long'],
  ['local-timestamp-millis', 'long'],
  ['local-timestamp-micros', 'long'],
])

/** Digits that a two's complement of so many bytes always has room for. */
function digitsIn(size: number): number {
  return Math.floor(Math.log10(2) * (8 * size - 1))
}

/** null: nothing that counts. */
function faceOf({ type, logicalType, precision, scale = 0, size }: Schema): Face | null {
  if (logicalType === 'timestamp-millis') return type === 'long' ? timestamp : null
  if (logicalType === 'date') return type === 'int' ? day : null
  if (logicalType === 'uuid') return type === 'fixed' && size === 16 ? uuid : null
  if (logicalType === 'decimal') {
    if (type !== 'bytes' && type !== 'fixed') return null
    if (!isWhole(precision, 1) || !isWhole(scale, 0) || scale > precision) return null
    if (type === 'bytes') return decimal(precision, scale, null)
    return isWhole(size, 1) && precision <= digitsIn(size) ? decimal(precision, scale, size) : null
  }
  if (typeof logicalType !== 'string' || plainOnes.get(logicalType) !== type) return null
  return plain(logicalType)
}

function isWhole(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least
}

export class LogicalValue extends avsc.types.LogicalType {
  readonly face: Face

  constructor(schema: avsc.Schema, face: Face, options: unknown) {
    super(schema, options)
    this.face = face
  }

  override _fromValue(base: unknown): unknown {
    return this.face.fromBase(base as never)
  }

  override _toValue(value: unknown): unknown {
    return this.face.toBase(value)
  }

  /** How what `writer` read becomes a value of this one; undefined: by no means. */
  override _resolve(writer: Type): ((read: unknown) => unknown) | undefined {
    if (writer instanceof LogicalValue) {
      if (writer.face.unit !== this.face.unit) return undefined
      this.underlyingType.createResolver(writer.underlyingType)
      return (read) => read
    }
    const from = writer.typeName
    const to = this.underlyingType.typeName
    // Strings are promoted to bytes, but are no decimals.
    if (from !== to && !(from === 'int' && to === 'long')) return undefined
    this.underlyingType.createResolver(writer)
    return (read) => this._fromValue(read)
  }

  /** So that schemas that differ in this differ. */
  override _export(schema: avsc.Schema): void {
    Object.assign(schema, this.face.attributes)
  }
}

/** For avsc's `typeHook`: one for each schema that is parsed. */
export function logicalTypes(): (schema: unknown, options: unknown) => Type | undefined {
  let underlying: unknown
  return (schema, options) => {
    // What a logical type is over is made of the same schema, by way of this hook.
    if (schema === underlying) {
      underlying = undefined
      return undefined
    }
    const face = typeof schema === 'object' && schema !== null ? faceOf(schema) : null
    if (face === null) return undefined
    underlying = schema
    return new LogicalValue(schema as avsc.Schema, face, options)
  }
}

/** The first union that has two branches whose values are of one sort, so that no writer could choose; null: none. */
export function ambiguousUnion(type: Type, seen = new Set<Type>()): Type | null {
  if (seen.has(type)) return null
  seen.add(type)
  const { RecordType, ArrayType, MapType, UnwrappedUnionType } = avsc.types
  let parts: readonly Type[] = []
  if (type instanceof RecordType) parts = type.fields.map((field) => field.type)
  else if (type instanceof ArrayType) parts = [type.itemsType as Type]
  else if (type instanceof MapType) parts = [type.valuesType as Type]
  else if (type instanceof UnwrappedUnionType) {
    parts = type.types
    const sorts = parts.map(sortOf).filter((sort) => sort !== null)
    if (new Set(sorts).size < sorts.length) return type
  }
  for (const part of parts) {
    const found = ambiguousUnion(part, seen)
    if (found !== null) return found
  }
  return null
}

function sortOf(type: Type): string | null {
  if (type instanceof LogicalValue) return type.face.sort
  if (['string', 'enum'].includes(type.typeName)) return 'string'
  return ['int', 'long', 'float', 'double'].includes(type.typeName) ? 'number' : null
}
