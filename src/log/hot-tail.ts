/**
 * The batches that a log was given last, in memory: followers and consumers that keep up are served without a read and without new
 * memory for it.
 *
 * All logs of a broker share the memory; what was appended first, to whichever of them, goes first.
 */
import { assert } from '../base/assert.ts'
import { release, retain } from '../base/buffer-pool.ts'
import { baseOffset, nextOffset } from '../records/batch.ts'
import type { ReadBatches } from './log.ts'

export interface HotMemoryOptions {
  /** Of all together. 0: nothing is kept. */
  readonly bytesMax: number
  /** Many small ones are read faster in one piece from the page cache. */
  readonly batchBytesMin: number
}

/** A batch may lie in a larger buffer (its request's), and keeps that in memory: at most so many times its own size. */
const keptMax = 16

interface HotBatch {
  readonly tail: HotTail
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
}

export class HotMemory {
  readonly #options: HotMemoryOptions
  /** In the order in which they came. */
  readonly #batches = new Set<HotBatch>()
  /** Goes on where it stands: from the begin it would walk the holes that all those have left which were dropped since. */
  readonly #oldest = this.#batches.values()
  #bytes = 0

  constructor(options: HotMemoryOptions) {
    this.#options = options
  }

  /** What is kept in memory for the batches: the buffers that they lie in. */
  get bytes(): number {
    return this.#bytes
  }

  isWorthKeeping(bytes: Buffer): boolean {
    const { bytesMax, batchBytesMin } = this.#options
    const kept = bytes.buffer.byteLength
    return bytes.length >= batchBytesMin && kept <= bytesMax && kept <= keptMax * bytes.length
  }

  take(batch: HotBatch): void {
    this.#batches.add(batch)
    this.#bytes += batch.bytes.buffer.byteLength
    while (this.#bytes > this.#options.bytesMax) {
      const { value: oldest } = this.#oldest.next()
      assert(oldest !== undefined, 'what takes memory is among the batches')
      oldest.tail.dropFirst()
    }
  }

  giveBack(batch: HotBatch): void {
    if (!this.#batches.delete(batch)) return
    this.#bytes -= batch.bytes.buffer.byteLength
    release(batch.bytes)
  }
}

/** Of one log: follows each other without a gap, up to its end. */
export class HotTail {
  readonly #memory: HotMemory
  #batches: HotBatch[] = []

  constructor(memory: HotMemory) {
    this.#memory = memory
  }

  /** A batch that was appended. It must not change any more. */
  push(bytes: Buffer): void {
    if (!this.#memory.isWorthKeeping(bytes)) {
      this.clear()
      return
    }
    const batch = { tail: this, bytes, baseOffset: baseOffset(bytes, 0), nextOffset: nextOffset(bytes, 0) }
    retain(bytes)
    // An empty array would take room for seventeen, and where there are thousands of tails most hold one batch.
    if (this.#batches.length === 0) this.#batches = [batch]
    else this.#batches.push(batch)
    this.#memory.take(batch)
  }

  /** The log ends at `offset`. */
  cut(offset: number): void {
    for (let last = this.#batches.at(-1); last !== undefined; last = this.#batches.at(-1)) {
      if (last.nextOffset <= offset) return
      this.#batches.pop()
      this.#memory.giveBack(last)
    }
  }

  clear(): void {
    for (const batch of this.#batches.splice(0)) this.#memory.giveBack(batch)
  }

  /** For the memory, which needs room. */
  dropFirst(): void {
    const first = this.#batches.shift()
    if (first !== undefined) this.#memory.giveBack(first)
  }

  /** As Log.read; null when `offset` lies before what is here. */
  read(
    offset: number,
    { boundOffset, maxBytes, minOne }: { boundOffset: number; maxBytes: number; minOne: boolean },
  ): ReadBatches | null {
    let index = this.#indexOf(offset)
    if (index < 0) return null
    const batches: Buffer[] = []
    let bytes = 0
    let next = offset
    for (let batch = this.#batches[index]; batch !== undefined; batch = this.#batches[++index]) {
      if (batch.nextOffset > boundOffset) break
      if (bytes + batch.bytes.length > maxBytes && !(minOne && batches.length === 0)) break
      retain(batch.bytes)
      batches.push(batch.bytes)
      bytes += batch.bytes.length
      next = batch.nextOffset
    }
    return { batches, bytes, nextOffset: next }
  }

  /** Of the batch that holds `offset`; -1 when it is not here. */
  #indexOf(offset: number): number {
    const batches = this.#batches
    if (offset < (batches[0]?.baseOffset ?? Infinity) || offset >= (batches.at(-1)?.nextOffset ?? 0))
      return -1
    let low = 0
    let high = batches.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((batches[middle]?.nextOffset ?? 0) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
