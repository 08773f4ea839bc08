/**
 * The end of a log's files: the segment that is written to, and the batches that wait for it.
 *
 * A run of batches is written at once, or (write-pace.ts) away from the event loop. One such write is under way at a time; what
 * comes meanwhile waits, and is written with the next. The run stays the first of the queue until it is in the file: only then the
 * books change (tally, index), so nobody reads it before. A cut takes batches out of the queue, those that are being
 * written, too: they never come into the books, and their bytes are the caller's to cut off the file (LogWriter#truncate).
 */
import { assert } from '../base/assert.ts'
import { sizeOf } from '../base/buffers.ts'
import { Faulted } from '../base/errors.ts'
import { AppendQueue, type Run } from './append-queue.ts'
import type { Durability } from './durability.ts'
import type { Gate } from './gate.ts'
import type { ProducerEntry } from './producers.ts'
import type { Recovered, RecoveryOptions } from './recovery.ts'
import type { Segment } from './segment.ts'
import type { WritePace } from './write-pace.ts'

export interface SegmentWriterOptions extends RecoveryOptions {
  readonly recovered: Recovered
  readonly durability: Durability
  readonly gate: Gate
  readonly pace: WritePace
  /** A write away from the loop is done: it is in the books, or there is a fault. */
  readonly onLanded: () => void
}

export class SegmentWriter {
  readonly queue = new AppendQueue()
  readonly #options: SegmentWriterOptions
  /** The segment that is written to; null: the next batch begins one. */
  #active: Segment | null
  #away: Promise<void> | null = null

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    this.#active = options.recovered.segments.last ?? null
    this.queue.target(this.#active)
  }

  get active(): Segment | null {
    return this.#active
  }

  /** A write away from the loop is under way. */
  get isAway(): boolean {
    return this.#away !== null
  }

  /** Resolves when none is: what it has left to be done is done. */
  async landed(): Promise<void> {
    await this.#away
  }

  /** Goes on with this segment, as the log was cut; null: with a new one. */
  resume(active: Segment | null): void {
    this.#active = active
  }

  /**
   * Writes what waits, in order, up to a run that goes away from the loop or (`isHeld`) has to wait for a mark. None is away.
   * @throws Faulted
   */
  write(isHeld: boolean): void {
    const { clock, pace, durability } = this.#options
    const nowMs = clock.now()
    for (let run = this.queue.next(isHeld); run !== undefined; run = this.queue.next(isHeld)) {
      if (run.newSegment !== null) this.#roll(run.baseOffset, run.newSegment.producers)
      const segment = this.#active
      assert(segment !== null && segment.endOffset === run.baseOffset, 'a run continues its segment')
      if (pace.leaves(sizeOf(run.batches))) {
        this.#away = this.#writeAway(segment, run, nowMs)
        return
      }
      const sinceMs = pace.nowMs()
      segment.append(run.batches, nowMs)
      pace.wrote(sinceMs)
      durability.noteSegment(segment, false)
      this.queue.written()
    }
  }

  /** Ends the active segment at `offset`, with the states of producers below it. @throws Faulted */
  seal(offset: number, producers = this.#producersNow()): void {
    assert(this.#away === null, 'nothing is being written to a segment that is sealed')
    if (this.#active === null) return
    this.#active.seal()
    this.#options.durability.noteSegment(this.#active, true)
    this.#active = null
    this.takeSnapshot(offset, producers)
  }

  /** @throws Faulted */
  takeSnapshot(offset: number, producers = this.#producersNow()): void {
    const { recovered, durability } = this.#options
    const epoch = recovered.journal.marks.epochAt(offset - 1)
    recovered.snapshots.write({ offset, epoch, entries: producers })
    durability.noteFolder()
  }

  /**
   * What the segments below `offset`, which are to go, say of producers survives them. The active one may be among them, unless more
   * is on its way into it. @throws Faulted
   */
  async keepProducers(offset: number): Promise<void> {
    const active = this.#active
    const next = this.queue.first
    const isOver = next?.newSegment !== null && this.#away === null
    if (active !== null && active.endOffset <= offset && isOver) {
      this.seal(active.endOffset, next?.newSegment?.producers)
      if (next === undefined) this.queue.target(null)
    }
    const { recovered, durability } = this.#options
    if (recovered.snapshots.isDirty) await Promise.all([recovered.snapshots.sync(), durability.syncFolder()])
  }

  #producersNow(): readonly ProducerEntry[] {
    return [...this.#options.recovered.producers.entries()]
  }

  #roll(baseOffset: number, producers: readonly ProducerEntry[]): void {
    this.seal(baseOffset, producers)
    this.#active = this.#options.recovered.segments.add(baseOffset, null)
    this.#options.durability.noteFolder()
  }

  async #writeAway(segment: Segment, run: Run, nowMs: number): Promise<void> {
    const { gate, pace, durability, onLanded } = this.#options
    const sinceMs = pace.nowMs()
    const batches = this.queue.leave()
    try {
      await gate.wait(() => segment.write(batches))
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
    }
    pace.wroteAway(sinceMs)
    this.#away = null
    if (gate.fault === null) {
      const { leaving } = this.queue
      if (leaving.length > 0) {
        segment.count(leaving, nowMs)
        durability.noteSegment(segment, false)
      }
      this.queue.landed()
      // Its file has been made since the last sync of the folder began.
      if (run.newSegment !== null) durability.noteFolder()
    }
    onLanded()
  }
}
