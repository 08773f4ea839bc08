/**
 * What consensus knows of a log: where it begins, ends and is durable, and which units belong to which epoch.
 *
 *     units       E1  r   r   E2  r       epochs [{1, from 0}, {2, from 3}]
 *     positions   0   1   2   3   4   5 = end
 *
 * epochBefore(3) = 1, epochBefore(4) = 2, epochBefore(0) = 0. The driver's log (src/log) moves in step with it.
 */
import { assert } from '../base/assert.ts'
import type { Run } from './message.ts'

export interface EpochStart {
  readonly epoch: number
  /** Position of the epoch's first unit, its epoch-start mark. */
  readonly from: number
}

export interface ExtentsAtOpen {
  /** The first position that is kept, and the epoch of the unit before it (0: none). */
  readonly start: number
  readonly startEpoch: number
  readonly end: number
  /** What a process before this one wrote may be in the page cache only: then less than `end`. */
  readonly durable: number
  /** Of what lies in [start, end), rising. */
  readonly epochs: readonly EpochStart[]
}

export class Extents {
  #start: number
  #startEpoch: number
  #end: number
  #durable: number
  #truncations = 0
  readonly #epochs: EpochStart[]

  constructor(open: ExtentsAtOpen) {
    this.#start = open.start
    this.#startEpoch = open.startEpoch
    this.#end = open.end
    this.#durable = open.durable
    this.#epochs = [...open.epochs]
    assert(open.start <= open.durable && open.durable <= open.end, 'a log starts before its end')
  }

  get start(): number {
    return this.#start
  }
  get end(): number {
    return this.#end
  }
  get durable(): number {
    return this.#durable
  }
  get lastEpoch(): number {
    return this.#epochs.at(-1)?.epoch ?? this.#startEpoch
  }
  /** How often the log was cut: a sync that began before a cut says nothing about what came after it. */
  get truncations(): number {
    return this.#truncations
  }

  /** The epoch of the unit before `position`, 0 when there is none. `start <= position <= end`. */
  epochBefore(position: number): number {
    assert(
      position >= this.#start && position <= this.#end,
      'an epoch is asked for a position inside the log',
    )
    for (let i = this.#epochs.length - 1; i >= 0; i--) {
      const { epoch, from } = this.#epochs[i] as EpochStart
      if (from < position) return epoch
    }
    return this.#startEpoch
  }

  /** Adds `units` of `epoch` at the end. */
  append(epoch: number, units: number): void {
    assert(units > 0, 'an append has units')
    assert(epoch >= this.lastEpoch, 'epochs rise along the log')
    if (epoch > this.lastEpoch) this.#epochs.push({ epoch, from: this.#end })
    this.#end += units
  }

  /** Cuts at `position`. What is durable shrinks before anything else can happen, or an old sync would cover new units. */
  truncate(position: number): void {
    assert(position >= this.#start && position < this.#end, 'a cut lies inside the log')
    this.#end = position
    this.#durable = Math.min(this.#durable, position)
    this.#truncations++
    while ((this.#epochs.at(-1)?.from ?? -1) >= position) this.#epochs.pop()
  }

  /** A sync that began after `truncations` cuts has finished. Returns whether it told anything. */
  maybeDurable(position: number, truncations: number): boolean {
    if (truncations !== this.#truncations || position <= this.#durable) return false
    assert(position <= this.#end, 'only what was appended becomes durable')
    this.#durable = position
    return true
  }

  /** The log was replaced by an empty one that begins at `position`. Syncs that were under way speak of the old one. */
  reset(position: number, epoch: number): void {
    assert(position > this.#start, 'a log is replaced by a later one')
    this.#start = position
    this.#startEpoch = epoch
    this.#end = position
    this.#durable = position
    this.#epochs.length = 0
    this.#truncations++
  }

  /** Forgets what lies below `position`. */
  trim(position: number): void {
    if (position <= this.#start) return
    this.#startEpoch = this.epochBefore(position)
    this.#start = position
    while ((this.#epochs[0]?.from ?? Infinity) < position) this.#epochs.shift()
  }

  /** The last position at or below `bound` whose unit before it has at most `epoch`; -1 when that lies below the start. */
  lastAtMost(epoch: number, bound: number): number {
    if (this.#startEpoch > epoch) return -1
    let last = bound
    for (let i = this.#epochs.length - 1; i >= 0; i--) {
      const start = this.#epochs[i] as EpochStart
      if (start.epoch <= epoch) break
      last = Math.min(last, start.from)
    }
    return last
  }

  /** The epochs of [from, until). */
  runs(from: number, until: number): Run[] {
    assert(from >= this.#start && until <= this.#end, 'runs are asked for what the log holds')
    const runs: Run[] = []
    for (let at = from; at < until; ) {
      const end = Math.min(until, this.#endOfEpochAt(at))
      runs.push({ epoch: this.epochBefore(at + 1), until: end })
      at = end
    }
    return runs
  }

  /**
   * Where the units `from`... described by `runs` part from this log: the first position with another epoch, or this log's
   * end, or the end of the runs when all of them are here already.
   */
  firstDifference(from: number, runs: readonly Run[]): number {
    let at = from
    for (const run of runs) {
      while (at < run.until) {
        if (at === this.#end || this.epochBefore(at + 1) !== run.epoch) return at
        at = Math.min(run.until, this.#endOfEpochAt(at))
      }
    }
    return at
  }

  /** Exclusive end of the run of equal epochs around the unit at `position`. */
  #endOfEpochAt(position: number): number {
    for (const { from } of this.#epochs) if (from > position) return from
    return this.#end
  }
}
