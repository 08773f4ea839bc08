/**
 * The architecture, as a test: which folder may import which, what is pure, where the world comes in, which words are ours.
 * To change the architecture, change these tables, and say why in docs/decisions.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** A folder imports from itself and from these. */
const mayImport: { readonly [folder: string]: readonly string[] } = {
  'src/base': [],
  'src/io': ['src/base'],
  'src/config': ['src/base'],
  'src/protocol': ['src/base'],
  'src/records': ['src/base'],
  'src/raft': ['src/base'],
  'src/log': ['src/base', 'src/io', 'src/config', 'src/records'],
  'src/machines': ['src/base', 'src/config', 'src/protocol', 'src/records'],
  'src/replica': [
    'src/base',
    'src/io',
    'src/config',
    'src/protocol',
    'src/records',
    'src/raft',
    'src/log',
    'src/machines',
  ],
  // What replicas say to each other, as bytes between brokers.
  'src/peers': [
    'src/base',
    'src/io',
    'src/config',
    'src/protocol',
    'src/records',
    'src/raft',
    'src/log',
    'src/replica',
  ],
  'src/broker': [
    'src/base',
    'src/io',
    'src/config',
    'src/protocol',
    'src/records',
    'src/raft',
    'src/log',
    'src/machines',
    'src/replica',
    'src/peers',
  ],
  // Handlers speak the protocol and ask the broker; settings they only show and check.
  'src/handlers': ['src/base', 'src/config', 'src/protocol', 'src/records', 'src/machines', 'src/broker'],
  'src/server': ['src/base', 'src/io', 'src/config', 'src/protocol', 'src/broker', 'src/handlers'],
  // The command line is an ordinary user of the client; `start` starts main.ts, `log` reads segments offline.
  'src/cli': ['src/base', 'src/config', 'src/log', 'src/io', 'src/main.ts', 'client'],
  'src/embedded': ['src'],
  'src/main.ts': ['src'],
  // One notation drives both ends.
  client: ['src/base', 'src/protocol', 'src/records'],
}

/** No clock, no timer, no chance, no I/O, no promise: what these folders do depends on their arguments alone. */
const pure = ['src/base', 'src/config', 'src/protocol', 'src/records', 'src/raft', 'src/machines']

/** Pure functions of bytes that Node or native code does better; loading code is all they touch. */
const nativeAllowed: { readonly [file: string]: readonly string[] } = {
  'src/base/native.ts': ['node:module'],
  'src/peers/proof.ts': ['node:crypto'],
  'src/records/gzip.ts': ['node:zlib'],
  'src/records/zstd.ts': ['node:zlib'],
  'client/compression-thread.ts': ['node:worker_threads'],
  'src/records/zstd-wasm.ts': ['node:fs', 'node:module'],
}

/** Where the process, the clock and the files of Node may be touched by name. */
const worldly = ['src/io', 'src/cli', 'src/main.ts', 'client/transport.ts', 'client/threads.ts']

const forbiddenCalls: readonly [RegExp, string][] = [
  [/\bDate\.now\b|\bnew Date\(\)/, 'Clock.now'],
  [/\bperformance\.now\b|\bhrtime\b/, 'Clock.monotonic'],
  [/\bsetTimeout\b|\bsetInterval\b/, 'Clock.setTimer'],
  [/\bsetImmediate\b|\bnextTick\b/, 'Clock.soon'],
  [/\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/, 'Random'],
  [/\bprocess\./, 'options passed in by main.ts'],
]

const forbiddenNames = /(Manager|Service|Helper|Util|Utils|Impl)\b/
const linesMax = 400

interface Source {
  readonly path: string
  readonly folder: string
  readonly text: string
  /** Without comments and strings. */
  readonly code: string
  readonly imports: readonly string[]
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? filesBelow(path) : path.endsWith('.ts') ? [path] : []
  })
}

function folderOf(path: string): string {
  const parts = path.split('/')
  if (parts[0] === 'client') return 'client'
  return parts.length > 2 ? `${parts[0]}/${parts[1]}` : path
}

const sources: Source[] = [...filesBelow('src'), ...filesBelow('client')].map((path) => {
  const text = readFileSync(join(root, path), 'utf8')
  const imports = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'])\/\/.*$/gm, '$1')
    .replace(/'(?:\\.|[^'\\\n])*'/g, "''")
  return { path, folder: folderOf(path), text, code, imports }
})

function targetOf(source: Source, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null
  return relative(root, resolve(join(root, dirname(source.path)), specifier))
}

t.test('every folder is known here', async (t) => {
  const unknown = [...new Set(sources.map((source) => source.folder))].filter(
    (folder) => !(folder in mayImport),
  )
  t.strictSame(unknown, [])
})

t.test('a folder imports only from itself and from the ranks below it', async (t) => {
  const wrong: string[] = []
  for (const source of sources) {
    const allowed = mayImport[source.folder] ?? []
    for (const specifier of source.imports) {
      const target = targetOf(source, specifier)
      if (target === null) continue
      const folder = folderOf(target)
      const isAllowed =
        folder === source.folder || allowed.includes(folder) || allowed.includes(folder.split('/')[0] ?? '')
      if (!isAllowed) wrong.push(`${source.path} imports ${target}`)
    }
  }
  t.strictSame(wrong, [])
})

t.test('imports name files, with their ending', async (t) => {
  const wrong = sources.flatMap((source) =>
    source.imports
      .filter((specifier) => specifier.startsWith('.') && !specifier.endsWith('.ts'))
      .map((s) => `${source.path}: ${s}`),
  )
  t.strictSame(wrong, [])
})

t.test('pure folders import nothing of Node and await nothing', async (t) => {
  const wrong: string[] = []
  for (const source of sources.filter(({ folder }) => pure.includes(folder))) {
    for (const specifier of source.imports) {
      if (specifier.startsWith('.') || nativeAllowed[source.path]?.includes(specifier)) continue
      wrong.push(`${source.path} imports ${specifier}`)
    }
    if (/\bawait\b|\basync\b|\bPromise\b/.test(source.code)) wrong.push(`${source.path} is asynchronous`)
  }
  t.strictSame(wrong, [])
})

t.test('the world comes in through src/io', async (t) => {
  const wrong: string[] = []
  for (const source of sources) {
    if (worldly.some((place) => source.path === place || source.path.startsWith(`${place}/`))) continue
    for (const [pattern, instead] of forbiddenCalls) {
      const found = pattern.exec(source.code)
      if (found !== null) wrong.push(`${source.path}: ${found[0]} (use ${instead})`)
    }
    for (const specifier of source.imports) {
      if (!specifier.startsWith('node:') || nativeAllowed[source.path]?.includes(specifier)) continue
      if (source.folder === 'client' && ['node:diagnostics_channel'].includes(specifier)) continue
      wrong.push(`${source.path} imports ${specifier}`)
    }
  }
  t.strictSame(wrong, [])
})

t.test('types say what they are', async (t) => {
  // The compiler of the protocol's codecs emits code: the one place where a type cannot be known.
  const wrong = sources
    .filter(({ path, code }) => path !== 'src/protocol/compiler.ts' && /[:<,|]\s*any\b|\bas any\b/.test(code))
    .map(({ path }) => path)
  t.strictSame(wrong, [])
})

t.test('names are the nouns of the field', async (t) => {
  const wrong: string[] = []
  for (const { path, code } of sources) {
    for (const match of code.matchAll(/\b(?:class|interface|type|function)\s+(\w+)/g)) {
      if (forbiddenNames.test(match[1] ?? '')) wrong.push(`${path}: ${match[1]}`)
    }
    if (!/^[a-z0-9-]+(\.d)?\.ts$/.test(path.split('/').at(-1) ?? ''))
      wrong.push(`${path}: file names are kebab-case`)
    if (/export default/.test(code)) wrong.push(`${path}: default export`)
  }
  t.strictSame(wrong, [])
})

t.test(`no file is longer than ${linesMax} lines`, async (t) => {
  const wrong = sources.filter(({ text }) => text.split('\n').length > linesMax + 1).map(({ path }) => path)
  t.strictSame(wrong, [])
})
