import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Malformed, Reader, Writer } from '../../src/base/bytes.ts'
import { apiByKey } from '../../src/protocol/apis.ts'
import type { AnyApi, AnyField, Shape } from '../../src/protocol/notation.ts'
import { readGolden, restrict } from './golden.ts'

type Direction = 'Request' | 'Response'

function decode(api: AnyApi, direction: Direction, version: number, bytes: Buffer): unknown {
  return api[`decode${direction}`](new Reader(bytes), version)
}

function encode(api: AnyApi, direction: Direction, version: number, value: unknown): Buffer {
  const writer = new Writer()
  api[`encode${direction}`](writer, value as never, version)
  return writer.toBuffer()
}

/** Any value of the fields that the version has; the others are left to their defaults. */
function anyStruct(
  shape: Shape,
  version: number,
  isFlexible: boolean,
): fc.Arbitrary<Record<string, unknown>> {
  const present = Object.entries(shape).filter(([, { presence }]) => {
    return version >= presence.since && version < presence.until && (presence.tag === null || isFlexible)
  })
  return fc.record(
    Object.fromEntries(present.map(([name, field]) => [name, anyField(field, version, isFlexible)])),
    { noNullPrototype: true },
  )
}

function anyField(field: AnyField, version: number, isFlexible: boolean): fc.Arbitrary<unknown> {
  const value = anyValue(field, version, isFlexible)
  return version >= field.presence.nullableSince ? fc.option(value, { freq: 4 }) : value
}

function anyValue({ type }: AnyField, version: number, isFlexible: boolean): fc.Arbitrary<unknown> {
  const buffer = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  switch (type.kind) {
    case 'int8':
      return fc.integer({ min: -128, max: 127 })
    case 'int16':
      return fc.integer({ min: -32768, max: 32767 })
    case 'uint16':
      return fc.integer({ min: 0, max: 65535 })
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.nat({ max: 0xffffffff })
    case 'int64':
      return fc.maxSafeInteger()
    case 'nearest64':
      return fc.oneof(fc.maxSafeInteger(), fc.constantFrom(-(2 ** 63), 2 ** 63, 2 ** 60 + 2 ** 10))
    case 'bigint64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float64':
      return fc.double()
    case 'bool':
      return fc.boolean()
    case 'uuid':
      return fc.uuid()
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 200 })
    case 'bytes':
      return buffer
    case 'records':
      return buffer.map((bytes) => (bytes.length === 0 ? [] : [bytes]))
    case 'array':
      return fc.array(anyField(type.element, version, isFlexible), { maxLength: 4 })
    case 'struct':
      return anyStruct(type.shape, version, isFlexible)
  }
}

/** How many values a decoded value is made of: what it takes in memory, near enough. */
function weigh(value: unknown): number {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 1
  return Object.values(value).reduce<number>((sum, inner) => sum + weigh(inner), 1)
}

t.test('what is encoded decodes to itself, whatever it is', async (t) => {
  for (const api of apiByKey.values()) {
    for (const direction of ['Request', 'Response'] as const) {
      const shape = direction === 'Request' ? api.requestShape : api.responseShape
      for (let version = api.min; version <= api.max; version++) {
        const property = fc.property(anyStruct(shape, version, api.isFlexible(version)), (value) => {
          const bytes = encode(api, direction, version, value)
          const decoded = decode(api, direction, version, bytes) as Record<string, unknown>
          deepStrictEqual(restrict(decoded, value), value)
          deepStrictEqual(Object.keys(decoded), Object.keys(shape))
        })
        fc.assert(property, { numRuns: 10 })
      }
    }
    t.pass(api.name)
  }
})

t.test('damaged messages are malformed, or mean something: nothing else, and nothing large', async (t) => {
  const golden = readGolden().filter(({ direction, bytes }) => direction !== 'value' && bytes.length > 4)
  const kebab = (name: string) => name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase()
  const apiByFile = new Map([...apiByKey.values()].map((api) => [`${kebab(api.name)}.tsv`, api]))
  const damage = fc.record({
    at: fc.nat(),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc
        .constantFrom('7fffffff', 'ffffffff', '7fff', 'ffffffff0f', 'fe', 'ff7f', '00')
        .map((hex) => Buffer.from(hex, 'hex')),
    ),
  })
  let refused = 0
  let meant = 0
  const property = fc.property(
    fc.nat(),
    fc.array(damage, { minLength: 1, maxLength: 3 }),
    (pick, damages) => {
      const { file, direction, version, bytes } = golden[pick % golden.length]!
      const api = apiByFile.get(file)!
      const damaged = Buffer.from(bytes)
      for (const { at, bytes } of damages)
        damaged.set(bytes.slice(0, damaged.length), at % Math.max(damaged.length - bytes.length, 1))
      try {
        const value = decode(api, direction === 'request' ? 'Request' : 'Response', version, damaged)
        // A struct of a few bytes has at most a dozen fields, most of them defaults of versions that it is
        // not of.
        if (weigh(value) > 100 + 12 * damaged.length)
          throw new Error(`${weigh(value)} values from ${damaged.length} bytes`)
        meant++
      } catch (error) {
        if (!(error instanceof Malformed)) throw error
        refused++
      }
    },
  )
  fc.assert(property, { numRuns: 20_000 })
  t.ok(refused > 5000 && meant > 1000, `${refused} malformed, ${meant} read`)
})
