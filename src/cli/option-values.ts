/** Values of flags, from text. A wrong one is a sentence; commander puts the flag's name before it. */
import { InvalidArgumentError } from 'commander'

/** A place in a topic; a TIMESTAMP is an ISO date or '@' and ms since 1970. As the client takes it. */
export type Place = 'beginning' | 'end' | number | { readonly timestamp: number }

export function wholeNumber(
  name: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !(value >= min && value <= max)) {
      const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
      throw new InvalidArgumentError(`${name} must be a whole number ${bounds}.`)
    }
    return value
  }
}

export const port = wholeNumber('A port', 0, 65535)

export interface HostPort {
  readonly host: string
  readonly port: number
}

export function hostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@,]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const number = Number(match?.[3])
  if (host === undefined || number > 65535) {
    throw new InvalidArgumentError(`It must be HOST:PORT, such as 127.0.0.1:9092.`)
  }
  return { host, port: number }
}

/** One or more HOST:PORT, separated by commas. */
export function bootstrap(text: string): string {
  text.split(',').forEach(hostPort)
  return text
}

/** Collects `--flag name=value` given several times. */
export function nameValue(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf('=')
  if (at <= 0) throw new InvalidArgumentError('It must be NAME=VALUE.')
  return { ...previous, [text.slice(0, at).trim()]: text.slice(at + 1) }
}

/** Collects a flag given several times. */
export function several(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text]
}

/** Ids of brokers, separated by commas, each once. */
export function ids(text: string): number[] {
  const list = text.split(',').map((part) => part.trim())
  if (!list.every((part) => /^\d{1,10}$/.test(part))) {
    throw new InvalidArgumentError('It must be broker ids, separated by commas, such as 1,2,3.')
  }
  if (new Set(list).size < list.length) throw new InvalidArgumentError('No id may be there twice.')
  return list.map(Number)
}

export function place(text: string): Place {
  if (text === 'beginning' || text === 'end') return text
  if (/^\d+$/.test(text)) return Number(text)
  const timestamp = /^@\d+$/.test(text)
    ? Number(text.slice(1))
    : /^\d{4}-/.test(text)
      ? Date.parse(text)
      : Number.NaN
  if (Number.isSafeInteger(timestamp) && timestamp >= 0) return { timestamp }
  throw new InvalidArgumentError(
    "It must be beginning, end, an OFFSET, or a TIMESTAMP: an ISO date such as 2026-01-31T12:00:00Z, or '@' and ms since 1970.",
  )
}

export interface Voter extends HostPort {
  readonly nodeId: number
}

export function voters(text: string): Voter[] {
  const list = text.split(',').map((part) => {
    const match = /^(\d+)@(.+)$/.exec(part.trim())
    if (match === null) throw new InvalidArgumentError('It must be ID@HOST:PORT, separated by commas.')
    return { nodeId: Number(match[1]), ...hostPort(match[2] ?? '') }
  })
  if (new Set(list.map(({ nodeId }) => nodeId)).size < list.length) {
    throw new InvalidArgumentError('No id may be there twice.')
  }
  return list
}
