/**
 * Batches that have their place in the order and wait to be written, as runs: each run goes into one segment,
 * in one write.
 *
 * Which batch begins a new segment is decided here, when it is appended and not when it is written: a
 * snapshot of the producer states goes with each new segment, and by the time of the write the states are
 * further on.
 */
import { assert } from '../base/assert.ts'
import { releaseAll, retain } from '../base/buffer-pool.ts'
import * as batch from '../records/batch.ts'
import type { LogSettings } from './log.ts'
import type { ProducerEntry } from './producers.ts'
import type { Segment } from './segment.ts'

export interface Run {
  readonly baseOffset: number
  /** Producer states below `baseOffset` when it begins a new segment; null when it continues the last one. */
  readonly newSegment: { readonly producers: readonly ProducerEntry[] } | null
  /** A mark that starts no epoch lies right before it. */
  readonly isAfterMark: boolean
  readonly batches: Buffer[]
}

/** An offset in the index is an uint32, but clients and tools of Kafka take it for an int32. */
const offsetDeltaMax = 0x7fffffff
const indexEntryBytes = 16

export class AppendQueue {
  readonly #runs: Run[] = []
  /**
   * The segment that the next batch would go to, as it will be when all is written. null: the next batch
   * begins one.
   */
  #target: { baseOffset: number; bytes: number; firstAppendMs: number; indexBytes: number } | null = null

  #isAfterMark = false
  /** The first run, and its batches as they were when their write began, and where they end. */
  #leaving: { readonly run: Run; readonly batches: readonly Buffer[]; readonly end: number } | null = null

  get isEmpty(): boolean {
    return this.#runs.length === 0
  }

  /** The run that is next, if any. */
  get first(): Run | undefined {
    return this.#runs[0]
  }

  /** Where those end that are being written, what was cut of them included; -1 when there are none. */
  get leavingEnd(): number {
    return this.#leaving?.end ?? -1
  }

  /** A mark that starts no epoch was appended. */
  noteMark(): void {
    this.#isAfterMark = true
  }

  push(bytes: Buffer, settings: LogSettings, nowMs: number, producers: () => readonly ProducerEntry[]): void {
    const baseOffset = batch.baseOffset(bytes, 0)
    const isAfterMark = this.#isAfterMark
    this.#isAfterMark = false
    let run = this.#runs.at(-1)
    if (this.#target === null || this.#mustRoll(bytes, settings, nowMs)) {
      this.#target = { baseOffset, bytes: 0, firstAppendMs: nowMs, indexBytes: 0 }
      run = { baseOffset, newSegment: { producers: producers() }, isAfterMark, batches: [] }
      this.#runs.push(run)
    } else if (run === undefined || isAfterMark || run === this.#leaving?.run) {
      run = { baseOffset, newSegment: null, isAfterMark, batches: [] }
      this.#runs.push(run)
    }
    retain(bytes)
    run.batches.push(bytes)
    this.#target.bytes += bytes.length
    // At most one entry per batch, and one per interval.
    this.#target.indexBytes += indexEntryBytes * Math.min(1, bytes.length / settings.indexIntervalBytes)
  }

  /** The run that can be written next; undefined: there is none, or (`isHeld`) it comes after such a mark. */
  next(isHeld: boolean): Run | undefined {
    const run = this.#runs[0]
    return isHeld && run?.isAfterMark ? undefined : run
  }

  /** The first run is in its file: it is let go of. */
  written(): void {
    const run = this.#runs.shift()
    assert(run !== undefined, 'what is written has waited')
    releaseAll(run.batches)
  }

  /** The first run is being written from now on: nothing joins it. Returns its batches, which are used until `landed`. */
  leave(): readonly Buffer[] {
    const run = this.#runs[0]
    assert(run !== undefined && this.#leaving === null, 'one run leaves at a time')
    const batches = [...run.batches]
    this.#leaving = { run, batches, end: batch.nextOffset(batches.at(-1) as Buffer, 0) }
    return batches
  }

  /** Those of its batches that were not cut meanwhile. */
  get leaving(): readonly Buffer[] {
    return this.#leaving?.run.batches ?? []
  }

  /** It is in its file and let go of. */
  landed(): void {
    const leaving = this.#leaving
    assert(leaving !== null, 'what lands has left')
    this.#leaving = null
    if (this.#runs[0] === leaving.run) this.#runs.shift()
    releaseAll(leaving.batches)
  }

  /** Where the batch begins that holds `offset`; null when that one does not wait here. */
  baseOf(offset: number): number | null {
    for (const bytes of this.batches()) {
      if (batch.nextOffset(bytes, 0) <= offset) continue
      const base = batch.baseOffset(bytes, 0)
      return base <= offset ? base : null
    }
    return null
  }

  /** Nothing is written any more. */
  drop(): void {
    this.#runs.length = 0
  }

  /** All batches that wait, in order. */
  *batches(): Generator<Buffer, void, void> {
    for (const run of this.#runs) yield* run.batches
  }

  /** Says which segment the next batch goes to, when nothing waits; null for a new one. */
  target(segment: Segment | null): void {
    this.#target = segment
      ? {
          baseOffset: segment.baseOffset,
          bytes: segment.bytes,
          firstAppendMs: segment.firstAppendMs,
          indexBytes: segment.indexBytes,
        }
      : null
  }

  /**
   * Drops the batches at and above `offset`; what comes next begins a segment if that is what was dropped.
   */
  cut(offset: number): void {
    let dropped = 0
    let begins = false
    while (this.#runs.length > 0) {
      const run = this.#runs[this.#runs.length - 1] as Run
      while (run.batches.length > 0 && batch.baseOffset(run.batches.at(-1) as Buffer, 0) >= offset) {
        dropped += run.batches.pop()?.length ?? 0
      }
      if (run.batches.length > 0) break
      this.#runs.pop()
      begins ||= run.newSegment !== null
    }
    if (begins) this.#target = null
    else if (this.#target !== null) this.#target.bytes -= dropped
  }

  #mustRoll(bytes: Buffer, settings: LogSettings, nowMs: number): boolean {
    const target = this.#target
    if (target === null || target.bytes === 0) return false
    return (
      target.bytes + bytes.length > settings.segmentBytesMax ||
      nowMs - target.firstAppendMs > settings.segmentMs ||
      target.indexBytes + indexEntryBytes > settings.indexBytesMax ||
      batch.lastOffset(bytes, 0) - target.baseOffset > offsetDeltaMax
    )
  }
}
