/** Processes that say in one line that they are ready. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'

export interface Started {
  readonly child: ChildProcess
  readonly pid: number
  /** The line that says it. */
  readonly line: string
  /** From the start to that line. */
  readonly readyMs: number
  /** What it says after that. */
  readonly lines: Interface
}

/** Nobody outlives the measuring, however it ends. */
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/**
 * Starts a process and waits for the first line of its standard output that `isReady`; what nobody listens to later is read and dropped.
 * @throws when it ends before that
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  isReady: (line: string) => boolean = () => true,
  folder?: string,
): Promise<Started> {
  const begun = performance.now()
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(folder === undefined ? {} : { cwd: folder }),
  })
  living.add(child)
  child.once('exit', () => living.delete(child))
  const lines = createInterface({ input: child.stdout })
  const last: string[] = []
  return await new Promise<Started>((resolve, reject) => {
    child.once('error', reject)
    lines.on('line', (line) => {
      if (last.push(line) > 20) last.shift()
      if (child.pid !== undefined && isReady(line))
        resolve({ child, pid: child.pid, line, readyMs: performance.now() - begun, lines })
    })
    lines.once('close', () => {
      reject(new Error([`${command} ended before it was ready. What it said last:`, ...last].join('\n')))
    })
  })
}

/** Sends the signal and waits for the end. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}
