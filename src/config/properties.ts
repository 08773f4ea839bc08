/** The server.properties format that Kafka users know (java.util.Properties, without unicode escapes in names). */
import { Refused } from '../base/errors.ts'

/** Names and values in order; a later line wins over an earlier one. @throws Refused INVALID_CONFIG with the line's number */
export function parseProperties(text: string): Map<string, string> {
  const values = new Map<string, string>()
  const lines = text.split(/\r?\n/)
  for (let at = 0; at < lines.length; at++) {
    const first = at + 1
    let line = (lines[at] ?? '').trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (endsInContinuation(line) && at + 1 < lines.length) {
      at++
      line = line.slice(0, -1) + (lines[at] ?? '').trimStart()
    }
    const split = /^((?:\\.|[^\\=:\s])+)\s*[=:\s]\s*(.*)$/s.exec(line)
    if (split === null) throw new Refused('INVALID_CONFIG', `line ${first}: '${line}' is not name=value`)
    values.set(unescaped(split[1] ?? ''), unescaped(split[2] ?? '').trimEnd())
  }
  return values
}

function endsInContinuation(line: string): boolean {
  const backslashes = /\\*$/.exec(line)?.[0].length ?? 0
  return backslashes % 2 === 1
}

const escapes: { readonly [letter: string]: string } = { n: '\n', t: '\t', r: '\r', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, escaped: string) =>
    escaped.startsWith('u') && escaped.length === 5
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (escapes[escaped] ?? escaped),
  )
}

const prefix = 'LOGRAFT_'

/** LOGRAFT_LOG_SEGMENT_BYTES=... means log.segment.bytes; `lograft.x` is LOGRAFT_LOGRAFT_X. */
export function fromEnvironment(
  environment: { readonly [name: string]: string | undefined },
  known: Iterable<string>,
): Map<string, string> {
  const values = new Map<string, string>()
  for (const name of known) {
    const value = environment[prefix + name.toUpperCase().replaceAll('.', '_')]
    if (value !== undefined) values.set(name, value)
  }
  return values
}
