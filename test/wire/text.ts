/** Real text for the tests: lines of the files that every machine that can run them has. */
import { createHash, type Hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Line {
  key: string
  value: string
}

const LINE_BYTES_MAX = 8192
const roots = [
  '/usr/share/common-licenses',
  fileURLToPath(new URL('../../../node_modules', import.meta.url)),
  '/usr/lib/python3',
]

function* files(folder: string): Generator<string> {
  let entries: ReturnType<typeof list>
  try {
    entries = list(folder)
  } catch {
    return // not on this machine
  }
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* files(path)
    else if (entry.isFile() && (folder === roots[0] || /\.(md|txt|js|mjs|cjs|ts|py)$/.test(entry.name)))
      yield path
  }
}

const list = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))

/**
 * `count` lines in a fixed order, as tools that work by line can carry them: UTF-8 without NUL, CR or tab before the text, not empty,
 * under 8 KB. The key is the file's name and the line's block of 10: many keys, each with lines in a row, as in real topics.
 * @throws when the machine has fewer lines
 */
export function realLines(count: number): Line[] {
  const lines: Line[] = []
  for (const root of roots) {
    for (const path of files(root)) {
      const name = path.slice(root.length + 1).replaceAll(/[^\w./@-]/g, '_')
      const text = readFileSync(path)
      if (text.includes(0)) continue
      for (const [number, line] of text
        .toString('utf8')
        .split(/\r\n|[\r\n]/)
        .entries()) {
        const value = line.trimEnd()
        if (value === '' || Buffer.byteLength(value) > LINE_BYTES_MAX) continue
        lines.push({ key: `${name}#${Math.floor(number / 10)}`, value })
        if (lines.length === count) return lines
      }
    }
  }
  throw new Error(`only ${lines.length} lines of text on this machine, ${count} wanted`)
}

/** What a partition holds, in order: how many records, and the sha256 over `key TAB value NL` of each. */
export type Digest = Record<string, [count: number, sha256: string]>

export class Digester {
  readonly #partitions = new Map<number, { count: number; hash: Hash }>()
  count = 0

  add(partition: number, key: string | Buffer, value: string | Buffer): void {
    let at = this.#partitions.get(partition)
    if (at === undefined) {
      at = { count: 0, hash: createHash('sha256') }
      this.#partitions.set(partition, at)
    }
    at.count++
    this.count++
    at.hash.update(key).update('\t').update(value).update('\n')
  }

  digest(): Digest {
    const all = [...this.#partitions].sort(([a], [b]) => a - b)
    return Object.fromEntries(
      all.map(([partition, { count, hash }]) => [partition, [count, hash.copy().digest('hex')]]),
    )
  }
}

/** The digest of lines that a producer with this partitioner has sent in this order. */
export function sent(lines: Line[], partitionOf: (key: Buffer) => number): Digest {
  const digester = new Digester()
  for (const { key, value } of lines) digester.add(partitionOf(Buffer.from(key)), key, value)
  return digester.digest()
}
