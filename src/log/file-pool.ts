/**
 * The open files of all logs of a broker: at most `openMax` descriptors, whatever the number of partitions
 * and segments.
 *
 * `open` gives a File that takes a descriptor when it is used and may lose it to another in between; nobody
 * notices. Those without unsynced writes go before the others, and who was used since he was last looked at is passed over
 * once (the clock algorithm): using a file moves nothing, however many are open.
 *
 * A file with unsynced writes may be closed, too (a turn can write to more partitions than there are
 * descriptors): its pages stay dirty in the kernel, fdatasync works on the file and not on the descriptor,
 * and Linux reports a failed write-back to whoever opens the file next when nobody has seen it yet (errseq,
 * since 4.17). What this pool adds: when a sync has failed once, the file stays failed here, so that opening
 * it again cannot make a later sync look good.
 */
import { assert } from '../base/assert.ts'
import { Faulted } from '../base/errors.ts'
import type { Disk, File } from '../io/world.ts'

export interface FilePoolOptions {
  readonly disk: Pick<Disk, 'open' | 'stat'>
  /** Descriptors held at the same time; 2 at least. */
  readonly openMax: number
}

export class FilePool {
  readonly #disk: Pick<Disk, 'open' | 'stat'>
  readonly #openMax: number
  /** Reads, writes and syncs under way at the same time: some descriptors are left for the synchronous calls. */
  readonly #busyMax: number
  /** What is open: without unsynced writes, and with. Thousands of partitions make a search among both cost more than a write. */
  readonly #clean = new Ring()
  readonly #dirty = new Ring()
  readonly #waiting: (() => void)[] = []
  #busy = 0

  constructor(options: FilePoolOptions) {
    assert(options.openMax >= 2, 'a file pool may open two files')
    this.#disk = options.disk
    this.#openMax = options.openMax
    this.#busyMax = Math.max(1, Math.floor(options.openMax * 0.75))
  }

  /** Descriptors in use. */
  get openCount(): number {
    return this.#clean.size + this.#dirty.size
  }

  /** As `Disk.open`, but nothing is opened, created or checked before the first use. */
  open(path: string, mode: 'read' | 'write' | 'create'): File {
    return new PooledFile(this, path, mode)
  }

  /** A descriptor for `file`. For PooledFile. */
  acquire(file: PooledFile): File {
    if (file.handle === null) {
      if (this.openCount >= this.#openMax) this.#evict()
      file.handle = this.#disk.open(file.path, file.mode)
      this.sort(file)
      file.isUsed = false
    } else file.isUsed = true
    return file.handle
  }

  /** An open file has unsynced writes now, or none any more. For PooledFile. */
  sort(file: PooledFile): void {
    const [to, from] = file.isDirty ? [this.#dirty, this.#clean] : [this.#clean, this.#dirty]
    from.delete(file)
    to.add(file)
  }

  release(file: PooledFile): void {
    file.handle?.close()
    file.handle = null
    this.#clean.delete(file)
    this.#dirty.delete(file)
  }

  size(file: PooledFile): number {
    if (file.handle === null) {
      const found = this.#disk.stat(file.path)
      if (found !== null) return found.size
    }
    return this.acquire(file).size()
  }

  /** Runs what leaves this thread; the file keeps its descriptor meanwhile. */
  async run<Value>(file: PooledFile, action: (handle: File) => Promise<Value>): Promise<Value> {
    if (this.#busy >= this.#busyMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#busy++
    file.busy++
    try {
      file.checkOpen()
      return await action(this.acquire(file))
    } finally {
      file.busy--
      // The place goes straight to the next in line, so that nobody slips in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#busy--
      else next()
    }
  }

  #evict(): void {
    const victim = this.#clean.idle() ?? this.#dirty.idle()
    assert(victim !== null, 'a file pool has an idle file, as fewer are busy than may be open')
    this.release(victim)
  }
}

/** Open files, and a hand that goes round among them. */
class Ring {
  readonly #files = new Set<PooledFile>()
  #hand = this.#files.values()

  get size(): number {
    return this.#files.size
  }

  add(file: PooledFile): void {
    this.#files.add(file)
  }

  delete(file: PooledFile): void {
    this.#files.delete(file)
  }

  /** One that nobody uses at the moment, nor has since the hand was there last; null when all are busy. */
  idle(): PooledFile | null {
    // Twice round: the first time it may only take note that nobody has used them since.
    for (let left = 2 * (this.#files.size + 1); left > 0; left--) {
      const { value: file } = this.#hand.next()
      if (file === undefined) this.#hand = this.#files.values()
      else if (file.isUsed && file.busy === 0) file.isUsed = false
      else if (file.busy === 0) return file
    }
    return null
  }
}

class PooledFile implements File {
  readonly path: string
  readonly #pool: FilePool
  mode: 'read' | 'write' | 'create'
  handle: File | null = null
  /** Since it was opened, or the pool last looked for one that can be closed. */
  isUsed = false
  /** Reads and syncs under way. */
  busy = 0
  #writes = 0
  #syncedWrites = 0
  #isClosed = false
  #failure: Faulted | null = null

  constructor(pool: FilePool, path: string, mode: 'read' | 'write' | 'create') {
    this.#pool = pool
    this.path = path
    this.mode = mode
  }

  get isDirty(): boolean {
    return this.#writes !== this.#syncedWrites
  }

  write(buffers: readonly Buffer[], position: number): void {
    this.#forWriting().write(buffers, position)
  }

  async writeAsync(buffers: readonly Buffer[], position: number): Promise<void> {
    this.#checkWritable()
    this.#noteWrite()
    try {
      await this.#pool.run(this, (handle) => {
        this.#exists()
        return handle.writeAsync(buffers, position)
      })
    } finally {
      // A sync that has ended meanwhile may have missed a part of it.
      this.#noteWrite()
    }
  }

  read(into: Buffer, position: number): number {
    this.checkOpen()
    return this.#pool.acquire(this).read(into, position)
  }

  async readAsync(into: Buffer, position: number): Promise<number> {
    this.checkOpen()
    return await this.#pool.run(this, (handle) => handle.readAsync(into, position))
  }

  async sync(): Promise<void> {
    this.#checkWritable()
    try {
      let writes = 0
      await this.#pool.run(this, (handle) => {
        writes = this.#writes
        return handle.sync()
      })
      this.#syncedWrites = Math.max(this.#syncedWrites, writes)
      if (this.handle !== null) this.#pool.sort(this)
    } catch (error) {
      this.#failure = error as Faulted
      throw error
    }
  }

  truncate(size: number): void {
    this.#forWriting().truncate(size)
  }

  size(): number {
    this.checkOpen()
    return this.#pool.size(this)
  }

  close(): void {
    this.#isClosed = true
    this.#pool.release(this)
  }

  #forWriting(): File {
    this.#checkWritable()
    this.#noteWrite()
    const handle = this.#pool.acquire(this)
    this.#exists()
    return handle
  }

  #noteWrite(): void {
    const wasClean = !this.isDirty
    this.#writes++
    if (wasClean && this.handle !== null) this.#pool.sort(this)
  }

  /** From now on. Had somebody removed it meanwhile, creating it anew would hide that. */
  #exists(): void {
    if (this.mode === 'create') this.mode = 'write'
  }

  #checkWritable(): void {
    this.checkOpen()
    if (this.#failure !== null) throw this.#failure
  }

  /** A reader may find that the file went while it waited for its turn: no bug, so no assertion. */
  checkOpen(): void {
    if (!this.#isClosed) return
    throw new Faulted('disk', `use ${this.path}`, {
      cause: Object.assign(new Error('EBADF: the file is closed'), { code: 'EBADF' }),
    })
  }
}
