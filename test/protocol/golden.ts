import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AnyField, Shape } from '../../src/protocol/notation.ts'

/** One message whose bytes another implementation made; see golden/README.md. */
export interface Golden {
  readonly file: string
  readonly direction: 'request' | 'response' | 'value'
  readonly version: number
  readonly variant: string
  readonly bytes: Buffer
  /** Kafka's JSON; null when only the bytes are known. */
  readonly json: Record<string, unknown> | null
}

const folder = fileURLToPath(new URL('../../../test/protocol/golden/', import.meta.url))

/** All messages, one entry for each version of a range. */
export function readGolden(): Golden[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.tsv'))
  return files.flatMap((file) =>
    readFileSync(folder + file, 'utf8')
      .trimEnd()
      .split('\n')
      .flatMap((line) => parse(file, line)),
  )
}

function parse(file: string, line: string): Golden[] {
  const [direction, versions = '', variant = '', hex = '', json] = line.split('\t')
  if (direction !== 'request' && direction !== 'response' && direction !== 'value') throw new Error(line)
  const [first = Number.NaN, last = first] = versions.split('-').map(Number)
  const golden: Golden[] = []
  for (let version = first; version <= last; version++) {
    const value = json === undefined ? null : JSON.parse(json)
    golden.push({ file, direction, version, variant, bytes: Buffer.from(hex, 'hex'), json: value })
  }
  return golden
}

/** A value in Kafka's JSON as the notation has it; fields that are missing stay so. */
export function fromJson(shape: Shape, json: Record<string, unknown>): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(json)) {
    const field = shape[name]
    if (field === undefined) throw new Error(`${name} is not in the definition`)
    value[name] = fieldFromJson(field, inner)
  }
  return value
}

function fieldFromJson({ type }: AnyField, json: unknown): unknown {
  if (json === null) return null
  switch (type.kind) {
    case 'bytes':
      return Buffer.from(String(json), 'base64')
    case 'records':
      return json === '' ? [] : [Buffer.from(String(json), 'base64')]
    case 'uuid': {
      const hex = Buffer.from(String(json), 'base64url').toString('hex')
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    }
    case 'array':
      return (json as unknown[]).map((element) => fieldFromJson(type.element, element))
    case 'struct':
      return fromJson(type.shape, json as Record<string, unknown>)
    default:
      return json
  }
}

/**
 * `value` with only those fields that `like` has: a version that lacks some decodes them to their defaults.
 */
export function restrict(value: unknown, like: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(like))
    return value.map((element, i) => restrict(element, like[i]))
  if (!isPlain(value) || !isPlain(like)) return value
  return Object.fromEntries(Object.keys(like).map((name) => [name, restrict(value[name], like[name])]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value) && !Array.isArray(value)
}
