import * as fs from 'node:fs'
import { sizeOf } from '../base/buffers.ts'
import { Faulted } from '../base/errors.ts'
import { lockFile } from './node-lock.ts'
import type { Disk, File } from './world.ts'

const { O_CREAT, O_RDONLY, O_RDWR } = fs.constants
const flags = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT }

/** Giving back fewer takes less than a millisecond. */
const largeBytes = 4 * 1024 * 1024
/** Descriptors that may be held for it. */
const givingBackMax = 16

/**
 * The real disk: node:fs, synchronous where the kernel's page cache answers, the thread pool where a device
 * may.
 */
export class NodeDisk implements Disk {
  /** Files without a name that another thread is about to close. */
  #givingBack = 0

  open(path: string, mode: 'read' | 'write' | 'create'): File {
    return attempt(`open ${path}`, () => new NodeFile(path, fs.openSync(path, flags[mode], 0o644)))
  }

  mkdir(path: string): void {
    attempt(`mkdir ${path}`, () => fs.mkdirSync(path, { recursive: true }))
  }

  list(path: string): string[] {
    return attempt(`list ${path}`, () => fs.readdirSync(path).sort())
  }

  stat(path: string): { size: number; isFolder: boolean; modifiedMs: number } | null {
    return attempt(`stat ${path}`, () => {
      const found = fs.statSync(path, { throwIfNoEntry: false })
      if (found === undefined) return null
      return { size: found.size, isFolder: found.isDirectory(), modifiedMs: found.mtimeMs }
    })
  }

  rename(from: string, to: string): void {
    attempt(`rename ${from} to ${to}`, () => fs.renameSync(from, to))
  }

  remove(path: string): void {
    attempt(`remove ${path}`, () => this.#unlink(path))
  }

  async removeFolder(path: string): Promise<void> {
    try {
      await fs.promises.rm(path, { recursive: true, force: true })
    } catch (cause) {
      throw new Faulted('disk', `remove folder ${path}`, { cause })
    }
  }

  /**
   * The name goes at once; the blocks and pages of a large file, which take the kernel 0.3 s a gigabyte, with the last descriptor,
   * on another thread.
   */
  #unlink(path: string): void {
    const size = fs.lstatSync(path, { throwIfNoEntry: false })?.size
    if (size === undefined) return
    if (size < largeBytes || this.#givingBack >= givingBackMax) {
      fs.unlinkSync(path)
      return
    }
    const fd = fs.openSync(path, O_RDONLY)
    try {
      fs.unlinkSync(path)
    } finally {
      this.#givingBack++
      // Nothing was written through it: there is nothing that could be lost here.
      fs.close(fd, () => this.#givingBack--)
    }
  }

  syncFolder(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const operation = `sync folder ${path}`
      const fd = attempt(operation, () => fs.openSync(path, O_RDONLY))
      fs.fsync(fd, (cause) => {
        fs.closeSync(fd)
        if (cause === null) resolve()
        else reject(new Faulted('disk', operation, { cause }))
      })
    })
  }

  freeBytes(path: string): number {
    return attempt(`statfs ${path}`, () => {
      const found = fs.statfsSync(path)
      return found.bavail * found.bsize
    })
  }

  totalBytes(path: string): number {
    return attempt(`statfs ${path}`, () => {
      const found = fs.statfsSync(path)
      return found.blocks * found.bsize
    })
  }

  lock(path: string): { release(): void } | null {
    return attempt(`lock ${path}`, () => lockFile(path))
  }
}

class NodeFile implements File {
  readonly path: string
  readonly #fd: number
  /**
   * Reads, writes and syncs that the thread pool still works on. The descriptor is given back only after them: the
   * number would be taken by the next open, and they would work on another file.
   */
  #pending = 0
  #isClosed = false

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  write(buffers: readonly Buffer[], position: number): void {
    attempt(`write ${this.path}`, () => {
      this.#checkOpen()
      for (const left = new Unwritten(buffers, position); !left.isEmpty; ) {
        const { rest, at } = left
        const written = rest.length === 1 ? this.#writeOne(rest, at) : fs.writevSync(this.#fd, rest, at)
        if (written === 0) throw nothingWritten()
        left.wrote(written)
      }
    })
  }

  writeAsync(buffers: readonly Buffer[], position: number): Promise<void> {
    const operation = `write ${this.path}`
    return new Promise((resolve, reject) => {
      this.#begin(operation)
      const left = new Unwritten(buffers, position)
      const end = (cause: Error | null): void => {
        this.#finish()
        if (cause === null) resolve()
        else reject(new Faulted('disk', operation, { cause }))
      }
      const step = (): void => {
        fs.writev(this.#fd, left.rest, left.at, (cause, written) => {
          if (cause !== null) return end(cause)
          if (written === 0) return end(nothingWritten())
          left.wrote(written)
          if (left.isEmpty) end(null)
          else step()
        })
      }
      if (left.isEmpty) end(null)
      else step()
    })
  }

  #writeOne(buffers: readonly Buffer[], position: number): number {
    const [only] = buffers
    return only === undefined ? 0 : fs.writeSync(this.#fd, only, 0, only.length, position)
  }

  read(into: Buffer, position: number): number {
    return attempt(`read ${this.path}`, () => {
      this.#checkOpen()
      let done = 0
      while (done < into.length) {
        const got = fs.readSync(this.#fd, into, done, into.length - done, position + done)
        if (got === 0) break
        done += got
      }
      return done
    })
  }

  readAsync(into: Buffer, position: number): Promise<number> {
    const operation = `read ${this.path}`
    return new Promise((resolve, reject) => {
      this.#begin(operation)
      let done = 0
      const step = (): void => {
        fs.read(this.#fd, into, done, into.length - done, position + done, (cause, got) => {
          if (cause === null) {
            done += got
            if (got > 0 && done < into.length) return step()
          }
          this.#finish()
          if (cause === null) resolve(done)
          else reject(new Faulted('disk', operation, { cause }))
        })
      }
      step()
    })
  }

  sync(): Promise<void> {
    const operation = `fdatasync ${this.path}`
    return new Promise((resolve, reject) => {
      this.#begin(operation)
      fs.fdatasync(this.#fd, (cause) => {
        this.#finish()
        if (cause === null) resolve()
        else reject(new Faulted('disk', operation, { cause }))
      })
    })
  }

  truncate(size: number): void {
    attempt(`truncate ${this.path}`, () => {
      this.#checkOpen()
      fs.ftruncateSync(this.#fd, size)
    })
  }

  size(): number {
    return attempt(`stat ${this.path}`, () => {
      this.#checkOpen()
      return fs.fstatSync(this.#fd).size
    })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#pending === 0) attempt(`close ${this.path}`, () => fs.closeSync(this.#fd))
  }

  #begin(operation: string): void {
    attempt(operation, () => this.#checkOpen())
    this.#pending++
  }

  #finish(): void {
    this.#pending--
    if (this.#isClosed && this.#pending === 0) fs.closeSync(this.#fd)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw Object.assign(new Error('EBADF: the file is closed'), { code: 'EBADF' })
  }
}

/** A nearly full disk takes a part and reports no error, and in the end nothing. */
function nothingWritten(): Error {
  return Object.assign(new Error('ENOSPC: nothing was written'), { code: 'ENOSPC' })
}

/** What a write has left, and where in the file that goes. */
class Unwritten {
  rest: readonly Buffer[]
  at: number
  #bytes: number

  constructor(buffers: readonly Buffer[], position: number) {
    this.rest = buffers
    this.at = position
    this.#bytes = sizeOf(buffers)
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  wrote(count: number): void {
    this.#bytes -= count
    this.at += count
    if (this.#bytes > 0) this.rest = after(this.rest, count)
  }
}

/** What is left of `buffers` after their first `count` bytes. */
function after(buffers: readonly Buffer[], count: number): readonly Buffer[] {
  let skip = count
  let index = 0
  for (let first = buffers[0]; first !== undefined && skip >= first.length; first = buffers[index]) {
    skip -= first.length
    index++
  }
  const rest = buffers.slice(index)
  if (skip > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(skip)
  return rest
}

function attempt<Value>(operation: string, action: () => Value): Value {
  try {
    return action()
  } catch (cause) {
    throw new Faulted('disk', operation, { cause })
  }
}
