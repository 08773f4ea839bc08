/** Batches of a segment that were read in one piece, and are served from memory since. */
import { release, retain } from '../base/buffer-pool.ts'
import { baseOffset } from '../records/batch.ts'
import { type BatchPlace, cutRun, type ReadLimits, type Run } from './batch-reader.ts'
import type { Kept } from './read-ahead-memory.ts'
import type { Segment } from './segment.ts'

/** Who comes nearer than this to a place that is known looks at the headers in between. */
const placeBytes = 4096

export class ReadWindow implements Kept {
  readonly segment: Segment
  readonly #run: Run
  /** Places at which readers have come out, ascending, and the begin. */
  readonly #places: BatchPlace[]
  readonly #onDrop: (window: ReadWindow) => void
  usedMs = 0

  /** @param run with a use of its memory, which is given back when the window is dropped */
  constructor(segment: Segment, run: Run, onDrop: (window: ReadWindow) => void) {
    this.segment = segment
    this.#run = run
    this.#places = [{ offset: baseOffset(run.bytes, 0), position: run.position }]
    this.#onDrop = onDrop
  }

  /** What it keeps in memory. */
  get size(): number {
    return this.#run.bytes.buffer.byteLength
  }

  holds(segment: Segment, offset: number): boolean {
    const [begin] = this.#places
    return segment === this.segment && offset >= (begin?.offset ?? 0) && offset < this.#run.nextOffset
  }

  /** As `readRun`, from an offset that it holds on. @throws Faulted 'bytes' */
  cut(offset: number, limits: ReadLimits): Run | null {
    const { bytes, position } = this.#run
    const place = this.#floor(offset)
    const run = cutRun(this.segment, place, bytes.subarray(place.position - position), offset, limits)
    if (run === null) return null
    retain(run.bytes)
    this.#note({ offset: run.nextOffset, position: run.position + run.bytes.length })
    return run
  }

  /** Whether `offset` is where it ends. */
  endsAt(offset: number): boolean {
    return offset === this.#run.nextOffset
  }

  drop(): void {
    this.#onDrop(this)
    release(this.#run.bytes)
  }

  /** The last known place at or before the batch with `offset`. */
  #floor(offset: number): BatchPlace {
    let at = this.#places.length - 1
    // Most readers go on where the last one came out.
    while (at > 0 && (this.#places[at]?.offset ?? 0) > offset) at--
    return this.#places[at] as BatchPlace
  }

  #note(place: BatchPlace): void {
    const last = this.#places.at(-1)
    if (last !== undefined && place.position >= last.position + placeBytes) this.#places.push(place)
  }
}
