/** A broker of ours in a process of its own. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Figures } from '../src/main.ts'
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
    readonly lines: Interface,
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
    const { child, pid, line, readyMs, lines } = await startProcess(process.execPath, args)
    const { bootstrap } = JSON.parse(line) as { bootstrap: string }
    return new BrokerProcess(child, pid, bootstrap, readyMs, data, lines)
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

  async figures(): Promise<Figures> {
    const line = once(this.lines, 'line')
    this.child.kill('SIGUSR2')
    return JSON.parse(String((await line)[0])) as Figures
  }

  /** How late its event loop was since it was ready, ms. */
  async stalls(): Promise<{ p99: number; max: number; own: number }> {
    const { loop } = await this.figures()
    if (loop === null) throw new Error('a broker in a process of its own has an event loop of its own')
    const { p99Ms, maxMs, ownMaxMs } = loop.sinceStart
    return { p99: p99Ms, max: maxMs, own: ownMaxMs }
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
