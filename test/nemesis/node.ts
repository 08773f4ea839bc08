/** One broker of a cluster, in a process of its own: started, stopped, killed, paused, and started again where it was. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { environment, executable, withoutLoader } from '../wire/broker.ts'

export interface NodeOptions {
  readonly id: number
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly peerPort: number
  /** As on the command line; null: a broker by itself. */
  readonly voters: string | null
  readonly settings: Readonly<Record<string, string>>
  /** What runs the program where it belongs. */
  readonly prefix: readonly string[]
}

export interface NodeEvent {
  readonly event: string
  readonly msg: string
  readonly level: number
  readonly time: number
  readonly [detail: string]: unknown
}

const readyWithinMs = 30_000
const eventsKept = 5_000
const textKept = 32 * 1024

export class BrokerNode {
  readonly id: number
  readonly dataDir: string
  /** What it logged, over all its lives; the oldest go. */
  readonly events: NodeEvent[] = []
  /** By event, never forgotten. */
  readonly counts = new Map<string, number>()
  onEvent: (event: NodeEvent) => void = () => {}
  /** What it said that was no event: why it did not start, or what it died of. */
  text = ''
  readonly #options: NodeOptions
  #child: ChildProcess | null = null
  #isPaused = false
  /** Ended by us, and not by itself. */
  #isExpected = true

  constructor(options: NodeOptions) {
    this.#options = options
    this.id = options.id
    this.dataDir = options.dataDir
  }

  get bootstrap(): string {
    return `${this.#options.host}:${this.#options.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** It is gone, and nobody had asked for that. */
  get hasDied(): boolean {
    return !this.isRunning && !this.#isExpected
  }

  /** Resolves with the ms that it took to be ready. @throws when it ends before, or takes longer (then it is killed) */
  async start(withinMs = readyWithinMs): Promise<number> {
    const { id, host, port, peerPort, voters, settings, prefix } = this.#options
    const sets = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    const place = ['--node-id', `${id}`, '--data-dir', this.dataDir, '--host', host, '--port', `${port}`]
    const peers = voters === null ? [] : ['--peer-port', `${peerPort}`, '--voters', voters]
    const args = [executable, 'start', '--json', '--no-http', ...place, ...peers, ...sets]
    const [program, programArgs] = withoutLoader(...prefix, process.execPath, ...args)
    const begun = performance.now()
    const child = spawn(program, programArgs, {
      env: { ...environment(), LOGRAFT_LOG_LEVEL: 'debug' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#isExpected = false
    this.#isPaused = false
    createInterface({ input: child.stderr }).on('line', (line) => this.#take(line))
    const late = setTimeout(() => child.kill('SIGKILL'), withinMs)
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        if ((JSON.parse(line) as { event?: string }).event !== 'ready') continue
        child.stdout.resume() // a full pipe must not stall the broker
        return performance.now() - begun
      }
    } finally {
      clearTimeout(late)
    }
    this.#isExpected = true
    throw new Error(`broker ${id} ended before it was ready; it said:\n${this.tail()}`)
  }

  /** SIGKILL: a crash of the process; what the kernel has taken stays. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM. Resolves with the exit code and how long it took, ms. */
  async stop(): Promise<{ code: number | null; tookMs: number }> {
    const begun = performance.now()
    this.resume()
    const child = this.#child
    await this.#end('SIGTERM')
    return { code: child?.exitCode ?? null, tookMs: performance.now() - begun }
  }

  pause(): void {
    this.#isPaused = this.#child?.kill('SIGSTOP') ?? false
  }

  resume(): void {
    if (this.#isPaused) this.#child?.kill('SIGCONT')
    this.#isPaused = false
  }

  countOf(event: string): number {
    return this.counts.get(event) ?? 0
  }

  /** User and system CPU seconds of this life so far. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  memoryMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  }

  /** The end of what it said. */
  tail(): string {
    const last = this.events.slice(-15).map(({ event, msg }) => `  ${event}: ${msg}`)
    return [...last, this.text.slice(-2000)].join('\n')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#isExpected = true
    this.#isPaused = false
    if (child === null || !this.isRunning) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  #take(line: string): void {
    const event = eventIn(line)
    if (event === null) {
      this.text = `${this.text}${line}\n`.slice(-textKept)
      return
    }
    this.counts.set(event.event, this.countOf(event.event) + 1)
    this.events.push(event)
    if (this.events.length > eventsKept) this.events.splice(0, eventsKept / 2)
    this.onEvent(event)
  }
}

function eventIn(line: string): NodeEvent | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line) as NodeEvent
  } catch {
    return null // cut short by a kill
  }
}
