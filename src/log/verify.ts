/**
 * Checking logs offline: what `lograft log verify` reports. Looks at every byte of every segment, at the
 * journal and at the barrier, and says of each finding what a start of the broker would make of it. Changes
 * nothing.
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Disk } from '../io/world.ts'
import { Barrier, type Durable } from './barrier.ts'
import { type BatchSummary, batchesOf, recordsOf, type SegmentFile, segmentFiles } from './dump.ts'
import { FilePool } from './file-pool.ts'
import { Journal } from './journal.ts'
import type { Marks } from './marks.ts'
import * as names from './names.ts'

export interface Finding {
  /**
   * - `damage`: something that was durable is not as it was; a broker refuses to open this log
   * - `torn`: past what was durable; a broker cuts it at its next start, and loses nothing that was acknowledged
   * - `unreadable`: the batch is as it was sent, but its records do not parse; consumers stumble over it
   */
  readonly kind: 'damage' | 'torn' | 'unreadable'
  readonly path: string
  /** In the file, bytes; null when it is not about one place. */
  readonly position: number | null
  /** A sentence. */
  readonly detail: string
}

export interface Verified {
  readonly segments: number
  readonly batches: number
  readonly records: number
  readonly bytes: number
  readonly findings: readonly Finding[]
}

export interface VerifyOptions {
  readonly disk: Disk
  /** A segment, a partition's folder, or any folder above. */
  readonly path: string
  readonly expandedBytesMax: number
  /** Told after each segment: bytes looked at, of how many. */
  readonly onProgress?: (bytes: number, total: number) => void
}

/** Few: one segment is read at a time. */
const filesOpenMax = 8

export async function verify(options: VerifyOptions): Promise<Verified> {
  const { disk, path, onProgress } = options
  const all = segmentFiles(disk, path)
  const total = all.reduce((bytes, segment) => bytes + segment.bytes, 0)
  const isOneFile = disk.stat(path)?.isFolder === false
  const state = { segments: 0, batches: 0, records: 0, bytes: 0, findings: [] as Finding[] }
  const folders = new Map<string, SegmentFile[]>()
  for (const segment of all) folders.set(segment.folder, [...(folders.get(segment.folder) ?? []), segment])
  for (const [folder, segments] of folders) {
    // Of a single file nothing is known but the file.
    const context = isOneFile ? nothingKnown : contextOf(disk, folder, state.findings)
    await new FolderCheck(options, context, state).run(segments, () => onProgress?.(state.bytes, total))
  }
  return state
}

/** What the files beside the segments say. */
interface Context {
  readonly marks: Marks | null
  readonly durable: Durable | null
}

const nothingKnown: Context = { marks: null, durable: null }

function contextOf(disk: Disk, folder: string, findings: Finding[]): Context {
  const files = new FilePool({ disk, openMax: filesOpenMax })
  const orFinding = <T>(name: string, read: () => T): T | null => {
    const path = `${folder}/${name}`
    try {
      return disk.stat(path) === null ? null : read()
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      findings.push({ kind: 'damage', path, position: null, detail: error.message })
      return null
    }
  }
  const journal = orFinding(names.journalName, () => Journal.load({ disk, files, folder }))
  const barrier = orFinding(names.barrierName, () => new Barrier({ disk, files, folder }))
  const durable = barrier?.exists === true ? barrier.durable : null
  if (journal !== null && journal.tornBytes > 0) {
    const detail = `${journal.tornBytes} bytes behind the last whole mark`
    findings.push({ kind: 'torn', path: `${folder}/${names.journalName}`, position: null, detail })
  }
  barrier?.close()
  return { marks: journal?.marks ?? null, durable }
}

interface Counts {
  segments: number
  batches: number
  records: number
  bytes: number
  readonly findings: Finding[]
}

/** The segments of one partition, oldest first. */
class FolderCheck {
  readonly #options: VerifyOptions
  readonly #context: Context
  readonly #counts: Counts
  /** Offset behind the last sound batch. */
  #end: number | null = null

  constructor(options: VerifyOptions, context: Context, counts: Counts) {
    this.#options = options
    this.#context = context
    this.#counts = counts
  }

  async run(segments: readonly SegmentFile[], onSegment: () => void): Promise<void> {
    for (const segment of segments) {
      this.#place(segment)
      await this.#read(segment)
      this.#counts.segments++
      this.#counts.bytes += segment.bytes
      onSegment()
    }
    const { durable } = this.#context
    const last = segments.at(-1)
    if (durable !== null && last !== undefined && (this.#end ?? 0) < durable.offset) {
      const detail = `the log ends at offset ${this.#end ?? 0}, and was durable up to ${durable.offset}`
      this.#find('damage', last.path, null, detail)
    }
  }

  #place({ path, baseOffset }: SegmentFile): void {
    const base = this.#context.marks?.base.offset
    if (this.#end === null && base !== undefined && baseOffset > base) {
      this.#find('damage', path, null, `the log begins at ${base}, but its first segment at ${baseOffset}`)
    }
    if (this.#end !== null && baseOffset !== this.#end) {
      this.#find('damage', path, null, `begins at offset ${baseOffset} where ${this.#end} comes next`)
    }
  }

  async #read(segment: SegmentFile): Promise<void> {
    let end = segment.baseOffset
    const batches = batchesOf(this.#options.disk, segment)
    let next = await batches.next()
    for (; next.done !== true; next = await batches.next()) {
      const { summary, buffer, at } = next.value
      end = summary.lastOffset + 1
      this.#counts.batches++
      this.#counts.records += summary.count
      this.#checkEpoch(segment, summary)
      this.#checkRecords(segment, summary, buffer, at)
    }
    this.#end = end
    const problem = next.value
    if (problem === null) return
    this.#find(this.#isPast(end) ? 'torn' : 'damage', segment.path, problem.position, problem.detail)
  }

  #checkEpoch({ path }: SegmentFile, { baseOffset, leaderEpoch, position }: BatchSummary): void {
    const { marks } = this.#context
    if (marks === null || baseOffset < marks.base.offset) return
    const expected = marks.epochAt(baseOffset)
    if (leaderEpoch !== expected) {
      this.#find(
        this.#isPast(baseOffset) ? 'torn' : 'damage',
        path,
        position,
        `epoch ${leaderEpoch} where the journal has ${expected}`,
      )
    }
  }

  /** What lies past the barrier was never acknowledged as durable. */
  #isPast(offset: number): boolean {
    const { durable } = this.#context
    return durable !== null && offset >= durable.offset
  }

  #checkRecords({ path }: SegmentFile, { position, count }: BatchSummary, buffer: Buffer, at: number): void {
    try {
      const found = recordsOf(buffer, at, this.#options.expandedBytesMax).length
      if (found !== count)
        this.#find('unreadable', path, position, `${found} records where the header says ${count}`)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#find('unreadable', path, position, error.message)
    }
  }

  #find(kind: Finding['kind'], path: string, position: number | null, detail: string): void {
    this.#counts.findings.push({ kind, path, position, detail })
  }
}
