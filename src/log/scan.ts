/**
 * Walking over the batches of a segment from a place on, checking each: what recovery, the rebuilding of an
 * index and the commands `log dump` and `log verify` have in common.
 */
import type { File } from '../io/world.ts'
import * as batch from '../records/batch.ts'
import { type BatchCheck, checkBatch } from '../records/scan.ts'

/** The first thing that is not a sound batch in its place. */
export interface ScanProblem {
  readonly position: number
  readonly reason: Extract<BatchCheck, { ok: false }>['reason'] | 'misplaced'
  readonly detail: string
}

export type OnBatch = (buffer: Buffer, at: number, position: number) => void

export interface ScanOptions {
  /** Where to begin, and the offset that is expected there. */
  readonly position: number
  readonly offset: number
  readonly fileSize: number
  /** Says what is wrong with the place or the epoch of a batch that is sound in itself, or null. */
  readonly misplaced: (buffer: Buffer, at: number) => string | null
  readonly onBatch: OnBatch
}

const chunkSize = 1024 * 1024

/** The state of one walk; the two drivers below bring it the bytes. */
class Scan {
  position: number
  nextOffset: number
  problem: ScanProblem | null = null
  readonly #options: ScanOptions

  constructor(options: ScanOptions) {
    this.#options = options
    this.position = options.position
    this.nextOffset = options.offset
  }

  get isDone(): boolean {
    return this.problem !== null || this.position >= this.#options.fileSize
  }

  /** How much to read next: a chunk, or all of a batch that is larger. */
  get wanted(): number {
    return Math.min(this.#wanted, this.#options.fileSize - this.position)
  }
  #wanted = chunkSize

  /** Takes the bytes at `position`: as many as `wanted`, unless the file has become shorter. */
  feed(buffer: Buffer): void {
    const { fileSize, misplaced, onBatch } = this.#options
    const isLast = this.position + buffer.length >= fileSize || buffer.length < this.wanted
    let at = 0
    this.#wanted = chunkSize
    while (at < buffer.length) {
      // A header cut by the chunk says nothing yet: its first bytes alone may well be zeros.
      if (!isLast && buffer.length - at < batch.batchHeaderSize) return
      const check = checkBatch(buffer, at, buffer.length)
      if (!check.ok && check.reason === 'short' && !isLast) {
        this.#wanted = Math.max(chunkSize, batch.batchSize(buffer, at))
        if (this.#wanted <= fileSize - this.position || this.#wanted === chunkSize) return
      }
      if (!check.ok) {
        this.problem = { position: this.position, reason: check.reason, detail: check.detail }
        return
      }
      const offset = batch.baseOffset(buffer, at)
      const fault =
        offset === this.nextOffset
          ? misplaced(buffer, at)
          : `a batch at offset ${offset} where ${this.nextOffset} comes next`
      if (fault !== null) {
        this.problem = { position: this.position, reason: 'misplaced', detail: fault }
        return
      }
      onBatch(buffer, at, this.position)
      at += check.size
      this.position += check.size
      this.nextOffset = batch.nextOffset(buffer, at - check.size)
    }
    if (isLast && this.position < fileSize) {
      const detail = `the file ends at ${this.position}, not at ${fileSize}`
      this.problem = { position: this.position, reason: 'short', detail }
    }
  }
}

export interface ScanResult {
  /** Where the sound part ends, in the file and in offsets. */
  readonly position: number
  readonly nextOffset: number
  readonly problem: ScanProblem | null
}

/** Reads off the event loop: a gigabyte takes a second, and other logs are being opened meanwhile. */
export async function scanFile(file: File, options: ScanOptions): Promise<ScanResult> {
  const scan = new Scan(options)
  let buffer = Buffer.allocUnsafe(0)
  while (!scan.isDone) {
    if (buffer.length < scan.wanted) buffer = Buffer.allocUnsafe(scan.wanted)
    const got = await file.readAsync(buffer.subarray(0, scan.wanted), scan.position)
    scan.feed(buffer.subarray(0, got))
  }
  return scan
}

/** The same at once, for the rare repairs that must not let anything happen in between. */
export function scanFileNow(file: File, options: ScanOptions): ScanResult {
  const scan = new Scan(options)
  let buffer = Buffer.allocUnsafe(0)
  while (!scan.isDone) {
    if (buffer.length < scan.wanted) buffer = Buffer.allocUnsafe(scan.wanted)
    const got = file.read(buffer.subarray(0, scan.wanted), scan.position)
    scan.feed(buffer.subarray(0, got))
  }
  return scan
}
