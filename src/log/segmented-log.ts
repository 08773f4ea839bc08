import { type BufferPool, noBuffers } from '../base/buffer-pool.ts'
import type { Faulted } from '../base/errors.ts'
import type { Clock, Disk } from '../io/world.ts'
import type { LogEvent, OnLogEvent } from './events.ts'
import type { FilePool } from './file-pool.ts'
import { HotMemory, HotTail } from './hot-tail.ts'
import { ImageFiles } from './images.ts'
import type * as face from './log.ts'
import { LogReader } from './log-reader.ts'
import { LogWriter } from './log-writer.ts'
import { encode as encodeSnapshot } from './producer-snapshots.ts'
import { ReadAheadMemory } from './read-ahead-memory.ts'
import { recover } from './recovery.ts'
import { WritePace } from './write-pace.ts'

/** Shared by all logs of the broker. */
export interface LogMemory {
  /** What was appended last. */
  readonly hot: HotMemory
  /** What is read ahead. */
  readonly ahead: ReadAheadMemory
}

export interface OpenLogOptions {
  /** Without `buffers` what is read gets new memory. */
  readonly world: { readonly disk: Disk; readonly clock: Clock; readonly buffers?: BufferPool }
  /** Created when it is not there. Its parent's own name must be durable. */
  readonly folder: string
  readonly settings: face.LogSettings
  /** Shared by all logs of the broker. */
  readonly files: FilePool
  readonly onEvent?: (event: LogEvent) => void
  /** Absent: nothing is kept in memory. */
  readonly memory?: LogMemory
  /** Shared by all logs of the broker. Absent: all writes stay on the event loop. */
  readonly pace?: WritePace
  /**
   * Of what this process has written last: read at once, as it is in the page cache. Further back, off the
   * event loop.
   */
  readonly warmBytes?: number
}

const warmBytesDefault = 32 * 1024 * 1024

/**
 * Opens the log in `folder`, a new one when there is none. After a crash it is checked, and a torn tail cut.
 * @throws Faulted 'bytes' when something below the durable end is damaged: the files stay as they are
 */
export async function openLog(options: OpenLogOptions): Promise<face.Log> {
  const { world, folder, files } = options
  const onEvent = options.onEvent ?? (() => {})
  const log = { current: options.settings }
  const settings = (): face.LogSettings => log.current
  world.disk.mkdir(folder)
  const context = { disk: world.disk, clock: world.clock, folder, files, settings, onEvent }
  const recovered = await recover(context)
  const pace =
    options.pace ??
    new WritePace({ ...world, bytesMin: Infinity, slowMs: Infinity, shadowMs: 0, shadowMaxMs: 0 })
  const writer = new LogWriter(context, recovered, pace)
  await writer.settle(recovered.leftovers)
  const warmBytes = options.warmBytes ?? warmBytesDefault
  const memory = options.memory ?? noMemory()
  const hot = new HotTail(memory.hot)
  const aheadMemory = memory.ahead
  const buffers = world.buffers ?? noBuffers
  const configure = (next: face.LogSettings): void => {
    log.current = next
  }
  return new SegmentedLog(writer, { ...context, warmBytes, hot, aheadMemory, buffers, configure })
}

function noMemory(): LogMemory {
  return { hot: new HotMemory({ bytesMax: 0, batchBytesMin: 0 }), ahead: new ReadAheadMemory(0) }
}

interface SegmentedLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly files: FilePool
  readonly folder: string
  readonly onEvent: OnLogEvent
  readonly settings: () => face.LogSettings
  readonly warmBytes: number
  readonly hot: HotTail
  readonly aheadMemory: ReadAheadMemory
  readonly buffers: BufferPool
  readonly configure: (settings: face.LogSettings) => void
}

/** The face of a log over those that do the work. */
class SegmentedLog implements face.Log {
  readonly folder: string
  readonly images: ImageFiles
  readonly #options: SegmentedLogOptions
  readonly #writer: LogWriter
  readonly #reader: LogReader
  readonly #hot: HotTail
  #closing: Promise<void> | null = null

  constructor(writer: LogWriter, options: SegmentedLogOptions) {
    this.folder = options.folder
    this.images = new ImageFiles(options, options.onEvent)
    this.#options = options
    this.#hot = options.hot
    this.#writer = writer
    this.#reader = new LogReader(writer, options)
  }

  get start(): number {
    return this.#writer.start
  }

  get base(): face.Base {
    return this.#writer.marks.base
  }

  get end(): number {
    return this.#writer.end
  }

  get endPosition(): number {
    return this.#writer.endPosition
  }

  get writtenPosition(): number {
    return this.#writer.writtenPosition
  }

  get durablePosition(): number {
    return this.#writer.durablePosition
  }

  get sizeBytes(): number {
    return this.#writer.segments.bytes
  }

  get lastEpoch(): number {
    return this.#writer.marks.lastEpoch
  }

  get fault(): Faulted | null {
    return this.#writer.fault
  }

  set onWritten(handler: () => void) {
    this.#writer.onWritten = handler
  }

  get producers(): face.ProducerStates {
    return this.#writer.producers
  }
  producersBelow(offset: number): Buffer {
    const epoch = Math.max(0, this.epochOf(offset - 1))
    return Buffer.concat(encodeSnapshot({ offset, epoch, entries: this.#writer.producers.below(offset) }))
  }

  get segments(): readonly face.SegmentSummary[] {
    return this.#writer.segments.list
  }

  append(batch: Buffer): void {
    this.#writer.append(batch)
    this.#hot.push(batch)
  }

  appendMark(mark: face.Mark, epoch: number): number {
    return this.#writer.appendMark(mark, epoch)
  }

  write(): void {
    this.#writer.write()
  }

  sync(): Promise<number> {
    return this.#writer.sync()
  }

  truncate(position: number): void {
    this.#writer.truncate(position)
    this.#hot.cut(this.end)
    this.#reader.cut()
  }

  async raiseStart(offset: number): Promise<void> {
    await this.#writer.raiseStart(offset)
    this.#reader.trimmed()
  }

  async reset(start: face.NewStart): Promise<void> {
    this.#hot.clear()
    await this.#writer.reset(start)
    this.#reader.cut()
  }

  maybeRoll(): boolean {
    return this.#writer.maybeRoll()
  }

  async read(
    offset: number,
    limits: { boundOffset: number; maxBytes: number; minOne: boolean },
  ): Promise<face.ReadBatches> {
    const boundOffset = Math.min(limits.boundOffset, this.#writer.writtenEnd)
    const hot = offset < this.start ? null : this.#hot.read(offset, { ...limits, boundOffset })
    return hot ?? (await this.#reader.read(offset, limits))
  }

  examine(bytesMax: number): Promise<number> {
    return this.#reader.examine(bytesMax)
  }

  bytesBetween(offset: number, boundOffset: number): number {
    return this.#reader.bytesBetween(offset, boundOffset)
  }

  offsetForTime(timestamp: number, boundOffset: number): Promise<face.RecordPlace | null> {
    return this.#reader.offsetForTime(timestamp, boundOffset)
  }

  offsetOfMaxTimestamp(boundOffset: number): Promise<face.RecordPlace | null> {
    return this.#reader.offsetOfMaxTimestamp(boundOffset)
  }

  epochOf(offset: number): number {
    return this.#writer.marks.epochOf(offset)
  }

  epochEnd(epoch: number): { epoch: number; endOffset: number } {
    return this.#writer.marks.epochEnd(epoch, this.end)
  }

  epochBefore(position: number): number {
    return this.#writer.marks.epochBefore(position)
  }

  offsetAt(position: number): number {
    return this.#writer.marks.offsetAt(position)
  }

  positionOf(offset: number): number {
    return this.#writer.marks.positionOf(offset)
  }

  marks(fromPosition: number, toPosition: number): readonly face.PlacedMark[] {
    return this.#writer.marks.between(fromPosition, toPosition)
  }

  configure(settings: face.LogSettings): void {
    this.#options.configure(settings)
    this.#writer.producers.configure(settings)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** An image that is being written is written: after this nothing touches the folder any more. */
  async #close(): Promise<void> {
    await this.images.idle()
    await this.#writer.close()
    this.#hot.clear()
    this.#reader.close()
  }
}
