/** A broker of ours in a process of its own. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess, startProcess } from './process.ts'
import { type Cpu, cpuOf, cpuSecondsOf, memoryOf } from './usage.ts'

const executable = fileURLToPath(new URL('../bundle/cli/lograft.js', import.meta.url))

export class BrokerProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly pid: number,
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
    const place = ['--port', '0', '--peer-port', '0', '--no-http', '--data-dir', data]
    const args = [executable, 'start', '--json', ...place, ...flags, ...more]
    const { child, pid, line, readyMs } = await startProcess(process.execPath, args)
    const { bootstrap } = JSON.parse(line) as { bootstrap: string }
    return new BrokerProcess(child, pid, bootstrap, readyMs, data)
  }

  /** CPU seconds so far. */
  cpu(): Cpu {
    return cpuOf([this.pid])
  }

  /** User and system. */
  cpuSeconds(): number {
    return cpuSecondsOf([this.pid])
  }

  /** Resident memory now and at its peak, MB. */
  memory(): { now: number; peak: number } {
    return memoryOf([this.pid])
  }

  async stop(options: { keepData?: boolean } = {}): Promise<void> {
    await endProcess(this.child)
    if (options.keepData !== true) this.removeData()
  }

  /** Of a broker that was stopped. */
  removeData(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
