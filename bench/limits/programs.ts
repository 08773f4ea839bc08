/** The bare programs, each in a process and a folder of its own. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Delays } from '../load/delays.ts'
import type { Sample } from '../load/sample.ts'
import { endProcess, startProcess } from '../process.ts'

const pathOf = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url))

export class BareProgram {
  readonly #child: ChildProcess
  readonly folder: string
  readonly pid: number
  readonly bootstrap: string

  private constructor(child: ChildProcess, folder: string, pid: number, bootstrap: string) {
    this.#child = child
    this.folder = folder
    this.pid = pid
    this.bootstrap = bootstrap
  }

  /** Its arguments: the folder that it may use, and `more`. */
  static async start(name: 'copier' | 'sender', more: readonly (string | number)[]): Promise<BareProgram> {
    const folder = mkdtempSync(join(tmpdir(), 'lograft-limits-'))
    const { child, pid, line } = await startProcess(process.execPath, [
      pathOf(name),
      folder,
      ...more.map(String),
    ])
    const { bootstrap } = JSON.parse(line) as { bootstrap: string }
    return new BareProgram(child, folder, pid, bootstrap)
  }

  async stop(): Promise<void> {
    await endProcess(this.#child)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** One run of the loop that writes and syncs. What it writes stays in the folder. */
export async function syncerSample(
  folder: string,
  batchBytes: number,
  batches: number,
  bytes: number,
): Promise<Pick<Sample, 'megabytesPerSecond' | 'cpuPerGigabyte'>> {
  const args = [pathOf('syncer'), folder, batchBytes, batches, bytes].map(String)
  const { line } = await startProcess(process.execPath, args)
  return JSON.parse(line) as Pick<Sample, 'megabytesPerSecond' | 'cpuPerGigabyte'>
}

/** How soon the disk has what comes at a fixed rate, in so many files. */
export async function pacedSyncerDelays(
  files: number,
  { batchBytes, perSecond }: { readonly batchBytes: number; readonly perSecond: number },
  seconds: number,
): Promise<Delays> {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-limits-'))
  const args = [pathOf('paced-syncer'), folder, files, batchBytes, perSecond, seconds].map(String)
  const { line } = await startProcess(process.execPath, args)
  rmSync(folder, { recursive: true, force: true })
  return JSON.parse(line) as Delays
}
