/**
 * The marks of a log and their file. Changes are in `marks` at once, wait as frames, and reach the file with
 * `write`, in order.
 *
 * The file is written anew (aside, synced, renamed) when most of it is history; what is appended meanwhile
 * goes along.
 */
import { sizeOf } from '../base/buffers.ts'
import { Faulted } from '../base/errors.ts'
import type { Disk, File } from '../io/world.ts'
import type { FilePool } from './file-pool.ts'
import { decodeFrame, encodeFrame, type Frame } from './journal-format.ts'
import type { NewStart, PlacedMark } from './log.ts'
import { Marks } from './marks.ts'
import { journalName, temporarySuffix } from './names.ts'

/** A journal smaller than this is not worth writing anew. */
const rewriteFromBytes = 4096

export interface JournalOptions {
  readonly disk: Disk
  readonly files: FilePool
  readonly folder: string
}

export class Journal {
  readonly marks: Marks
  readonly #options: JournalOptions
  readonly #path: string
  #file: File
  /**
   * Bytes of the file that are sound. What a crash has torn behind them is overwritten, or cut by `repair`.
   */
  #bytes: number
  /** Marks that start no epoch: appended so far, and durable. */
  #quietMarks = 0
  #quietMarksDurable = 0
  /** Frames that are not in the file yet. */
  #waiting: Buffer[] = []
  #isDirty: boolean

  private constructor(
    options: JournalOptions,
    marks: Marks,
    bytes: number,
    readonly tornBytes: number,
  ) {
    this.#options = options
    this.#path = `${options.folder}/${journalName}`
    this.#file = options.files.open(this.#path, 'create')
    this.marks = marks
    this.#bytes = bytes
    this.#isDirty = bytes > 0 // a crash may have come between the write and the sync
  }

  /** Reads the journal of a folder; an empty one when there is none. Changes nothing. @throws Faulted */
  static load(options: JournalOptions): Journal {
    const path = `${options.folder}/${journalName}`
    const size = options.disk.stat(path)?.size ?? 0
    let marks = new Marks({ offset: 0, position: 0, epoch: 0, start: 0 })
    let at = 0
    if (size > 0) {
      const file = options.files.open(path, 'read')
      const room = Buffer.allocUnsafe(size)
      const bytes = room.subarray(0, file.read(room, 0))
      file.close()
      let kept: PlacedMark[] = []
      for (let next = decodeFrame(bytes, at); next !== null; next = decodeFrame(bytes, at)) {
        const { frame } = next
        if (frame.kind === 'base' && at === 0) {
          marks = new Marks(frame.base)
        } else if (frame.kind === 'mark' && frame.placed.position < marks.base.position) {
          kept = [...kept, frame.placed]
          marks = new Marks(marks.base, kept)
        } else {
          replay(marks, frame)
        }
        at = next.next
      }
    }
    return new Journal(options, marks, at, size - at)
  }

  get isDirty(): boolean {
    return this.#isDirty
  }

  /** Some changes are not in the file yet. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * A mark that starts no epoch is not durable yet. If it were lost and a batch behind it survived, nobody
   * would notice: the batch would take its position. (A lost start of an epoch shows: the batches behind it
   * have the wrong epoch.)
   */
  get isHolding(): boolean {
    return this.#quietMarks !== this.#quietMarksDurable
  }

  append(placed: PlacedMark): void {
    this.marks.append(placed)
    if (placed.mark.kind !== 'epochStart') this.#quietMarks++
    this.#waiting.push(encodeFrame({ kind: 'mark', placed }))
  }

  cut(position: number): void {
    if (this.marks.cut(position)) this.#waiting.push(encodeFrame({ kind: 'cut', position }))
  }

  /** See Marks#raise. */
  raise(start: number, offset: number): void {
    this.marks.raise(start, offset)
    this.#waiting.push(encodeFrame({ kind: 'base', base: this.marks.base }))
  }

  /** @throws Faulted */
  write(): void {
    if (this.#waiting.length === 0) return
    const bytes = sizeOf(this.#waiting)
    this.#file.write(this.#waiting, this.#bytes)
    this.#bytes += bytes
    this.#isDirty = true
    this.#waiting = []
  }

  /** Makes what is written durable. @throws Faulted */
  async sync(): Promise<void> {
    const quietMarks = this.#waiting.length === 0 ? this.#quietMarks : this.#quietMarksDurable
    this.#isDirty = false
    await this.#file.sync()
    this.#quietMarksDurable = Math.max(this.#quietMarksDurable, quietMarks)
  }

  /** The log was closed cleanly: what was read is durable. */
  assumeDurable(): void {
    this.#isDirty = false
  }

  /** Cuts what a crash has torn. @throws Faulted */
  repair(): void {
    this.#file.truncate(this.#bytes)
    this.#isDirty = true
  }

  /** Writes the same bytes once more, for a sync to find: see recovery.ts. @throws Faulted */
  writeAgain(): void {
    if (this.#bytes === 0) return
    this.#file.write([this.#read(0)], 0)
    this.#isDirty = true
  }

  /** Whether most of the file is history. */
  get isWorthRewriting(): boolean {
    return this.#bytes > rewriteFromBytes && this.#bytes > 2 * sizeOf(this.#frames())
  }

  /**
   * Writes the file anew, with what waits: no cut that has to wait longer. Not while a sync is under way. The new name is durable
   * only when the folder has been synced; until then the old file may come back, which says the same. @throws Faulted
   */
  async rewrite(): Promise<void> {
    const { disk, files } = this.#options
    const path = `${this.#path}${temporarySuffix}`
    disk.remove(path)
    const file = files.open(path, 'create')
    this.write()
    const frames = this.#frames()
    file.write(frames, 0)
    let bytes = sizeOf(frames)
    let copied = this.#bytes
    let quietMarks = this.#quietMarks
    await file.sync()
    // What was written to the old file meanwhile may have been acknowledged: it goes along. What waits meanwhile may be a cut, and
    // stays for `write`.
    while (copied < this.#bytes) {
      const added = this.#read(copied)
      file.write([added], bytes)
      bytes += added.length
      copied += added.length
      if (!this.hasWaiting) quietMarks = this.#quietMarks
      await file.sync()
    }
    this.#replaceBy(file, path, bytes)
    this.#quietMarksDurable = quietMarks
  }

  /**
   * Writes the file anew, for a log that begins at `start`. What the file says and what `marks` says change
   * together, without a wait in between; the new name is durable when the folder has been synced. @throws
   * Faulted
   */
  async reset({ offset, position, epoch, start, voters }: NewStart): Promise<void> {
    const { disk, files } = this.#options
    const base = { offset, position, epoch, start }
    // Its own place is forgotten: all that counts is that it lies below.
    const placed = { mark: voters, offset: Math.max(0, offset - 1), position: position - 1, epoch }
    const frames = [encodeFrame({ kind: 'base', base }), encodeFrame({ kind: 'mark', placed })]
    const path = `${this.#path}${temporarySuffix}`
    disk.remove(path)
    const file = files.open(path, 'create')
    file.write(frames, 0)
    await file.sync()
    this.#replaceBy(file, path, sizeOf(frames))
    this.#quietMarksDurable = this.#quietMarks
    this.#isDirty = false
    this.marks.reset(base, placed)
  }

  #replaceBy(file: File, path: string, bytes: number): void {
    const { disk, files } = this.#options
    file.close()
    this.#file.close()
    disk.rename(path, this.#path)
    this.#file = files.open(this.#path, 'write')
    this.#bytes = bytes
  }

  close(): void {
    this.#file.close()
  }

  /** What the file holds from `position` on. @throws Faulted */
  #read(position: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#bytes - position)
    const got = this.#file.read(bytes, position)
    if (got < bytes.length)
      throw new Faulted('disk', `read ${this.#path}: ${got} of ${bytes.length} bytes at ${position}`)
    return bytes
  }

  /** The shortest journal that says the same. */
  #frames(): Buffer[] {
    return [
      encodeFrame({ kind: 'base', base: this.marks.base }),
      ...this.marks.list.map((placed) => encodeFrame({ kind: 'mark', placed })),
    ]
  }
}

function replay(marks: Marks, frame: Frame): void {
  if (frame.kind === 'mark') marks.append(frame.placed)
  else if (frame.kind === 'cut') marks.cut(frame.position)
  else marks.raise(frame.base.start, frame.base.offset)
}
