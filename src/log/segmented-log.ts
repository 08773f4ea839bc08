import { assert } from '../base/assert.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { Clock, Disk } from '../io/world.ts'
import * as batch from '../records/batch.ts'
import { AppendQueue } from './append-queue.ts'
import type { Barrier } from './barrier.ts'
import { type ReadContext, readRun, Stale } from './batch-reader.ts'
import { encodeClean } from './clean-marker.ts'
import type { LogEvent } from './events.ts'
import type { FilePool } from './file-pool.ts'
import { ImageFiles } from './images.ts'
import type { Journal } from './journal.ts'
import type * as face from './log.ts'
import { cleanName } from './names.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerEntry, Producers } from './producers.ts'
import { type Recovered, recover } from './recovery.ts'
import { scanFileNow } from './scan.ts'
import { damaged, type Segment } from './segment.ts'
import type { Segments } from './segments.ts'
import { findMaxTimestamp, findTime, type LookupOptions } from './time-lookup.ts'

export interface OpenLogOptions {
  readonly world: { readonly disk: Disk; readonly clock: Clock }
  /** Created when it is not there; its parent must be. */
  readonly folder: string
  readonly settings: face.LogSettings
  /** Shared by all logs of the broker. */
  readonly files: FilePool
  readonly onEvent?: (event: LogEvent) => void
}

/**
 * Opens the log in `folder`, a new one when there is none. After a crash it is checked, and a torn tail cut.
 * @throws Faulted 'bytes' when something below the durable end is damaged: the files stay as they are
 */
export async function openLog(options: OpenLogOptions): Promise<face.Log> {
  const { world, folder, files } = options
  const onEvent = options.onEvent ?? (() => {})
  world.disk.mkdir(folder)
  const settings = { current: options.settings }
  const recovered = await recover({ ...world, folder, files, settings: () => settings.current, onEvent })
  const log = new SegmentedLog({ ...options, onEvent }, settings, recovered)
  await log.settle(recovered.leftovers)
  return log
}

/** What is in the page cache, as a rule: this much behind the end of the log. Read at once, in microseconds. */
const cachedBytes = 8 * 1024 * 1024

class SegmentedLog implements face.Log {
  readonly folder: string
  readonly images: face.Images
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #onEvent: (event: LogEvent) => void
  readonly #settings: { current: face.LogSettings }
  readonly #journal: Journal
  readonly #segments: Segments
  readonly #producers: Producers
  readonly #snapshots: ProducerSnapshots
  readonly #barrier: Barrier
  readonly #queue = new AppendQueue()
  /** The segment that is written to; null: the next batch begins one. */
  #active: Segment | null
  #end: number
  #endPosition: number
  #writtenEnd: number
  #writtenPosition: number
  #durablePosition = 0
  #fault: Faulted | null = null
  /** What the next sync has to make durable, besides the journal and the producer snapshot. */
  readonly #unsynced = new Set<Segment>()
  #isFolderDirty = false
  /** The name of the folder itself may not be durable: until the first sync ever. */
  #isParentDirty: boolean
  /** The marker of the last clean close is still there: nothing has changed since. */
  #isClean: boolean
  #isClosed = false
  /** Syncs under way and what they will have made durable: lowered by truncations, never raised. */
  readonly #turns = new Set<{ position: number; offset: number }>()
  /** Truncations so far: reads that span one start over. */
  #cuts = 0
  /** `write` could not write all: something must be durable first. */
  #owes = false
  /** File operations of truncations that wait for the barrier to be lowered; meanwhile nothing is written. */
  readonly #deferred: (() => void)[] = []
  /** The end of the chain of what must not overlap: syncs, raises of the start, deferred truncations. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    options: Required<OpenLogOptions>,
    settings: { current: face.LogSettings },
    recovered: Recovered,
  ) {
    this.folder = options.folder
    this.#disk = options.world.disk
    this.#clock = options.world.clock
    this.#onEvent = options.onEvent
    this.#settings = settings
    this.images = new ImageFiles({ ...options, disk: this.#disk }, options.onEvent)
    this.#journal = recovered.journal
    this.#segments = recovered.segments
    this.#producers = recovered.producers
    this.#snapshots = recovered.snapshots
    this.#barrier = recovered.barrier
    this.#isClean = recovered.isClean
    this.#isParentDirty = !recovered.barrier.exists
    this.#active = this.#segments.last ?? null
    this.#queue.target(this.#active)
    this.#end = this.#active?.endOffset ?? this.start
    this.#endPosition = this.#journal.marks.positionOf(this.#end)
    this.#writtenEnd = this.#end
    this.#writtenPosition = this.#endPosition
    if (this.#isClean) this.#durablePosition = this.#endPosition
    for (const segment of recovered.touched) this.#unsynced.add(segment)
  }

  /** After a crash: what was found is in the page cache at least; makes it durable before anybody builds on it. */
  async settle(leftovers: readonly number[]): Promise<void> {
    if (this.#isClean || this.#endPosition === 0) return
    this.#isFolderDirty = true
    if (leftovers.length > 0) this.#takeSnapshot(this.#end, [...this.#producers.entries()])
    await this.sync()
    for (const baseOffset of leftovers) this.#segments.removeFiles(baseOffset)
  }

  get start(): number {
    return this.#journal.marks.base.offset
  }

  get end(): number {
    return this.#end
  }

  get endPosition(): number {
    return this.#endPosition
  }

  get writtenPosition(): number {
    return this.#writtenPosition
  }

  get durablePosition(): number {
    return this.#durablePosition
  }

  get sizeBytes(): number {
    return this.#segments.bytes
  }

  get lastEpoch(): number {
    return this.#journal.marks.lastEpoch
  }

  get fault(): Faulted | null {
    return this.#fault
  }

  get producers(): face.ProducerStates {
    return this.#producers
  }

  get segments(): readonly face.SegmentSummary[] {
    return this.#segments.list
  }

  append(bytes: Buffer): void {
    this.#checkWritable()
    assert(bytes.length === batch.batchSize(bytes, 0), 'one whole batch is appended')
    assert(batch.baseOffset(bytes, 0) === this.#end, 'a batch begins at the end of the log')
    assert(batch.leaderEpoch(bytes, 0) === this.lastEpoch, 'a batch has the epoch that the last mark opened')
    const count = batch.lastOffsetDelta(bytes, 0) + 1
    assert(count > 0, 'a batch has a record')
    this.#queue.push(bytes, this.#settings.current, this.#clock.now(), () => [...this.#producers.entries()])
    this.#producers.append(bytes, 0)
    this.#end += count
    this.#endPosition += count
  }

  appendMark(mark: face.Mark, epoch: number): number {
    this.#checkWritable()
    const position = this.#endPosition
    this.#journal.append({ mark, position, offset: this.#end, epoch })
    if (mark.kind !== 'epochStart') this.#queue.noteMark()
    this.#endPosition++
    return position
  }

  write(): void {
    this.#checkWritable()
    if (this.#deferred.length === 0) this.#attempt(() => this.#writeWaiting())
    else this.#owes = true
    if (this.#owes) this.#inBackground(() => this.#payOff())
  }

  /** Writes all that waits, except for batches behind a mark that must be durable first (see Journal). */
  #writeWaiting(): void {
    this.#owes = false
    if (this.#writtenPosition === this.#endPosition && !this.#journal.hasWaiting) return
    this.#becomeUnclean()
    this.#journal.write()
    const nowMs = this.#clock.now()
    for (const run of this.#queue.take(this.#journal.isHolding)) {
      if (run.newSegment !== null) this.#roll(run.baseOffset, run.newSegment.producers)
      const segment = this.#active
      assert(segment !== null && segment.endOffset === run.baseOffset, 'a run continues its segment')
      segment.append(run.batches, nowMs)
      this.#unsynced.add(segment)
    }
    const held = this.#queue.first
    this.#owes = held !== undefined
    this.#writtenEnd = held?.baseOffset ?? this.#end
    this.#writtenPosition =
      held === undefined ? this.#endPosition : this.#journal.marks.positionOf(held.baseOffset)
  }

  /** Makes durable what batches have to wait for, and writes these. */
  async #payOff(): Promise<void> {
    this.#checkWritable()
    while (this.#owes) {
      await this.#settleCuts()
      try {
        if (this.#journal.isHolding) await this.#journal.sync()
      } catch (error) {
        throw this.#failed(error)
      }
      if (this.#deferred.length > 0) continue
      this.#attempt(() => this.#writeWaiting())
    }
  }

  #roll(baseOffset: number, producers: readonly ProducerEntry[]): void {
    this.#seal(baseOffset, producers)
    this.#active = this.#segments.add(baseOffset, null)
    this.#isFolderDirty = true
  }

  /** Ends the active segment at `offset`, with the states of producers below it. */
  #seal(offset: number, producers: readonly ProducerEntry[]): void {
    if (this.#active === null) return
    this.#active.seal()
    this.#unsynced.add(this.#active)
    this.#active = null
    this.#takeSnapshot(offset, producers)
  }

  #takeSnapshot(offset: number, producers: readonly ProducerEntry[]): void {
    this.#snapshots.write({ offset, epoch: this.#journal.marks.epochAt(offset - 1), entries: producers })
    this.#isFolderDirty = true
  }

  maybeRoll(): boolean {
    const active = this.#active
    if (this.#fault !== null || active === null || !this.#queue.isEmpty || this.#deferred.length > 0)
      return false
    if (this.#clock.now() - active.firstAppendMs <= this.#settings.current.segmentMs) return false
    this.#attempt(() => {
      this.#becomeUnclean()
      this.#seal(this.#end, [...this.#producers.entries()])
      this.#queue.target(null)
    })
    return true
  }

  sync(): Promise<number> {
    return this.#serially(() => this.#syncOnce())
  }

  async #syncOnce(): Promise<number> {
    this.#checkWritable()
    await this.#settleCuts()
    await this.#payOff()
    const turn = { position: this.#writtenPosition, offset: this.#writtenEnd }
    this.#turns.add(turn)
    try {
      await this.#syncFiles()
      this.#snapshots.prune()
      if (!this.#barrier.exists) {
        await this.#barrier.create({ ...turn })
        await this.#disk.syncFolder(this.folder)
      }
      this.#durablePosition = Math.max(this.#durablePosition, turn.position)
      if (this.#durablePosition === turn.position) this.#barrier.write(turn)
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#turns.delete(turn)
    }
    return this.#durablePosition
  }

  async #syncFiles(): Promise<void> {
    const work: Promise<void>[] = []
    for (const segment of this.#unsynced) work.push(...this.#syncSegment(segment))
    this.#unsynced.clear()
    if (this.#journal.isDirty) work.push(this.#journal.sync())
    if (this.#snapshots.isDirty) work.push(this.#snapshots.sync())
    if (this.#isFolderDirty) work.push(this.#disk.syncFolder(this.folder))
    if (this.#isParentDirty)
      work.push(this.#disk.syncFolder(this.folder.slice(0, this.folder.lastIndexOf('/'))))
    this.#isFolderDirty = false
    this.#isParentDirty = false
    await Promise.all(work)
  }

  /** A sealed segment with its index: that is never read as a whole again, so it must not be torn. */
  #syncSegment(segment: Segment): Promise<void>[] {
    const files = segment === this.#active ? [segment.file] : [segment.file, segment.indexFile]
    return files.map(async (file) => {
      try {
        await file.sync()
      } catch (error) {
        if (!segment.isRemoved) throw error // else the file went while this waited for its turn
      }
    })
  }

  truncate(position: number): void {
    this.#checkWritable()
    const { marks } = this.#journal
    assert(position >= marks.base.position && position <= this.#endPosition, 'a truncation lies in the log')
    if (position === this.#endPosition) return
    const offset = marks.offsetAt(position)
    this.#cuts++
    this.#journal.cut(position)
    this.#queue.cut(offset)
    this.#end = offset
    this.#endPosition = position
    this.#durablePosition = Math.min(this.#durablePosition, position)
    for (const turn of this.#turns) {
      turn.position = Math.min(turn.position, position)
      turn.offset = Math.min(turn.offset, offset)
    }
    this.#attempt(() => {
      const fileWork = this.#cutBooks(offset, position)
      if (!this.#producers.rollBack(offset)) this.#readProducers()
      if (position < this.#barrier.durable.position || this.#deferred.length > 0) this.#defer(fileWork)
      else fileWork()
    })
  }

  /** Brings segments and written end in line with a truncation; returns what is to be done to the files. */
  #cutBooks(offset: number, position: number): () => void {
    this.#writtenPosition = Math.min(this.#writtenPosition, position)
    if (offset >= this.#writtenEnd) return () => {}
    this.#writtenEnd = offset
    this.#becomeUnclean()
    const removed = this.#segments.takeFrom(offset)
    const active = this.#segments.last ?? null
    const needsCut = active !== null && active.endOffset > offset
    if (needsCut) {
      const place = active.locate(offset)
      assert(place.offset === offset, 'a truncation falls between batches')
      active.cut(place)
    }
    this.#active = active
    this.#queue.target(active)
    return () => {
      for (const segment of removed) {
        this.#unsynced.delete(segment)
        this.#segments.remove(segment)
      }
      if (needsCut) {
        active.file.truncate(active.bytes)
        this.#unsynced.add(active)
      }
      this.#snapshots.removeAbove(offset)
      this.#isFolderDirty = true
    }
  }

  /** Durable bytes are to go: not before the barrier says so, durably, else a crash in between would look like damage. */
  #defer(fileWork: () => void): void {
    this.#deferred.push(fileWork)
    this.#inBackground(() => this.#settleCuts())
  }

  #inBackground(action: () => Promise<void>): void {
    this.#serially(action).catch((error: unknown) => {
      // `fault` tells everybody; only what is no fault of the disk may not get lost.
      if (!(error instanceof Faulted)) throw error
    })
  }

  async #settleCuts(): Promise<void> {
    while (this.#deferred.length > 0) {
      const count = this.#deferred.length
      try {
        this.#barrier.write({
          position: this.#durablePosition,
          offset: this.#journal.marks.offsetAt(this.#durablePosition),
        })
        await Promise.all([this.#barrier.sync(), this.#disk.syncFolder(this.folder)])
      } catch (error) {
        throw this.#failed(error)
      }
      if (this.#deferred.length !== count) continue // cut further meanwhile
      this.#attempt(() => {
        for (const fileWork of this.#deferred.splice(0)) fileWork()
      })
    }
  }

  /** Producer states from the newest snapshot and all that follows: when a truncation goes further back than is remembered. */
  #readProducers(): void {
    const snapshot = this.#snapshots.newest(this.#end, (offset) => this.#epochBefore(offset))
    const from = snapshot?.offset ?? this.#segments.list[0]?.baseOffset ?? this.start
    this.#producers.restore(snapshot?.entries ?? [], from)
    for (const segment of this.#segments.list) {
      if (segment.endOffset <= from) continue
      const place = segment.locate(Math.max(from, segment.baseOffset))
      const { problem } = scanFileNow(segment.file, {
        ...place,
        fileSize: segment.bytes,
        misplaced: () => null,
        onBatch: (bytes, at) => this.#producers.append(bytes, at),
      })
      if (problem !== null) throw damaged(segment.file.path, problem.position, problem.detail)
    }
    for (const bytes of this.#queue.batches()) this.#producers.append(bytes, 0)
  }

  /** For producer snapshots: null where the history was trimmed. */
  #epochBefore(offset: number): number | null {
    return offset <= this.start ? null : this.#journal.marks.epochAt(offset - 1)
  }

  async raiseStart(offset: number): Promise<void> {
    this.#checkWritable()
    if (offset <= this.start) return
    assert(offset <= this.#end, 'the log starts in the log')
    this.#journal.raise(offset)
    await this.#serially(async () => {
      this.#checkWritable()
      await this.#settleCuts()
      try {
        this.#writeWaiting()
        if (this.#journal.isWorthRewriting) {
          await this.#journal.rewrite()
          await this.#disk.syncFolder(this.folder)
        } else if (this.#journal.isDirty) {
          await this.#journal.sync()
        }
        await this.#keepProducers(this.start)
        this.#removeBelow(this.start)
      } catch (error) {
        throw this.#failed(error)
      }
    })
  }

  /** What the segments that are to go say of producers must survive them: the active one may be among them. */
  async #keepProducers(offset: number): Promise<void> {
    const active = this.#active
    const next = this.#queue.first
    if (active !== null && active.endOffset <= offset && next?.newSegment !== null) {
      this.#seal(active.endOffset, next?.newSegment?.producers ?? [...this.#producers.entries()])
      if (next === undefined) this.#queue.target(null)
    }
    if (this.#snapshots.isDirty)
      await Promise.all([this.#snapshots.sync(), this.#disk.syncFolder(this.folder)])
  }

  #removeBelow(offset: number): void {
    for (const segment of this.#segments.takeBelow(offset, this.#active)) {
      this.#unsynced.delete(segment)
      this.#segments.remove(segment)
    }
    this.#snapshots.removeBelow(offset)
  }

  async read(
    offset: number,
    limits: { boundOffset: number; maxBytes: number; minOne: boolean },
  ): Promise<face.ReadBatches> {
    const batches: Buffer[] = []
    let bytes = 0
    let nextOffset = offset
    for (;;) {
      if (nextOffset < this.start || nextOffset > this.#end) {
        throw new Refused('OFFSET_OUT_OF_RANGE', `${offset} is not in [${this.start}, ${this.#end}]`)
      }
      const boundOffset = Math.min(limits.boundOffset, this.#writtenEnd)
      const segment = this.#segments.list[this.#segments.indexOf(nextOffset)]
      if (nextOffset >= boundOffset || segment === undefined) break
      if (bytes > 0 && bytes >= limits.maxBytes) break
      const context = this.#readContext()
      const left = {
        boundOffset,
        maxBytes: Math.max(0, limits.maxBytes - bytes),
        minOne: limits.minOne && bytes === 0,
      }
      try {
        const run = await readRun(segment, nextOffset, left, context)
        if (run === null) break
        batches.push(run.bytes)
        bytes += run.bytes.length
        nextOffset = run.nextOffset
      } catch (error) {
        if (!(error instanceof Stale) && !segment.isRemoved) throw error
        batches.length = 0
        bytes = 0
        nextOffset = offset
      }
    }
    return { batches, bytes, nextOffset }
  }

  bytesBetween(offset: number, boundOffset: number): number {
    const to = Math.min(boundOffset, this.#writtenEnd)
    let bytes = 0
    for (let i = Math.max(0, this.#segments.indexOf(offset)); i < this.#segments.list.length; i++) {
      const segment = this.#segments.list[i] as Segment
      if (segment.baseOffset >= to) break
      const end = to >= segment.endOffset ? segment.bytes : segment.floorOfOffset(to).position
      bytes += Math.max(0, end - (offset <= segment.baseOffset ? 0 : segment.floorOfOffset(offset).position))
    }
    return bytes
  }

  offsetForTime(timestamp: number, boundOffset: number): Promise<face.RecordPlace | null> {
    return this.#lookUp(boundOffset, (options) => findTime(this.#segments.list, timestamp, options))
  }

  offsetOfMaxTimestamp(boundOffset: number): Promise<face.RecordPlace | null> {
    return this.#lookUp(boundOffset, (options) => findMaxTimestamp(this.#segments.list, options))
  }

  async #lookUp<Found>(
    boundOffset: number,
    find: (options: LookupOptions) => Promise<Found>,
  ): Promise<Found> {
    for (;;) {
      const { start } = this
      try {
        return await find({
          context: this.#readContext(),
          start,
          boundOffset: Math.min(boundOffset, this.#writtenEnd),
          expandedBytesMax: this.#settings.current.expandedBytesMax,
        })
      } catch (error) {
        if (!(error instanceof Stale) && start === this.start) throw error
      }
    }
  }

  #readContext(): ReadContext {
    const cuts = this.#cuts
    return {
      isCached: (segment, position) =>
        segment === this.#segments.last && segment.bytes - position <= cachedBytes,
      isStale: () => this.#cuts !== cuts,
      indexIntervalBytes: this.#settings.current.indexIntervalBytes,
    }
  }

  epochOf(offset: number): number {
    return this.#journal.marks.epochOf(offset)
  }

  epochEnd(epoch: number): { epoch: number; endOffset: number } {
    return this.#journal.marks.epochEnd(epoch, this.start, this.#end)
  }

  epochBefore(position: number): number {
    return this.#journal.marks.epochBefore(position)
  }

  offsetAt(position: number): number {
    return this.#journal.marks.offsetAt(position)
  }

  positionOf(offset: number): number {
    return this.#journal.marks.positionOf(offset)
  }

  marks(fromPosition: number, toPosition: number): readonly face.PlacedMark[] {
    return this.#journal.marks.between(fromPosition, toPosition)
  }

  configure(settings: face.LogSettings): void {
    this.#settings.current = settings
    this.#producers.configure(settings)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      await this.#serially(async () => {
        if (this.#fault === null) await this.#leaveClean()
      })
    } finally {
      this.#journal.close()
      this.#segments.close()
      this.#barrier.close()
    }
  }

  async #leaveClean(): Promise<void> {
    this.#owes = true
    await this.#payOff()
    this.#attempt(() => {
      this.#writeWaiting()
      if (!this.#isClean) this.#seal(this.#end, [...this.#producers.entries()])
    })
    if (this.#isClean) return // nothing has happened since the last close
    await this.#syncOnce()
    const marker = encodeClean({
      offset: this.#end,
      position: this.#endPosition,
      journalBytes: this.#journal.bytes,
      segments: this.#segments.list,
    })
    await this.#writeMarker(marker)
  }

  async #writeMarker(content: Buffer[]): Promise<void> {
    const file = this.#disk.open(`${this.folder}/${cleanName}`, 'create')
    try {
      file.write(content, 0)
      await file.sync()
    } finally {
      file.close()
    }
    await this.#disk.syncFolder(this.folder)
  }

  /** The first change since a clean close: from here on a crash needs checking. */
  #becomeUnclean(): void {
    if (!this.#isClean) return
    this.#isClean = false
    this.#isFolderDirty = true
    this.#disk.remove(`${this.folder}/${cleanName}`)
  }

  #serially<Value>(action: () => Promise<Value>): Promise<Value> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => {}) // the caller of `result` hears of it
    return result
  }

  #checkWritable(): void {
    if (this.#fault !== null) throw this.#fault
  }

  #attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** A fault of the disk is final for this log: what the kernel still holds of it is not known. */
  #failed(error: unknown): unknown {
    if (!(error instanceof Faulted) || this.#fault !== null) return error
    this.#fault = error
    this.#onEvent({
      level: 'error',
      event: 'log.faulted',
      message: `${this.folder}: ${error.message}; nothing is written to this log any more`,
      folder: this.folder,
    })
    return error
  }
}
