/**
 * Memory that is used again and again. V8 counts the memory of buffers and marks its whole heap for every 30 MB or so that were
 * allocated (decision 10), and memory that is new costs a page fault for each of its pages.
 *
 * Uses are counted. Whoever takes a buffer has one use of it; whoever keeps a slice of it beyond a call retains it; each use is released
 * once. The memory is used again when nobody has a use of it any more. So what is released must not be looked at again; a use that
 * is never released does no harm: the memory is collected as any other, and the pool makes new.
 *
 * Slices of other memory are let through: `retain` and `release` do nothing with them.
 */
import { assert } from './assert.ts'

export interface BufferPoolOptions {
  /** Of what is kept for the next, bytes. 0: nothing is. */
  readonly bytesMax: number
  /** Smaller buffers are not worth it. */
  readonly sizeMin: number
}

/** A larger share of the pool is too much for one buffer. */
const shareMax = 1 / 4
/** Sizes are rounded up to one in so many between two powers of two: at most an eighth is wasted. */
const stepsPerDoubling = 8

/** What a pool gives out slices of. */
export class PooledMemory extends ArrayBuffer {
  readonly pool: BufferPool
  uses = 1

  constructor(bytes: number, pool: BufferPool) {
    super(bytes)
    this.pool = pool
  }
}

export class BufferPool {
  #options: BufferPoolOptions
  /** What nobody uses, by size. */
  readonly #free = new Map<number, PooledMemory[]>()
  #freeBytes = 0

  constructor(options: BufferPoolOptions) {
    this.#options = options
  }

  /** What is kept for the next, bytes. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  configure(options: BufferPoolOptions): void {
    this.#options = options
    this.#shrink(0)
  }

  /** Uninitialised, of exactly this size, with one use. */
  take(bytes: number): Buffer {
    const { bytesMax, sizeMin } = this.#options
    const size = roundedUp(bytes)
    if (bytes < sizeMin || size > bytesMax * shareMax) return Buffer.allocUnsafe(bytes)
    const memory = this.#free.get(size)?.pop()
    if (memory === undefined) return Buffer.from(new PooledMemory(size, this), 0, bytes)
    this.#freeBytes -= size
    memory.uses = 1
    return Buffer.from(memory, 0, bytes)
  }

  /** Nobody uses it any more. For `release`. */
  giveBack(memory: PooledMemory): void {
    const size = memory.byteLength
    this.#shrink(size)
    if (this.#freeBytes + size > this.#options.bytesMax) return
    const same = this.#free.get(size)
    if (same === undefined) this.#free.set(size, [memory])
    else same.push(memory)
    this.#freeBytes += size
  }

  /** Makes room: sizes that were wanted once may never be wanted again. */
  #shrink(bytes: number): void {
    const most = this.#options.bytesMax - bytes
    for (const [size, free] of this.#free) {
      if (this.#freeBytes <= most) return
      while (free.length > 0 && this.#freeBytes > most) {
        free.pop()
        this.#freeBytes -= size
      }
      // The size that comes to be wanted next stands behind the others, and is dropped after them.
      this.#free.delete(size)
      if (free.length > 0) this.#free.set(size, free)
    }
  }
}

/** Memory is new each time. */
export const noBuffers = new BufferPool({ bytesMax: 0, sizeMin: 0 })

/** One more use of the memory that `bytes` lies in. */
export function retain(bytes: Buffer): void {
  const { buffer } = bytes
  if (!(buffer instanceof PooledMemory)) return
  assert(buffer.uses > 0, 'memory is retained while it is used')
  buffer.uses++
}

/** One use less. */
export function release(bytes: Buffer): void {
  const { buffer } = bytes
  if (!(buffer instanceof PooledMemory)) return
  assert(buffer.uses > 0, 'each use is released once')
  buffer.uses--
  if (buffer.uses === 0) buffer.pool.giveBack(buffer)
}

export function retainAll(all: readonly Buffer[]): void {
  for (const bytes of all) retain(bytes)
}

export function releaseAll(all: readonly Buffer[]): void {
  for (const bytes of all) release(bytes)
}

function roundedUp(bytes: number): number {
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, bytes))) / 2 / stepsPerDoubling
  return step < 1 ? bytes : Math.ceil(bytes / step) * step
}
