import { assert } from '../base/assert.ts'
import { sizeOf } from '../base/buffers.ts'
import { Faulted } from '../base/errors.ts'
import type { Disk, File } from '../io/world.ts'
import type { SimContent } from './sim-content.ts'
import type { DiskOperation, SimDisk } from './sim-disk.ts'
import { partsOf, SimFolder } from './sim-folder.ts'

/** The simulated disk in the hands of one process. */
export class SimMount implements Disk {
  readonly #disk: SimDisk
  readonly #life: number

  constructor(disk: SimDisk, life: number) {
    this.#disk = disk
    this.#life = life
  }

  open(path: string, mode: 'read' | 'write' | 'create'): File {
    const found = this.#find(path)
    if (found instanceof SimFolder) throw failure(`open ${path}`, 'EISDIR')
    if (found !== null) return new SimFile(this, path, found)
    if (mode !== 'create') throw failure(`open ${path}`, 'ENOENT')
    const { folder, name } = this.#parent(path, 'open')
    this.before({ kind: 'create', path, bytes: 0 })
    const content = this.#disk.newContent()
    folder.set(name, content)
    return new SimFile(this, path, content)
  }

  mkdir(path: string): void {
    let folder = this.#find('/')
    for (const name of partsOf(path)) {
      if (!(folder instanceof SimFolder)) throw failure(`mkdir ${path}`, 'ENOTDIR')
      let next = folder.get(name)
      if (next === undefined) {
        this.before({ kind: 'mkdir', path, bytes: 0 })
        next = this.#disk.newFolder()
        folder.set(name, next)
      }
      folder = next
    }
    if (!(folder instanceof SimFolder)) throw failure(`mkdir ${path}`, 'EEXIST')
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
    if (source.folder.get(source.name) === undefined) throw failure(`rename ${from} to ${to}`, 'ENOENT')
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

  async removeFolder(path: string): Promise<void> {
    if (this.#find(path) === null) return
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
    this.check('statfs')
    return this.#disk.freeBytes()
  }

  totalBytes(_path: string): number {
    this.check('statfs')
    return this.#disk.totalBytes()
  }

  lock(path: string): { release(): void } | null {
    const { locks } = this.#disk
    if (locks.has(path)) return null
    this.open(path, 'create').close()
    locks.add(path)
    let isHeld = true
    return {
      release: () => {
        if (isHeld && this.#disk.isAlive(this.#life)) locks.delete(path)
        isHeld = false
      },
    }
  }

  // -- for SimFile
  // ------------------------------------------------------------------------------------------------

  check(what: string): void {
    if (!this.#disk.isAlive(this.#life)) throw failure(what, 'EIO')
  }

  /** Throws what is to happen instead of the operation. */
  before(operation: DiskOperation): void {
    const fault = this.faultOf(operation)
    if (fault !== null) throw failure(`${operation.kind} ${operation.path}`, fault.code)
  }

  faultOf(operation: DiskOperation): { code: string; written: number } | null {
    this.check(`${operation.kind} ${operation.path}`)
    return this.#disk.faultOf(operation)
  }

  device(operation: DiskOperation): Promise<void> {
    return this.#disk.device(operation, this.#life)
  }

  /** How many bytes of a write are in the file while the device still works on it. */
  someOf(bytes: number): number {
    return this.#disk.someOf(bytes)
  }

  touch(content: SimContent): void {
    this.#disk.touch(content)
  }

  #find(path: string): SimContent | SimFolder | null {
    this.check(`find ${path}`)
    return this.#disk.find(path)
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
  readonly #mount: SimMount
  readonly #content: SimContent
  #isClosed = false

  constructor(mount: SimMount, path: string, content: SimContent) {
    this.#mount = mount
    this.path = path
    this.#content = content
  }

  write(buffers: readonly Buffer[], position: number): void {
    this.#check('write')
    const bytes = sizeOf(buffers)
    const fault = this.#mount.faultOf({ kind: 'write', path: this.path, bytes })
    this.#put(buffers, position, 0, fault === null ? bytes : fault.written)
    if (fault !== null) throw failure(`write ${this.path}`, fault.code)
  }

  /** Some of it is in the file while the device works on the rest. */
  async writeAsync(buffers: readonly Buffer[], position: number): Promise<void> {
    this.#check('write')
    const bytes = sizeOf(buffers)
    const operation: DiskOperation = { kind: 'write', path: this.path, bytes }
    await this.#mount.device(operation)
    const fault = this.#mount.faultOf(operation)
    const end = fault === null ? bytes : fault.written
    const some = Math.min(end, this.#mount.someOf(bytes))
    this.#put(buffers, position, 0, some)
    if (some < end) {
      await this.#mount.device(operation)
      this.#put(buffers, position, some, end)
    }
    if (fault !== null) throw failure(`write ${this.path}`, fault.code)
  }

  read(into: Buffer, position: number): number {
    this.#check('read')
    this.#mount.before({ kind: 'read', path: this.path, bytes: into.length })
    return this.#content.read(into, position)
  }

  async readAsync(into: Buffer, position: number): Promise<number> {
    this.#check('read')
    const operation: DiskOperation = { kind: 'read', path: this.path, bytes: into.length }
    this.#mount.before(operation)
    await this.#mount.device(operation)
    return this.#content.read(into, position)
  }

  async sync(): Promise<void> {
    this.#check('sync')
    const operation: DiskOperation = { kind: 'sync', path: this.path, bytes: 0 }
    const fault = this.#mount.faultOf(operation)
    const count = this.#content.pendingCount
    await this.#mount.device(operation)
    if (fault === null) return this.#content.settle(count)
    this.#content.forget()
    throw failure(`sync ${this.path}`, fault.code)
  }

  truncate(size: number): void {
    this.#check('truncate')
    this.#mount.before({ kind: 'truncate', path: this.path, bytes: size })
    this.#content.truncate(size)
    this.#mount.touch(this.#content)
  }

  size(): number {
    this.#check('stat')
    return this.#content.size
  }

  close(): void {
    this.#isClosed = true
  }

  /** Writes the bytes of `buffers` from one of them to another; their first belongs to `position`. */
  #put(buffers: readonly Buffer[], position: number, from: number, to: number): void {
    let start = 0
    for (const buffer of buffers) {
      const piece = buffer.subarray(Math.max(0, from - start), Math.max(0, to - start))
      if (piece.length > 0) this.#content.write(piece, position + Math.max(from, start))
      start += buffer.length
    }
    if (to > from) this.#mount.touch(this.#content)
  }

  #check(what: string): void {
    if (this.#isClosed) throw failure(`${what} ${this.path}`, 'EBADF')
    this.#mount.check(`${what} ${this.path}`)
  }
}

export function failure(operation: string, code: string): Faulted {
  return new Faulted('disk', operation, { cause: Object.assign(new Error(`${code}: simulated`), { code }) })
}
