import t from 'tap'
import { Malformed, Reader, Writer } from '../../src/base/bytes.ts'
import { apiByKey } from '../../src/protocol/apis.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/protocol/consumer-protocol.ts'
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
} from '../../src/protocol/header.ts'
import type { AnyApi } from '../../src/protocol/notation.ts'
import { fromJson, type Golden, readGolden, restrict } from './golden.ts'

const golden = readGolden()
const apis = [...apiByKey.values()]

/** orders-eu.tsv -> OrdersEu */
function nameOf(file: string): string {
  return file.replace('.tsv', '').replaceAll(/(^|-)(.)/g, (_, __, letter: string) => letter.toUpperCase())
}

const apiByName = new Map(apis.map((api) => [api.name, api]))
const apiByFile = new Map(golden.map(({ file }) => [file, apiByName.get(nameOf(file))]))

function apiOf({ file }: Golden): AnyApi {
  const api = apiByFile.get(file)
  if (api === undefined) throw new Error(`${file} belongs to no API`)
  return api
}

function decode(message: Golden, bytes: Buffer): unknown {
  const api = apiOf(message)
  const reader = new Reader(bytes)
  return message.direction === 'request'
    ? api.decodeRequest(reader, message.version)
    : api.decodeResponse(reader, message.version)
}

function encode(message: Golden, value: unknown): Buffer {
  const api = apiOf(message)
  const writer = new Writer()
  if (message.direction === 'request') api.encodeRequest(writer, value as never, message.version)
  else api.encodeResponse(writer, value as never, message.version)
  return Buffer.concat(writer.finish())
}

function expectedOf(message: Golden): unknown {
  const { requestShape, responseShape } = apiOf(message)
  return fromJson(message.direction === 'request' ? requestShape : responseShape, message.json ?? {})
}

/** By API and direction: a pass for each message would be thousands. */
function groups(): Map<string, Golden[]> {
  const groups = new Map<string, Golden[]>()
  for (const message of messages) {
    const title = `${nameOf(message.file)} ${message.direction}`
    groups.set(title, [...(groups.get(title) ?? []), message])
  }
  return groups
}

function isMalformed(decode: () => unknown): boolean {
  // A hundred thousand stacks that nobody reads take seconds.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    decode()
    return false
  } catch (error) {
    if (error instanceof Malformed) return true
    throw error
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  write(writer)
  return writer.toBuffer()
}

function prefixed(bytes: Buffer, version: number): Buffer {
  return Buffer.concat([Buffer.from([0, version]), bytes])
}

/**
 * Headers and consumer protocol: Kafka calls some fields otherwise, and only `userData` is not what JSON has.
 */
function expectedValue({
  requestApiKey,
  requestApiVersion,
  userData,
  ...rest
}: Record<string, unknown>): unknown {
  if (requestApiKey !== undefined) return { apiKey: requestApiKey, apiVersion: requestApiVersion, ...rest }
  if (userData === undefined) return rest
  return { ...rest, userData: userData === null ? null : Buffer.from(String(userData), 'base64') }
}

const messages = golden.filter(({ direction }) => direction !== 'value')

t.test('every API in every version has golden bytes', async (t) => {
  for (const api of apis) {
    for (let version = api.min; version <= api.max; version++) {
      for (const direction of ['request', 'response'] as const) {
        const found = messages.filter(
          (one) => nameOf(one.file) === api.name && one.version === version && one.direction === direction,
        )
        if (!found.some(({ json }) => json !== null)) t.fail(`${api.name} ${direction} v${version}`)
      }
    }
  }
  t.ok(messages.length > 800, `${messages.length} messages`)
})

t.test('Kafka means the same by the same bytes', async (t) => {
  for (const [title, group] of groups()) {
    const known = group.filter(({ json }) => json !== null)
    const expected = known.map((message) => expectedOf(message))
    t.strictSame(
      known.map((message, i) => restrict(decode(message, message.bytes), expected[i])),
      expected,
      `${title} decodes`,
    )
    t.strictSame(
      known.map((message, i) => encode(message, expected[i]).toString('hex')),
      known.map(({ bytes }) => bytes.toString('hex')),
      `${title} encodes`,
    )
  }
})

t.test('what was decoded encodes to the same bytes', async (t) => {
  for (const [title, group] of groups()) {
    t.strictSame(
      group.map((message) => encode(message, decode(message, message.bytes)).toString('hex')),
      group.map(({ bytes }) => bytes.toString('hex')),
      title,
    )
  }
})

t.test('a message that is cut anywhere, or followed by a byte, is malformed', async (t) => {
  for (const [title, group] of groups()) {
    const wrong: string[] = []
    // librdkafka's are longer than they should be.
    const mayBeLonger = title === 'Metadata request'
    for (const message of group) {
      const { bytes, version } = message
      for (let size = 0; size < bytes.length; size++) {
        if (!isMalformed(() => decode(message, bytes.subarray(0, size))))
          wrong.push(`v${version} cut at ${size}`)
      }
      const longer = Buffer.concat([bytes, Buffer.alloc(1)])
      if (isMalformed(() => decode(message, longer)) === mayBeLonger)
        wrong.push(`v${version} with a byte more`)
    }
    t.strictSame(wrong, [], title)
  }
})

t.test('headers and what consumers tell each other', async (t) => {
  const codecs: Record<
    string,
    [(bytes: Buffer, version: number) => unknown, (value: never, version: number) => Buffer]
  > = {
    'request-header.tsv': [
      (bytes, version) => decodeRequestHeader(new Reader(bytes), version as 1 | 2),
      (value, version) => written((writer) => encodeRequestHeader(writer, value, version as 1 | 2)),
    ],
    'response-header.tsv': [
      (bytes, version) => decodeResponseHeader(new Reader(bytes), version as 0 | 1),
      (value, version) => written((writer) => encodeResponseHeader(writer, value, version as 0 | 1)),
    ],
    'consumer-protocol-subscription.tsv': [
      (bytes, version) => decodeSubscription(prefixed(bytes, version)),
      (value, version) => encodeSubscription(value, version).subarray(2),
    ],
    'consumer-protocol-assignment.tsv': [
      (bytes, version) => decodeAssignment(prefixed(bytes, version)),
      (value, version) => encodeAssignment(value, version).subarray(2),
    ],
  }
  for (const message of golden.filter(({ direction }) => direction === 'value')) {
    const { file, version, variant, bytes } = message
    const codec = codecs[file]
    if (codec === undefined) throw new Error(file)
    const [decode, encode] = codec
    const decoded = decode(bytes, version)
    t.equal(
      encode(decoded as never, version).toString('hex'),
      bytes.toString('hex'),
      `${file} v${version} ${variant}`,
    )
    if (message.json === null) continue
    const expected = expectedValue(message.json)
    t.strictSame(restrict(decoded, expected), expected, `${file} v${version} ${variant} value`)
  }
})
