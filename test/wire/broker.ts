/**
 * A real broker process for the wire tests: `lograft start --json` on a free port and a directory of its own.
 *
 * LOGRAFT_TEST_BOOTSTRAP=host:port points the suites that only need an address at a broker that runs already (another Kafka, say);
 * LOGRAFT_TEST_COMMAND=path starts that program instead of this build, with the same arguments and the same ready line.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export type Settings = Record<string, string | number | boolean>

const READY_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 10_000
const STDERR_KEPT = 64 * 1024
const command = process.env.LOGRAFT_TEST_COMMAND
/** `npm test` names the bundle, which is what users get; a test run by itself takes what tsc has just written. */
export const executable =
  process.env.LOGRAFT_EXECUTABLE ?? fileURLToPath(new URL('../../src/cli/lograft.js', import.meta.url))

/**
 * The arguments that start a Node program free of what tap injects: it adds a loader to NODE_OPTIONS of every child, even where
 * `env` leaves it out, which doubles the start and changes the program under test.
 */
export const withoutLoader = (...command: string[]): [string, string[]] => [
  'env',
  ['-u', 'NODE_OPTIONS', ...command],
]

export const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TAP|_TAPJS)/.test(name)))

export class Broker {
  readonly dataDir: string
  readonly #settings: Settings
  #child: ChildProcess | undefined
  #port = 0
  #stderr = ''

  constructor(dataDir: string, settings: Settings) {
    this.dataDir = dataDir
    this.#settings = settings
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.#port}`
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The end of what the broker logged, over all its starts. */
  get stderr(): string {
    return this.#stderr
  }

  /** Starts on the port of the start before (the first time: a free one); resolves with the ready event. */
  async start(): Promise<Record<string, unknown>> {
    const sets = Object.entries(this.#settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    const args = [
      'start',
      '--json',
      '--port',
      `${this.#port}`,
      '--no-http',
      '--data-dir',
      this.dataDir,
      ...sets,
    ]
    const [program, programArgs] = withoutLoader(
      ...(command === undefined ? [process.execPath, executable] : [command]),
      ...args,
    )
    const child = spawn(program, programArgs, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)
    })
    const late = setTimeout(() => child.kill('SIGKILL'), READY_WITHIN_MS)
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const event = JSON.parse(line) as Record<string, unknown>
        if (event.event !== 'ready') continue
        this.#port = Number(/:(\d+)$/.exec(String(event.bootstrap))?.[1])
        child.stdout.resume() // a full pipe must not stall the broker
        return event
      }
    } finally {
      clearTimeout(late)
    }
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
    throw new Error(`the broker ended before it was ready; it said:\n${this.#stderr.slice(-4000)}`)
  }

  /** SIGTERM; resolves with the exit code. @throws when it takes more than 10 s (then it is killed). */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === undefined || !this.running) return child?.exitCode ?? null
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, STOP_WITHIN_MS)
    await exited
    clearTimeout(timer)
    if (late)
      throw new Error(
        `SIGTERM did not end the broker within ${STOP_WITHIN_MS} ms:\n${this.#stderr.slice(-4000)}`,
      )
    return child.exitCode
  }

  /** SIGKILL, as a crash of the process (what the kernel has taken stays). */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.running) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

/** A broker of the test's own, stopped and removed with the test. @throws when it does not become ready. */
export async function startBroker(t: Test, settings: Settings = {}): Promise<Broker> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lograft-wire-'))
  const broker = new Broker(dataDir, { 'group.initial.rebalance.delay.ms': 0, ...settings })
  t.teardown(async () => {
    await broker.kill()
    await rm(dataDir, { recursive: true, force: true })
  })
  await broker.start()
  return broker
}

/** An address to talk to, for tests that neither stop nor look into the broker. */
export async function bootstrap(t: Test, settings: Settings = {}): Promise<string> {
  return process.env.LOGRAFT_TEST_BOOTSTRAP ?? (await startBroker(t, settings)).bootstrap
}
