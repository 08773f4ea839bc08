/**
 * Reading ahead in one log: whoever reads on where a read off the event loop has ended gets a window, many times what it asked for, and
 * is served from that without another trip to the disk.
 *
 *     |====|                                 anywhere: what was asked for
 *          |====---------------|             on from there: a window
 *               |====|                       out of it, and so for others who pass
 *                              |====----     on from its end: the next one
 *
 * A window holds whole batches that were in the file when it was read, and goes when the log is cut.
 */
import { Faulted } from '../base/errors.ts'
import { batchHeaderSize } from '../records/batch.ts'
import type { ReadLimits, Run } from './batch-reader.ts'
import type { ReadAheadMemory } from './read-ahead-memory.ts'
import { ReadWindow } from './read-window.ts'
import { isDamage, type Segment } from './segment.ts'

/** Of memory. */
const windowBytesMax = 1024 * 1024
/** A reader that is slow to take a slice keeps its window in memory: at most so many times what would be read for it alone. */
const timesMax = 16
/** Ends of reads that are remembered. */
const endsMax = 64

/** What there is in memory: batches, or none that may be returned. */
export interface Found {
  readonly run: Run | null
}

export interface ReadAheadOptions {
  readonly memory: ReadAheadMemory
  readonly nowMs: () => number
  /** Truncations so far. */
  readonly cuts: () => number
  readonly indexIntervalBytes: () => number
}

export class ReadAhead {
  readonly #options: ReadAheadOptions
  readonly #windows = new Set<ReadWindow>()
  /** Who waits for the windows that are being read, by the offset from which on. */
  readonly #coming = new Map<number, (() => void)[]>()
  /** Where reads have ended, the last one last. */
  readonly #ends = new Set<number>()
  /** A window could not be read of these. What is wrong in it concerns only those who ask for that very batch. */
  readonly #unreadable = new WeakSet<Segment>()
  /** As it was when the windows were read. */
  #cuts = 0
  #isClosed = false

  constructor(options: ReadAheadOptions) {
    this.#options = options
  }

  /** A read off the event loop has ended at `offset`: who comes there goes on. */
  ended(offset: number): void {
    this.#ends.delete(offset)
    this.#ends.add(offset)
    const [first] = this.#ends
    if (this.#ends.size > endsMax && first !== undefined) this.#ends.delete(first)
  }

  isExpected(offset: number): boolean {
    return this.#ends.has(offset)
  }

  /** Out of the window that holds the batch with `offset`; null: there is none. */
  cut(segment: Segment, offset: number, limits: ReadLimits): Found | null {
    if (this.#cuts !== this.#options.cuts()) this.clear()
    for (const window of this.#windows) {
      if (window.holds(segment, offset)) return this.#cutFrom(window, offset, limits)
    }
    return null
  }

  isComing(offset: number): boolean {
    return this.#coming.has(offset)
  }

  /** Until the window that is being read from `offset` on is here, or is not to be had. */
  coming(offset: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#coming.get(offset)
      if (waiting === undefined) resolve()
      else waiting.push(resolve)
    })
  }

  /** Out of a window that `readRun` reads; null: it is not to be had. @throws Stale */
  async read(
    segment: Segment,
    offset: number,
    limits: ReadLimits,
    readRun: (limits: ReadLimits) => Promise<Run | null>,
  ): Promise<Found | null> {
    const { memory, nowMs, cuts, indexIntervalBytes } = this.#options
    const besides = indexIntervalBytes() + batchHeaderSize // what readRun reads before and behind
    const size = windowSize(limits.maxBytes + besides)
    const maxBytes = size - besides
    if (maxBytes < 2 * limits.maxBytes || this.#unreadable.has(segment)) return null
    if (this.#isClosed || !memory.reserve(size, nowMs())) return null
    const waiting: (() => void)[] = []
    this.#coming.set(offset, waiting)
    const before = cuts()
    let run: Run | null = null
    try {
      run = await readRun({ ...limits, maxBytes })
    } catch (error) {
      if (!(error instanceof Faulted) || segment.isRemoved) throw error
      this.#giveUp(segment)
      return null
    } finally {
      memory.unreserve(size)
      this.#coming.delete(offset)
      for (const go of waiting) go() // not before this turn ends, with the window in its place
    }
    if (run === null) return { run }
    const window = new ReadWindow(segment, run, (dropped) => {
      this.#windows.delete(dropped)
      memory.giveBack(dropped)
    })
    this.ended(run.nextOffset)
    if (this.#isClosed || before !== cuts() || window.size > size) {
      const found = this.#cutFrom(window, offset, limits)
      window.drop()
      return found
    }
    if (this.#cuts !== before) this.clear()
    this.#windows.add(window)
    memory.keep(window)
    return this.#cutFrom(window, offset, limits)
  }

  /** Segments have gone. */
  trimmed(): void {
    for (const window of this.#windows) if (window.segment.isRemoved) window.drop()
  }

  clear(): void {
    for (const window of this.#windows) window.drop()
    this.#cuts = this.#options.cuts()
  }

  close(): void {
    this.#isClosed = true
    this.clear()
  }

  #cutFrom(window: ReadWindow, offset: number, limits: ReadLimits): Found | null {
    try {
      const run = window.cut(offset, limits)
      window.usedMs = this.#options.nowMs()
      this.#options.memory.used(window, run !== null && window.endsAt(run.nextOffset))
      return { run }
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#giveUp(window.segment)
      return null
    }
  }

  #giveUp(segment: Segment): void {
    this.#unreadable.add(segment)
    for (const window of this.#windows) if (window.segment === segment) window.drop()
  }
}

/** A power of two, of which memory is not rounded up. */
function windowSize(alone: number): number {
  return Math.min(windowBytesMax, 2 ** Math.floor(Math.log2(alone * timesMax)))
}
