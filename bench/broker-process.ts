/** A broker in a process of its own, and what the system says of that process (Linux). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const executable = fileURLToPath(new URL('../bundle/cli/lograft.js', import.meta.url))

export class BrokerProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly bootstrap: string,
    readonly readyMs: number,
    readonly folder: string,
  ) {}

  static async start(
    settings: Readonly<Record<string, string>> = {},
    folder?: string,
    more: readonly string[] = [],
  ): Promise<BrokerProcess> {
    const data = folder ?? mkdtempSync(join(tmpdir(), 'lograft-bench-'))
    const flags = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    const begun = performance.now()
    const child = spawn(
      process.execPath,
      [
        executable,
        'start',
        '--json',
        '--port',
        '0',
        '--peer-port',
        '0',
        '--no-http',
        '--data-dir',
        data,
        ...flags,
        ...more,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (child.stdout === null) throw new Error('the broker has a standard output')
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = JSON.parse(line) as { bootstrap: string }
      return new BrokerProcess(child, ready.bootstrap, performance.now() - begun, data)
    }
    throw new Error('the broker ended before it was ready')
  }

  /** CPU seconds so far, user and system. */
  cpu(): { user: number; system: number } {
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    // Clock ticks of 10 ms: what Linux shows to user space everywhere.
    return { user: Number(fields[11]) / 100, system: Number(fields[12]) / 100 }
  }

  /** Resident memory now and at its peak, MB. */
  memory(): { now: number; peak: number } {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8')
    const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
    return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') }
  }

  async stop(options: { keepData?: boolean } = {}): Promise<void> {
    const exited = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    await exited
    if (options.keepData !== true) rmSync(this.folder, { recursive: true, force: true })
  }
}
