/** Runs the real executable, as a shell would. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { environment, executable, withoutLoader } from '../wire/broker.ts'

export { executable }

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export function start(words: readonly string[], options: Omit<RunOptions, 'stdin'> = {}): ChildProcess {
  const [program, args] = withoutLoader(process.execPath, executable, ...words)
  return spawn(program, args, {
    env: { ...environment(), ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
}

/** The outcome, once it has ended and its output is read. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** `lograft` with these words, to its end. */
export async function lograft(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = start(words, options)
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.stdin ?? '')
  return outcomeOf(child)
}

/** stdout as JSON, one value per line. */
export function jsonLines(outcome: Outcome): Record<string, unknown>[] {
  if (outcome.stdout === '') return []
  if (!outcome.stdout.endsWith('\n')) throw new Error('the last line has no end')
  return outcome.stdout
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
