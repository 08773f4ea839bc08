/** How `consume` prints a record: a text with %-letters, as in kcat. */
import type { ConsumerRecord } from '../../client/partition-reader.ts'
import { WrongUsage } from './failure.ts'

type Part = Buffer | ((record: ConsumerRecord) => Buffer | string | number)

const nothing = Buffer.alloc(0)

const letters: { readonly [letter: string]: Part } = {
  '%': Buffer.from('%'),
  v: (record) => record.value ?? nothing,
  s: (record) => record.value ?? nothing,
  S: (record) => record.value?.length ?? -1,
  k: (record) => record.key ?? nothing,
  K: (record) => record.key?.length ?? -1,
  t: (record) => record.topic,
  p: (record) => record.partition,
  o: (record) => record.offset,
  T: (record) => record.timestamp,
  h: (record) => record.headers.map(({ key, value }) => `${key}=${value?.toString() ?? ''}`).join(','),
}

const escapes: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' }

/** Appends the record's bytes to a list, to be written at once with others. */
export type Formatter = (record: ConsumerRecord, into: Buffer[]) => void

/** @throws WrongUsage naming what is wrong in the format */
export function recordFormat(format: string): Formatter {
  const parts = partsOf(format)
  return (record, into) => {
    for (const part of parts) {
      const piece = typeof part === 'function' ? part(record) : part
      into.push(Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece)))
    }
  }
}

function partsOf(format: string): Part[] {
  const parts: Part[] = []
  let literal: Buffer[] = []
  const close = (): void => {
    if (literal.length > 0) parts.push(Buffer.concat(literal))
    literal = []
  }
  for (let rest = format; rest !== ''; ) {
    const match = /^(?:%([\s\S]?)|\\x([0-9a-fA-F]{2})|\\([\s\S]?)|[^%\\]+)/.exec(rest)
    const [all = '', letter, hex, escaped] = match ?? []
    rest = rest.slice(all.length)
    if (letter !== undefined) {
      const part = letters[letter]
      if (part === undefined)
        throw new WrongUsage(`--format: '%${letter}' means nothing; see lograft consume --help`)
      close()
      parts.push(part)
    } else if (hex !== undefined) {
      literal.push(Buffer.from(hex, 'hex'))
    } else if (escaped !== undefined) {
      const text = escapes[escaped]
      if (text === undefined)
        throw new WrongUsage(`--format: '\\${escaped}' means nothing; see lograft consume --help`)
      literal.push(Buffer.from(text))
    } else {
      literal.push(Buffer.from(all))
    }
  }
  close()
  return parts
}

/** A record as JSON. Bytes that are no text are in `valueBase64` and `keyBase64` instead. */
export function recordJson(record: ConsumerRecord): Record<string, unknown> {
  return { topic: record.topic, partition: record.partition, ...storedRecordJson(record) }
}

/** The same of a record in a segment, which does not know its topic. */
export function storedRecordJson(
  record: Pick<ConsumerRecord, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>,
): Record<string, unknown> {
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    ...text('key', record.key),
    ...text('value', record.value),
    headers: record.headers.map(({ key, value }) => ({ name: key, ...text('value', value) })),
  }
}

function text(name: string, bytes: Buffer | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null }
  const decoded = bytes.toString('utf8')
  return decoded.includes('\ufffd') && !Buffer.from(decoded).equals(bytes)
    ? { [`${name}Base64`]: bytes.toString('base64') }
    : { [name]: decoded }
}
