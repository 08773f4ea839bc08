/**
 * A disk in memory, for brokers that keep nothing and for tests in which the power goes.
 *
 * Two kinds of crash: `kill` ends the processes, the page cache survives; `losePower` takes all that was not synced, or any part
 * of it, file by file and name by name (a created, renamed or removed name is durable only after `syncFolder`).
 *
 * Faults come from `onOperation`, which sees every change before it happens: an error code, a write cut short (as a disk that
 * fills up does), a sync that fails, or the loss of power at just this point.
 */
import { assert } from '../base/assert.ts'
import { Faulted } from '../base/errors.ts'
import type { Clock, Disk, File } from '../io/world.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimContent } from './sim-content.ts'
import { SimFolder, type SimNode } from './sim-folder.ts'

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
  /** When the device is done with a sync or a read: at once, unless somebody says otherwise. */
  readonly device?: (operation: DiskOperation) => Promise<void>
}

export class SimDisk implements Disk {
  readonly #options: SimDiskOptions
  readonly #root: SimFolder
  readonly #locks = new Set<string>()
  /** Goes up with every crash: files opened before are dead. */
  #life = 0
  #isOff = false

  constructor(options: SimDiskOptions = {}) {
    this.#options = options
    this.#root = new SimFolder()
  }

  open(path: string, mode: 'read' | 'write' | 'create'): File {
    const found = this.#find(path)
    if (found instanceof SimContent) return new SimFile(this, path, found, this.#life)
    if (found !== null) throw failure(`open ${path}`, 'EISDIR')
    if (mode !== 'create') throw failure(`open ${path}`, 'ENOENT')
    const { folder, name } = this.#parent(path, 'open')
    this.before({ kind: 'create', path, bytes: 0 })
    const content = new SimContent(this.#options.canLosePower === true)
    content.modifiedMs = this.#nowMs
    folder.set(name, content)
    return new SimFile(this, path, content, this.#life)
  }

  mkdir(path: string): void {
    let folder = this.#root
    for (const name of partsOf(path)) {
      let next = folder.get(name)
      if (next === undefined) {
        this.before({ kind: 'mkdir', path, bytes: 0 })
        next = new SimFolder()
        folder.set(name, next)
      }
      if (!(next instanceof SimFolder)) throw failure(`mkdir ${path}`, 'ENOTDIR')
      folder = next
    }
  }

  list(path: string): string[] {
    return [...this.#folder(path, 'list').names()].sort()
  }

  stat(path: string): { size: number; isFolder: boolean; modifiedMs: number } | null {
    const found = this.#find(path)
    if (found === null) return null
    if (found instanceof SimFolder) return { size: 0, isFolder: true, modifiedMs: 0 }
    return { size: found.size, isFolder: false, modifiedMs: found.modifiedMs }
  }

  rename(from: string, to: string): void {
    const source = this.#parent(from, 'rename')
    const target = this.#parent(to, 'rename')
    const node = source.folder.get(source.name)
    if (node === undefined) throw failure(`rename ${from} to ${to}`, 'ENOENT')
    this.before({ kind: 'rename', path: to, bytes: 0 })
    source.folder.move(source.name, target.folder, target.name)
  }

  remove(path: string): void {
    const { folder, name } = this.#parent(path, 'remove')
    const node = folder.get(name)
    if (node === undefined) return
    if (node instanceof SimFolder) throw failure(`remove ${path}`, 'EISDIR')
    this.before({ kind: 'remove', path, bytes: 0 })
    folder.delete(name)
  }

  removeFolder(path: string): void {
    const found = this.#find(path)
    if (found === null) return
    const { folder, name } = this.#parent(path, 'remove folder')
    this.before({ kind: 'removeFolder', path, bytes: 0 })
    folder.delete(name)
  }

  async syncFolder(path: string): Promise<void> {
    const folder = this.#folder(path, 'sync folder')
    const operation: DiskOperation = { kind: 'syncFolder', path, bytes: 0 }
    this.before(operation)
    const count = folder.pendingCount
    await this.device(operation)
    folder.settle(count)
  }

  freeBytes(_path: string): number {
    return (this.#options.capacityBytes ?? Number.MAX_SAFE_INTEGER) - this.#usedBytes()
  }

  lock(path: string): { release(): void } | null {
    if (this.#locks.has(path)) return null
    this.open(path, 'create').close()
    this.#locks.add(path)
    const life = this.#life
    let isHeld = true
    return {
      release: () => {
        if (isHeld && life === this.#life) this.#locks.delete(path)
        isHeld = false
      },
    }
  }

  /** All processes end; what they wrote is in the page cache. The disk can be used again at once. */
  kill(): void {
    this.#life++
    this.#isOff = false
    this.#locks.clear()
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

  // -- for SimFile ------------------------------------------------------------------------------------------------

  get life(): number {
    return this.#life
  }

  /** Throws what `onOperation` wants to happen; returns how much of a write goes through before it throws. */
  before(operation: DiskOperation): void {
    const fault = this.faultOf(operation)
    if (fault !== null) throw failure(`${operation.kind} ${operation.path}`, fault.code)
  }

  faultOf(operation: DiskOperation): { code: string; written: number } | null {
    if (this.#isOff) return { code: 'EIO', written: 0 }
    const fault = this.#options.onOperation?.(operation)
    if (fault === undefined) return this.#fullFault(operation)
    if (fault !== 'powerOff') return { code: fault.code, written: fault.written ?? 0 }
    this.#isOff = true
    return { code: 'EIO', written: 0 }
  }

  async device(operation: DiskOperation): Promise<void> {
    const life = this.#life
    await this.#options.device?.(operation)
    // Nobody is left to hear of it.
    if (life !== this.#life || this.#isOff) await new Promise<never>(() => {})
  }

  touch(content: SimContent): void {
    content.modifiedMs = this.#nowMs
  }

  #fullFault(operation: DiskOperation): { code: string; written: number } | null {
    if (operation.kind !== 'write' || this.#options.capacityBytes === undefined) return null
    const free = this.freeBytes(operation.path)
    return operation.bytes <= free ? null : { code: 'ENOSPC', written: Math.max(0, free) }
  }

  get #nowMs(): number {
    return this.#options.clock?.now() ?? 0
  }

  #usedBytes(): number {
    return this.#options.capacityBytes === undefined ? 0 : this.#root.bytes()
  }

  #find(path: string): SimNode | null {
    let node: SimNode = this.#root
    for (const name of partsOf(path)) {
      const next: SimNode | undefined = node instanceof SimFolder ? node.get(name) : undefined
      if (next === undefined) return null
      node = next
    }
    return node
  }

  #content(path: string): SimContent {
    const found = this.#find(path)
    if (!(found instanceof SimContent)) throw failure(`open ${path}`, 'ENOENT')
    return found
  }

  #folder(path: string, what: string): SimFolder {
    const found = this.#find(path)
    if (found === null) throw failure(`${what} ${path}`, 'ENOENT')
    if (!(found instanceof SimFolder)) throw failure(`${what} ${path}`, 'ENOTDIR')
    return found
  }

  #parent(path: string, what: string): { folder: SimFolder; name: string } {
    const parts = partsOf(path)
    const name = parts.pop()
    assert(name !== undefined, 'the root is not a file')
    return { folder: this.#folder(parts.join('/'), what), name }
  }
}

class SimFile implements File {
  readonly path: string
  readonly #disk: SimDisk
  readonly #content: SimContent
  readonly #life: number
  #isClosed = false

  constructor(disk: SimDisk, path: string, content: SimContent, life: number) {
    this.#disk = disk
    this.path = path
    this.#content = content
    this.#life = life
  }

  write(buffers: readonly Buffer[], position: number): void {
    this.#check('write')
    let bytes = 0
    for (const buffer of buffers) bytes += buffer.length
    const fault = this.#disk.faultOf({ kind: 'write', path: this.path, bytes })
    let left = fault === null ? bytes : fault.written
    let at = position
    for (const buffer of buffers) {
      const piece = buffer.length <= left ? buffer : buffer.subarray(0, left)
      if (piece.length > 0) this.#content.write(piece, at)
      at += piece.length
      left -= piece.length
    }
    if (at > position) this.#disk.touch(this.#content)
    if (fault !== null) throw failure(`write ${this.path}`, fault.code)
  }

  read(into: Buffer, position: number): number {
    this.#check('read')
    this.#disk.before({ kind: 'read', path: this.path, bytes: into.length })
    return this.#content.read(into, position)
  }

  async readAsync(into: Buffer, position: number): Promise<number> {
    this.#check('read')
    const operation: DiskOperation = { kind: 'read', path: this.path, bytes: into.length }
    this.#disk.before(operation)
    await this.#disk.device(operation)
    return this.#content.read(into, position)
  }

  async sync(): Promise<void> {
    this.#check('sync')
    const operation: DiskOperation = { kind: 'sync', path: this.path, bytes: 0 }
    const fault = this.#disk.faultOf(operation)
    const count = this.#content.pendingCount
    await this.#disk.device(operation)
    if (fault === null) return this.#content.settle(count)
    this.#content.forget()
    throw failure(`sync ${this.path}`, fault.code)
  }

  truncate(size: number): void {
    this.#check('truncate')
    this.#disk.before({ kind: 'truncate', path: this.path, bytes: size })
    this.#content.truncate(size)
    this.#disk.touch(this.#content)
  }

  size(): number {
    this.#check('stat')
    return this.#content.size
  }

  close(): void {
    this.#isClosed = true
  }

  #check(what: string): void {
    if (this.#isClosed) throw failure(`${what} ${this.path}`, 'EBADF')
    if (this.#life !== this.#disk.life) throw failure(`${what} ${this.path}`, 'EIO')
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function failure(operation: string, code: string): Faulted {
  return new Faulted('disk', operation, { cause: Object.assign(new Error(`${code}: simulated`), { code }) })
}
