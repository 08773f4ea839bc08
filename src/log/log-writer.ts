/**
 * All that changes a log. In memory everything happens at once and in order. Three things make files wait:
 * - A truncation of durable bytes touches no file before the barrier has been lowered, durably; else a loss of power in
 *   between would leave bytes that look like damage. Meanwhile nothing is written.
 * - A batch behind a mark that starts no epoch waits until that mark is durable (see Journal#isHolding).
 * - A write away from the event loop (segment-writer.ts) is waited for by the batches behind it; and by a truncation, which
 *   then takes what was written in vain off the file.
 */
import { assert } from '../base/assert.ts'
import { Faulted } from '../base/errors.ts'
import * as batch from '../records/batch.ts'
import type { AppendQueue } from './append-queue.ts'
import { writeClean } from './clean-marker.ts'
import { Durability } from './durability.ts'
import { FileCuts } from './file-cuts.ts'
import { Gate } from './gate.ts'
import type { Journal } from './journal.ts'
import type { Mark, NewStart } from './log.ts'
import type { Marks } from './marks.ts'
import { cleanName } from './names.ts'
import { readProducers } from './producer-replay.ts'
import type { Producers } from './producers.ts'
import type { Recovered, RecoveryOptions } from './recovery.ts'
import { resetFiles } from './reset.ts'
import { SegmentWriter } from './segment-writer.ts'
import type { Segments } from './segments.ts'
import type { WritePace } from './write-pace.ts'

export class LogWriter {
  readonly segments: Segments
  readonly producers: Producers
  readonly #options: RecoveryOptions
  readonly #gate: Gate
  readonly #recovered: Recovered
  readonly #journal: Journal
  readonly #durability: Durability
  readonly #writer: SegmentWriter
  readonly #queue: AppendQueue
  #end: number
  #endPosition: number
  #writtenEnd: number
  #writtenPosition: number
  /** The marker of the last clean close is still there: nothing has changed since. */
  #isClean: boolean
  #cuts = 0
  readonly #fileCuts: FileCuts
  /** `write` could not write all: something must be durable first. */
  #owes = false
  onWritten: () => void = () => {}

  constructor(options: RecoveryOptions, recovered: Recovered, pace: WritePace) {
    this.#options = options
    const { folder, onEvent } = options
    this.#gate = new Gate(({ message }) => {
      this.#queue.drop()
      onEvent({
        level: 'error',
        event: 'log.faulted',
        message: `${folder}: ${message}; nothing is written to this log any more`,
        folder,
      })
    })
    this.#recovered = recovered
    this.#journal = recovered.journal
    this.segments = recovered.segments
    this.producers = recovered.producers
    this.#isClean = recovered.isClean
    const active = this.segments.last ?? null
    this.#end = active?.endOffset ?? this.marks.base.offset
    this.#endPosition = this.marks.positionOf(this.#end)
    this.#writtenEnd = this.#end
    this.#writtenPosition = this.#endPosition
    this.#durability = new Durability({ ...options, ...recovered }, this.#isClean ? this.#endPosition : 0)
    for (const segment of recovered.touched) this.#durability.noteSegment(segment, segment !== active)
    this.#writer = new SegmentWriter({
      ...options,
      recovered,
      durability: this.#durability,
      gate: this.#gate,
      pace,
      onLanded: () => this.#landed(),
    })
    this.#queue = this.#writer.queue
    this.#fileCuts = new FileCuts(this.#gate, this.#durability, () => this.#writer.landed())
  }

  /** After a crash what was found may be in the page cache only: makes it durable, others build on it. */
  async settle(leftovers: readonly number[]): Promise<void> {
    if (this.#isClean || this.#journal.bytes === 0) return
    this.#durability.noteFolder()
    if (leftovers.length > 0) this.#writer.takeSnapshot(this.#end)
    await this.sync()
    for (const baseOffset of leftovers) this.segments.removeFiles(baseOffset)
  }

  get marks(): Marks {
    return this.#journal.marks
  }

  get start(): number {
    return this.marks.start
  }

  get end(): number {
    return this.#end
  }

  get endPosition(): number {
    return this.#endPosition
  }

  /** Exclusive offset of what can be read. */
  get writtenEnd(): number {
    return this.#writtenEnd
  }

  get writtenPosition(): number {
    return this.#writtenPosition
  }

  get durablePosition(): number {
    return this.#durability.position
  }

  get fault(): Faulted | null {
    return this.#gate.fault
  }

  /** Truncations so far: reads that span one start over. */
  get cuts(): number {
    return this.#cuts
  }

  append(bytes: Buffer): void {
    this.#gate.check()
    assert(bytes.length === batch.batchSize(bytes, 0), 'one whole batch is appended')
    assert(batch.baseOffset(bytes, 0) === this.#end, 'a batch begins at the end of the log')
    assert(
      batch.leaderEpoch(bytes, 0) === this.marks.lastEpoch,
      'a batch has the epoch that the last mark opened',
    )
    const count = batch.lastOffsetDelta(bytes, 0) + 1
    assert(count > 0, 'a batch has a record')
    const { settings, clock } = this.#options
    this.#queue.push(bytes, settings(), clock.now(), () => [...this.producers.entries()])
    this.producers.append(bytes, 0)
    this.#end += count
    this.#endPosition += count
  }

  appendMark(mark: Mark, epoch: number): number {
    this.#gate.check()
    const position = this.#endPosition
    this.#journal.append({ mark, position, offset: this.#end, epoch })
    if (mark.kind !== 'epochStart') this.#queue.noteMark()
    this.#endPosition++
    return position
  }

  write(): void {
    this.#gate.check()
    if (this.#fileCuts.isEmpty) this.#gate.now(() => this.#writeWaiting())
    else this.#owes = true
    // What waits for a write that is under way is written when that is done.
    if (this.#owes && !this.#writer.isAway) this.#gate.inBackground(() => this.#payOff())
  }

  /** Writes all that waits, up to what has to wait longer. */
  #writeWaiting(): void {
    this.#owes = false
    if (this.#writtenPosition === this.#endPosition && !this.#journal.hasWaiting) return
    this.#becomeUnclean()
    this.#journal.write()
    if (!this.#writer.isAway) this.#writer.write(this.#journal.isHolding)
    const held = this.#queue.first
    this.#owes = held !== undefined
    this.#writtenEnd = held?.baseOffset ?? this.#end
    this.#writtenPosition = held === undefined ? this.#endPosition : this.marks.positionOf(held.baseOffset)
  }

  /** Makes durable what batches have to wait for, and writes these: all that have been appended by now. */
  async #payOff(): Promise<void> {
    this.#gate.check()
    const { writtenPosition, endPosition: until } = this
    while (this.#owes) {
      await this.#fileCuts.settle()
      if (this.#writer.isAway) await this.#writer.landed()
      else if (this.#journal.isHolding) await this.#gate.wait(() => this.#journal.sync())
      this.#gate.check()
      if (!this.#fileCuts.isEmpty) continue
      this.#gate.now(() => this.#writeWaiting())
      if (this.#writtenPosition >= until && this.#writer.isAway) break
    }
    if (this.#writtenPosition !== writtenPosition) this.onWritten()
  }

  /** A write away from the loop is done. Marks that were appended meanwhile are written next, so they do not count yet. */
  #landed(): void {
    try {
      if (this.fault === null) {
        this.#writtenEnd = this.#queue.first?.baseOffset ?? this.#end
        const { last } = this.segments
        if (last !== undefined && last.bytes > 0)
          this.#writtenPosition = Math.max(
            this.#writtenPosition,
            this.marks.positionOf(last.endOffset - 1) + 1,
          )
        this.write()
      }
    } catch (error) {
      if (!(error instanceof Faulted)) throw error // it is told by `fault` and by the event
    }
    this.onWritten()
  }

  maybeRoll(): boolean {
    const { active } = this.#writer
    const isBusy = !this.#queue.isEmpty || !this.#fileCuts.isEmpty
    if (this.fault !== null || active === null || isBusy) return false
    if (this.#options.clock.now() - active.firstAppendMs <= this.#options.settings().segmentMs) return false
    this.#gate.now(() => {
      this.#becomeUnclean()
      this.#writer.seal(this.#end)
      this.#queue.target(null)
    })
    return true
  }

  sync(): Promise<number> {
    return this.#gate.inTurn(() => this.#syncOnce())
  }

  async #syncOnce(): Promise<number> {
    this.#gate.check()
    await this.#fileCuts.settle()
    await this.#payOff()
    const written = { position: this.#writtenPosition, offset: this.#writtenEnd }
    return await this.#gate.wait(() => this.#durability.sync(written))
  }

  truncate(position: number): void {
    this.#gate.check()
    const { marks } = this
    assert(position >= marks.base.position && position <= this.#endPosition, 'a truncation lies in the log')
    if (position === this.#endPosition) return
    const offset = marks.offsetAt(position)
    const hidesMark = marks
      .between(position, this.#endPosition)
      .some(({ mark }) => mark.kind !== 'epochStart')
    this.#cuts++
    this.#journal.cut(position)
    this.#queue.cut(offset)
    this.#end = offset
    this.#endPosition = position
    this.#writtenPosition = Math.min(this.#writtenPosition, position)
    this.#durability.lower({ position, offset })
    this.#gate.now(() => {
      const fileWork = this.#cutSegments(offset)
      if (!this.producers.rollBack(offset)) {
        readProducers({ ...this.#recovered, marks, waiting: this.#queue.batches() }, offset)
      }
      const mustWait = fileWork !== null && (this.#writer.isAway || hidesMark)
      if (mustWait || this.#durability.isBelowBarrier(position) || !this.#fileCuts.isEmpty) {
        this.#fileCuts.push(fileWork ?? (() => {}), hidesMark && fileWork !== null)
        this.#gate.inBackground(() => this.#fileCuts.settle())
      } else {
        fileWork?.()
      }
    })
  }

  /** Brings the segments in line with a truncation, in memory; returns what is to be done to their files, if anything. */
  #cutSegments(offset: number): (() => void) | null {
    // Of what is being written some must come off the file again.
    const isTorn = offset < this.#queue.leavingEnd
    if (offset >= this.#writtenEnd && !isTorn) return null
    this.#becomeUnclean()
    const removed = this.segments.takeFrom(offset)
    const active = this.segments.last ?? null
    const isCut = active !== null && active.endOffset > offset
    if (isCut) {
      const place = active.locate(offset)
      assert(place.offset === offset, 'a truncation falls between batches')
      active.cut(place)
    }
    this.#writer.resume(active)
    // Else what still waits goes where the queue has it.
    if (offset <= this.#writtenEnd) this.#queue.target(active)
    this.#writtenEnd = Math.min(this.#writtenEnd, offset)
    return () => {
      for (const segment of removed) {
        this.#durability.forget(segment)
        this.segments.remove(segment)
      }
      if (active !== null && (isCut || isTorn)) {
        active.file.truncate(active.bytes)
        this.#durability.noteSegment(active, false)
      }
      this.#recovered.snapshots.removeAbove(offset)
      this.#durability.noteFolder()
    }
  }

  async raiseStart(offset: number): Promise<void> {
    this.#gate.check()
    if (offset <= this.start) return
    assert(offset <= this.#end, 'the log starts in the log')
    this.#journal.raise(offset, this.#queue.baseOf(offset) ?? this.segments.baseOf(offset))
    await this.#gate.inTurn(async () => {
      this.#gate.check()
      while (!this.#fileCuts.isEmpty) await this.#fileCuts.settle()
      const base = this.marks.base.offset // raised further meanwhile, it waits for a turn of its own
      await this.#gate.wait(async () => {
        this.#writeWaiting()
        if (this.#journal.isWorthRewriting) {
          await this.#journal.rewrite()
          await this.#durability.syncFolder()
        } else if (this.#journal.isDirty) await this.#journal.sync()
        await this.#writer.keepProducers(base)
      })
      // What was cut meanwhile may lie in a segment that is to go: not before the barrier is lower, and its file is done with.
      while (!this.#fileCuts.isEmpty) await this.#fileCuts.settle()
      this.#gate.now(() => this.#removeBelow(base))
    })
  }

  async reset(start: NewStart): Promise<void> {
    assert(start.position > this.marks.base.position, 'a log begins anew further on')
    await this.#gate.inTurn(async () => {
      await this.#fileCuts.settle()
      await this.#payOff()
      assert(!this.#writer.isAway, 'nothing is written to a log that is replaced')
      this.#gate.now(() => this.#becomeUnclean())
      await this.#gate.wait(() =>
        resetFiles(this.#recovered, this.#durability, start, () => {
          this.#cuts++
          this.#writer.resume(null)
          this.#queue.target(null)
          this.#end = this.#writtenEnd = start.offset
          this.#endPosition = this.#writtenPosition = start.position
        }),
      )
    })
  }

  #removeBelow(offset: number): void {
    for (const segment of this.segments.takeBelow(offset, this.#writer.active)) {
      this.#durability.forget(segment)
      this.segments.remove(segment)
    }
    this.#recovered.snapshots.removeBelow(offset)
  }

  /** Unless there is a fault, leaves what makes the next opening quick. Closes what is open in any case. */
  async close(): Promise<void> {
    try {
      await this.#gate.inTurn(() => this.#leaveClean())
    } finally {
      await this.#writer.landed()
      this.#journal.close()
      this.segments.close()
      this.#recovered.barrier.close()
    }
  }

  async #leaveClean(): Promise<void> {
    if (this.fault !== null) return
    this.#owes = true
    await this.#payOff()
    if (this.#isClean) return // nothing has happened since the last close
    // Of the segment that goes on after the next opening, the index is checked then: it need not be durable.
    this.#gate.now(() => this.#writer.active?.seal())
    await this.#syncOnce()
    this.#gate.now(() =>
      writeClean(this.#options, {
        offset: this.#end,
        position: this.#endPosition,
        journalBytes: this.#journal.bytes,
        segments: this.segments.list,
        producers: [...this.producers.entries()],
      }),
    )
  }

  /** The first change since a clean close: from here on a crash needs checking. */
  #becomeUnclean(): void {
    if (!this.#isClean) return
    this.#isClean = false
    this.#durability.noteFolder()
    this.#options.disk.remove(`${this.#options.folder}/${cleanName}`)
  }
}
