/** The foreign clients: which are here, and how to run them as processes of their own. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { environment, withoutLoader } from './broker.ts'

/** Debian's own interpreter is the one that sees python3-kafka and python3-confluent-kafka. */
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
const scripts = fileURLToPath(new URL('../../../test/wire/python/', import.meta.url))
const programs = fileURLToPath(new URL('./', import.meta.url))

const packages = {
  kcat: 'kcat',
  confluent_kafka: 'python3-confluent-kafka',
  kafka: 'python3-kafka',
  lz4: 'python3-lz4',
  snappy: 'python3-snappy',
  zstandard: 'python3-zstandard',
}
export type Client = keyof typeof packages

const found = new Map<Client, boolean>()
function has(client: Client): boolean {
  let here = found.get(client)
  if (here === undefined) {
    const probe =
      client === 'kcat' ? spawnSync('kcat', ['-V']) : spawnSync(PYTHON, ['-c', `import ${client}`])
    here = probe.status === 0
    found.set(client, here)
  }
  return here
}

/** For `t.test(name, { skip: missing('kcat') }, ...)`: false, or the reason to skip. */
export function missing(...clients: Client[]): string | false {
  const absent = clients.filter((client) => !has(client)).map((client) => packages[client])
  return absent.length > 0 && `not installed: ${absent.join(', ')} (apt-get install ${absent.join(' ')})`
}

/** A topic or group name that no other run of the suite has used: the broker may be a standing one. */
export const unique = (name: string): string => `${name}-${randomBytes(4).toString('hex')}`

export interface Finished {
  code: number | null
  stdout: Buffer
  stderr: string
}

export interface RunOptions {
  input?: Buffer | string
  timeoutMs?: number
}

/** Runs a program to its end. @throws when it fails or takes longer than `timeoutMs` (60 s). */
export async function run(program: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const finished = await attempt(program, args, options)
  if (finished.code !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} exited with ${finished.code}:\n${finished.stderr.slice(-3000)}`,
    )
  }
  return finished
}

/** Runs a program to its end, whatever that is; killed (code null) after `timeoutMs` (60 s). */
export async function attempt(program: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(program, args, { env: environment(), stdio: 'pipe' })
  const late = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-64 * 1024)
  })
  child.stdin.on('error', () => {}) // a program that ended early says why on stderr
  child.stdin.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  return { code, stdout: Buffer.concat(stdout), stderr }
}

export const kcat = (bootstrap: string, args: string[], options?: RunOptions): Promise<Finished> =>
  run('kcat', ['-b', bootstrap, ...args], options)

/** Runs `python/<script>.py` with its arguments as one JSON value; resolves with the JSON that it printed last. */
export async function python<Answer>(
  script: string,
  args: object,
  options: RunOptions = {},
): Promise<Answer> {
  const { stdout } = await run(PYTHON, [`${scripts}${script}.py`, JSON.stringify(args)], options)
  return JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? 'null') as Answer
}

/** A client process that tells what it does, one JSON event per line of stdout, until it is ended. */
export class Peer<Event extends { event: string }> {
  readonly child: ChildProcessWithoutNullStreams
  readonly events: Event[] = []
  stderr = ''
  #waiting: (() => void)[] = []
  #partial = ''

  private constructor(program: string, args: string[]) {
    this.child = spawn(program, args, { env: environment(), stdio: 'pipe' })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-16 * 1024)
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    this.child.on('exit', () => this.#wake())
    this.child.stdin.on('error', () => {})
  }

  static python<E extends { event: string }>(script: string, args: object): Peer<E> {
    return new Peer<E>(PYTHON, ['-u', `${scripts}${script}.py`, JSON.stringify(args)])
  }

  static node<E extends { event: string }>(program: string, args: object): Peer<E> {
    return new Peer<E>(...withoutLoader(process.execPath, `${programs}${program}.js`, JSON.stringify(args)))
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Resolves when `holds` does, looked at after every event and now and then (it may hang on others). @throws when the process ends first or time is up. */
  async until(what: string, holds: () => boolean, timeoutMs = 45_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!holds()) {
      const left = deadline - performance.now()
      if (this.ended || left <= 0) {
        const why = this.ended
          ? `it ended (${this.child.exitCode ?? this.child.signalCode})`
          : `${timeoutMs} ms passed`
        const last = this.events.slice(-5).map((event) => JSON.stringify(event).slice(0, 200))
        throw new Error(
          `waiting for ${what}: ${why}\nlast events: ${last.join(' ')}\n${this.stderr.slice(-3000)}`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 100))
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** A line on its stdin: the peers read commands from there. */
  say(line: string): void {
    this.child.stdin.write(`${line}\n`)
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.ended) return this.child.exitCode
    const exited = once(this.child, 'exit')
    const stubborn = setTimeout(() => this.child.kill('SIGKILL'), 15_000)
    this.child.kill(signal)
    await exited
    clearTimeout(stubborn)
    return this.child.exitCode
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{')) this.events.push(JSON.parse(line) as Event)
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
