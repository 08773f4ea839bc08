/**
 * The marks of a log in memory, and what follows from them: which position an offset has, which epoch a
 * record.
 *
 * Below the base everything was trimmed; two marks survive there because what is above still depends on them:
 * the start of the epoch that goes on at the base, and the newest voters.
 *
 *     offsets        0   1   2       3   4           5
 *     units       E  r   r   r   E   r   r   S   V   r        raise(4, 4): base = { offset 4, position 6, epoch of E2 }
 *     positions   0  1   2   3   4   5   6   7   8   9        kept below: E at 4; above: S at 7, V at 8
 */
import { assert } from '../base/assert.ts'
import type { Base, PlacedMark } from './log.ts'

export class Marks {
  #base: Base
  /** Ascending in position and offset; the first `#below` lie below the base. */
  #list: PlacedMark[]
  #below: number

  constructor(base: Base, kept: readonly PlacedMark[] = []) {
    this.#base = base
    this.#list = [...kept]
    this.#below = kept.length
  }

  get base(): Base {
    return this.#base
  }

  /** The first offset that users see: in the first batch that is kept. */
  get start(): number {
    return this.#base.start
  }

  /** All marks, those kept below the base first. */
  get list(): readonly PlacedMark[] {
    return this.#list
  }

  /** Marks at or above the base. */
  get count(): number {
    return this.#list.length - this.#below
  }

  get lastEpoch(): number {
    return this.#list.at(-1)?.epoch ?? this.#base.epoch
  }

  append(placed: PlacedMark): void {
    const last = this.#list.at(-1)
    assert(placed.position >= this.#base.position, 'a mark lies above the base')
    assert(last === undefined || placed.position > last.position, 'marks ascend in position')
    assert(
      placed.position === this.positionOf(placed.offset),
      'a position is its offset and the marks before it',
    )
    assert(
      placed.mark.kind === 'epochStart' ? placed.epoch > this.lastEpoch : placed.epoch === this.lastEpoch,
      'epochs grow, by the marks that start them',
    )
    this.#list.push(placed)
  }

  /** Drops the marks at and above `position`. Returns whether there were any. */
  cut(position: number): boolean {
    const keep = Math.max(this.#below, this.#firstAtPosition(position))
    if (keep === this.#list.length) return false
    this.#list.length = keep
    return true
  }

  /**
   * Moves the start up to `start`, and the base to `offset`, where the batch that holds it begins. Marks at that
   * very offset stay above the base: they may not be committed yet. What is above never depends on when this happens.
   */
  raise(start: number, offset: number): void {
    assert(offset <= start, 'the start lies in the first batch that is kept')
    if (start <= this.#base.start) return
    if (offset <= this.#base.offset) {
      this.#base = { ...this.#base, start }
      return
    }
    const end = this.#firstAtOffset(offset)
    const gone = this.#list.slice(0, end)
    const epochStart = gone.findLast(({ mark }) => mark.kind === 'epochStart')
    const voters = gone.findLast(({ mark }) => mark.kind === 'voters')
    const kept = gone.filter((one) => one === epochStart || one === voters)
    this.#base = {
      offset,
      position: offset + this.#marksBefore(end),
      epoch: gone.at(-1)?.epoch ?? this.#base.epoch,
      start,
    }
    this.#list = [...kept, ...this.#list.slice(end)]
    this.#below = kept.length
  }

  /** Begins anew at `base`, in force there the voters of `voters`. */
  reset(base: Base, voters: PlacedMark): void {
    this.#base = base
    this.#list = [voters]
    this.#below = 1
  }

  /** Position of the record at `offset`, all marks at that offset lying before it. */
  positionOf(offset: number): number {
    return offset + this.#marksBefore(this.#firstAtOffset(offset + 1))
  }

  /** The offset that belongs to an exclusive end position. */
  offsetAt(position: number): number {
    return position - this.#marksBefore(this.#firstAtPosition(position))
  }

  /** In [from, to), in order. */
  between(fromPosition: number, toPosition: number): readonly PlacedMark[] {
    const from = lowerBound(this.#list, 0, (placed) => placed.position < fromPosition)
    const to = lowerBound(this.#list, from, (placed) => placed.position < toPosition)
    return this.#list.slice(from, to)
  }

  /** The next mark above `offset`, as an offset; Infinity when there is none. */
  offsetAfter(offset: number): number {
    return this.#list[this.#firstAtOffset(offset + 1)]?.offset ?? Number.POSITIVE_INFINITY
  }

  /** The epoch of the unit before `position`. */
  epochBefore(position: number): number {
    return this.#epochBelow(this.#firstAtPosition(position))
  }

  /** The epoch that a record at `offset` has or would have. */
  epochAt(offset: number): number {
    return this.#epochBelow(this.#firstAtOffset(offset + 1))
  }

  /** Likewise; -1 when `offset` lies below all that is known. */
  epochOf(offset: number): number {
    const first = this.#list[0]
    const known =
      first?.mark.kind === 'epochStart' ? Math.min(first.offset, this.#base.offset) : this.#base.offset
    return offset < known ? -1 : this.epochAt(offset)
  }

  /** The starts of epochs that have records, and of the last, ascending; the first may lie below the base. */
  epochStarts(): { epoch: number; offset: number }[] {
    const starts: { epoch: number; offset: number }[] = []
    for (const { mark, epoch, offset } of this.#list) {
      if (mark.kind !== 'epochStart') continue
      if (starts.at(-1)?.offset === offset) starts.pop()
      starts.push({ epoch, offset })
    }
    const first = starts[0]
    if (this.#base.epoch > 0 && (first === undefined || first.offset > this.#base.offset)) {
      starts.unshift({ epoch: this.#base.epoch, offset: this.#base.offset })
    }
    return starts
  }

  /**
   * KIP-320: the largest epoch not above `epoch`, and where it ended, for users: never below the start.
   * @source org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache#endOffsetFor
   */
  epochEnd(epoch: number, end: number): { epoch: number; endOffset: number } {
    const { lastEpoch } = this
    if (epoch === lastEpoch) return { epoch, endOffset: end }
    if (epoch > lastEpoch || epoch < 0) return { epoch: -1, endOffset: -1 }
    const starts = this.epochStarts()
    const next = starts.findIndex((one) => one.epoch > epoch)
    const endOffset = Math.max(this.#base.start, starts[next]?.offset ?? end)
    return { epoch: starts[next - 1]?.epoch ?? epoch, endOffset }
  }

  /** Marks before the record that the mark at `index` of the list precedes, trimmed ones included. */
  #marksBefore(index: number): number {
    return this.#base.position - this.#base.offset + Math.max(0, index - this.#below)
  }

  #epochBelow(index: number): number {
    return this.#list[index - 1]?.epoch ?? this.#base.epoch
  }

  #firstAtOffset(offset: number): number {
    return lowerBound(this.#list, this.#below, (placed) => placed.offset < offset)
  }

  #firstAtPosition(position: number): number {
    return lowerBound(this.#list, this.#below, (placed) => placed.position < position)
  }
}

/** The first index from `from` on for which `isBelow` is false. */
function lowerBound(
  list: readonly PlacedMark[],
  from: number,
  isBelow: (placed: PlacedMark) => boolean,
): number {
  let low = from
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBelow(list[middle] as PlacedMark)) low = middle + 1
    else high = middle
  }
  return low
}
