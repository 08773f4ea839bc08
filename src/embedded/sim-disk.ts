/**
 * A disk in memory, for brokers that keep nothing and for tests in which the power goes. A process uses it
 * through `mount`; when it is killed, its mount is dead and what it still does, too late, has no effect.
 *
 * Two kinds of crash: `kill` ends the processes, the page cache survives; `losePower` takes all that was not
 * synced, or any part of it, file by file and name by name (a created, renamed or removed name is durable
 * only after `syncFolder`).
 *
 * Faults come from `onOperation`, which sees every change before it happens: an error code, a write cut short
 * (as a disk that fills up does), a sync that fails, or the loss of power at just this point.
 */
import { assert } from '../base/assert.ts'
import type { Clock, Disk } from '../io/world.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimContent } from './sim-content.ts'
import { partsOf, SimFolder, type SimNode } from './sim-folder.ts'
import { failure, SimMount } from './sim-mount.ts'

export interface DiskOperation {
  readonly kind:
    | 'create'
    | 'mkdir'
    | 'rename'
    | 'remove'
    | 'removeFolder'
    | 'syncFolder'
    | 'write'
    | 'truncate'
    | 'sync'
    | 'read'
  readonly path: string
  /** Of a write. */
  readonly bytes: number
}

/** `code`: the error, such as ENOSPC or EIO. `written`: what of a write still reached the file. */
export type DiskFault = { readonly code: string; readonly written?: number } | 'powerOff'

export interface SimDiskOptions {
  readonly clock?: Pick<Clock, 'now'>
  /** Whether `losePower` will be called: costs a copy of every write. */
  readonly canLosePower?: boolean
  readonly capacityBytes?: number
  /** Called before every change and every read that reaches the device; what it returns happens instead. */
  readonly onOperation?: (operation: DiskOperation) => DiskFault | undefined
  /** When the device is done with a sync, a read, or the next part of a write: at once, unless somebody says otherwise. */
  readonly device?: (operation: DiskOperation) => Promise<void>
  /** How much of a write is in the file while the device still works on it: half, unless somebody says otherwise. */
  readonly someOf?: (bytes: number) => number
}

export class SimDisk {
  readonly #options: SimDiskOptions
  readonly #root: SimFolder
  /** Paths locked by living processes. */
  readonly locks = new Set<string>()
  /** Goes up with every crash: mounts and files of before are dead. */
  #life = 0
  #isOff = false

  constructor(options: SimDiskOptions = {}) {
    this.#options = options
    this.#root = this.newFolder()
  }

  /** The disk as a process has it, until the next crash. */
  mount(): Disk {
    return new SimMount(this, this.#life)
  }

  /** All processes end; what they wrote is in the page cache. The disk can be mounted again at once. */
  kill(): void {
    this.#life++
    this.#isOff = false
    this.locks.clear()
  }

  /** The power goes and comes back. */
  losePower(random: SeededRandom): void {
    assert(this.#options.canLosePower === true, 'the disk was made to lose power')
    this.kill()
    this.#root.losePower(random)
  }

  /** All is durable, as after a long quiet time. */
  settleAll(): void {
    this.#root.settleAll()
  }

  /** Changes a file at rest, behind everybody's back. */
  damage(path: string, change: (bytes: Buffer) => Buffer): void {
    this.#content(path).damage(change)
  }

  /** The bytes of a file as a process sees them. */
  bytesOf(path: string): Buffer {
    return Buffer.from(this.#content(path).bytes)
  }

  // -- for SimMount
  // ---------------------------------------------------------------------------------------------

  find(path: string): SimNode | null {
    let node: SimNode = this.#root
    for (const name of partsOf(path)) {
      const next: SimNode | undefined = node instanceof SimFolder ? node.get(name) : undefined
      if (next === undefined) return null
      node = next
    }
    return node
  }

  newFolder(): SimFolder {
    return new SimFolder(this.#options.canLosePower === true)
  }

  newContent(): SimContent {
    const content = new SimContent(this.#options.canLosePower === true)
    this.touch(content)
    return content
  }

  touch(content: SimContent): void {
    content.modifiedMs = this.#options.clock?.now() ?? 0
  }

  isAlive(life: number): boolean {
    return life === this.#life && !this.#isOff
  }

  /** What happens instead of an operation; null when nothing does. */
  faultOf(operation: DiskOperation): { code: string; written: number } | null {
    const fault = this.#options.onOperation?.(operation)
    if (fault === undefined) return this.#fullFault(operation)
    if (fault !== 'powerOff') return { code: fault.code, written: fault.written ?? 0 }
    this.#isOff = true
    return { code: 'EIO', written: 0 }
  }

  /**
   * Resolves when the device is done; never when the process has ended by then: nobody is left to hear of it.
   */
  async device(operation: DiskOperation, life: number): Promise<void> {
    await this.#options.device?.(operation)
    if (!this.isAlive(life)) await new Promise<never>(() => {})
  }

  someOf(bytes: number): number {
    return this.#options.someOf?.(bytes) ?? bytes >> 1
  }

  freeBytes(): number {
    const { capacityBytes } = this.#options
    return capacityBytes === undefined ? Number.MAX_SAFE_INTEGER : capacityBytes - this.#root.bytes()
  }

  totalBytes(): number {
    return this.#options.capacityBytes ?? Number.MAX_SAFE_INTEGER
  }

  #fullFault(operation: DiskOperation): { code: string; written: number } | null {
    if (operation.kind !== 'write' || this.#options.capacityBytes === undefined) return null
    const free = this.freeBytes()
    return operation.bytes <= free ? null : { code: 'ENOSPC', written: Math.max(0, free) }
  }

  #content(path: string): SimContent {
    const found = this.find(path)
    if (!(found instanceof SimContent)) throw failure(`open ${path}`, 'ENOENT')
    return found
  }
}
