/** A log as an array of units, and the comparison with a real one. */

import type { Log, Mark, PlacedMark } from '../../src/log/log.ts'
import { Producers } from '../../src/log/producers.ts'
import * as batch from '../../src/records/batch.ts'
import { type ReadBack, readAll, recordsOf } from './fixture.ts'

/** One position: a record (with the batch it came in), or a mark. */
export type Unit =
  | { kind: 'record'; epoch: number; record: ReadBack; batch: Buffer; isFirst: boolean }
  | { kind: 'mark'; epoch: number; mark: Mark }

export class LogModel {
  units: Unit[] = []
  /** What the log was before each truncation: a crash may bring any of it back. */
  branches: Unit[][] = []
  /** Positions that a sync has promised. */
  durable = 0
  /** Nothing below is ever truncated. */
  committed = 0
  /** The start that was promised, and the one that was asked for. */
  start = 0
  startAsked = 0

  get end(): number {
    return this.offsetAt(this.units.length)
  }

  get lastEpoch(): number {
    return this.units.at(-1)?.epoch ?? 0
  }

  /** The largest epoch that ever was. A crash may take it from the log, but not from the ballot: none begins twice. */
  largestEpoch = 0

  /**
   * Whether the last epoch may go on here: in Raft, what an epoch has at a position is unique, so not if it
   * had something else at or behind this one.
   */
  get mayGoOn(): boolean {
    const from = this.units.length
    return !this.branches.some((branch) => branch.slice(from).some(({ epoch }) => epoch === this.lastEpoch))
  }

  append(bytes: Buffer): void {
    for (const [index, record] of recordsOf(bytes).entries()) {
      this.units.push({ kind: 'record', epoch: record.epoch, record, batch: bytes, isFirst: index === 0 })
    }
  }

  appendMark(mark: Mark, epoch: number): void {
    this.largestEpoch = Math.max(this.largestEpoch, epoch)
    this.units.push({ kind: 'mark', epoch, mark })
  }

  truncate(position: number): void {
    this.branches.push([...this.units])
    this.units.length = position
    this.durable = Math.min(this.durable, position)
  }

  /** Positions at which the log may be truncated. */
  cuts(): number[] {
    const cuts: number[] = []
    for (
      let position = Math.max(this.committed, this.firstPosition());
      position <= this.units.length;
      position++
    ) {
      const unit = this.units[position]
      if (unit === undefined || unit.kind === 'mark' || unit.isFirst) cuts.push(position)
    }
    return cuts
  }

  /** Where the batch begins that holds `start`; `start` itself at the end. */
  baseOffset(start: number): number {
    const from = this.units.findIndex((unit) => unit.kind === 'record' && unit.record.offset === start)
    const first = this.units.slice(0, from + 1).findLast((unit) => unit.kind === 'record' && unit.isFirst)
    return first?.kind === 'record' ? first.record.offset : start
  }

  /** Where the kept part begins. */
  firstPosition(start = this.startAsked): number {
    const base = this.baseOffset(start)
    return this.units.findLastIndex((unit) => unit.kind === 'record' && unit.record.offset < base) + 1
  }

  offsetAt(position: number): number {
    let offset = 0
    for (let i = 0; i < position; i++) if (this.units[i]?.kind === 'record') offset++
    return offset
  }

  records(from: number, to = this.end): ReadBack[] {
    return this.units.flatMap((unit) =>
      unit.kind === 'record' && unit.record.offset >= from && unit.record.offset < to ? [unit.record] : [],
    )
  }

  /** Producer states, from all batches. */
  producers(): Producers {
    const options = { producerExpirationMs: Number.POSITIVE_INFINITY, producersMax: 1000 }
    const producers = new Producers(options, () => 0)
    for (const unit of this.units) if (unit.kind === 'record' && unit.isFirst) producers.append(unit.batch, 0)
    return producers
  }

  /**
   * After a crash: takes the state of the log over, if it is one that may be. Returns what is wrong, or null.
   * `isPrefixOf`: all that was in force, or was until a truncation.
   */
  async adopt(log: Log): Promise<string | null> {
    if (log.start < this.start || log.start > this.startAsked) {
      return `start ${log.start} is not in [${this.start}, ${this.startAsked}]`
    }
    if (log.endPosition < this.durable) return `ends at ${log.endPosition}, durable was ${this.durable}`
    let problem: string | null = 'no history'
    for (const branch of [this.units, ...this.branches.toReversed()]) {
      if (branch.length < log.endPosition) continue
      const candidate = new LogModel()
      candidate.units = branch.slice(0, log.endPosition)
      candidate.start = log.start
      candidate.startAsked = log.start
      problem = await candidate.difference(log)
      if (problem !== null) continue
      this.units = candidate.units
      this.start = log.start
      this.startAsked = log.start
      this.durable = log.endPosition
      this.branches = []
      return null
    }
    return problem
  }

  /** How a log, all written, differs from this; null when it does not. */
  async difference(log: Log): Promise<string | null> {
    const { units } = this
    const same = (what: string, actual: unknown, wanted: unknown): string | null => {
      const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)]
      return a === w ? null : `${what}: ${a} where ${w} should be`
    }
    const base = this.firstPosition(log.start)
    const wantedMarks: PlacedMark[] = []
    for (const [position, unit] of units.entries()) {
      if (unit.kind !== 'mark' || position < base) continue
      wantedMarks.push({ mark: unit.mark, position, offset: this.offsetAt(position), epoch: unit.epoch })
    }
    const marks = log.marks(base, Number.POSITIVE_INFINITY).map(({ mark, position, offset, epoch }) => ({
      mark,
      position,
      offset,
      epoch,
    }))
    return (
      same('base', [log.base.offset, log.base.position], [this.baseOffset(log.start), base]) ??
      same('end', log.end, this.end) ??
      same('end position', log.endPosition, units.length) ??
      same('last epoch', log.lastEpoch, this.lastEpoch) ??
      same('marks', marks, wantedMarks) ??
      same('kept marks', this.#keptVoters(log, base), null) ??
      this.#mappingDifference(log, base) ??
      same('records', await readAll(log), this.records(log.start)) ??
      same('size', log.sizeBytes, sum(log.segments.map(({ bytes }) => bytes))) ??
      same('producers', statesOf(log.producers), statesOf(this.producers())) ??
      (await this.#timeDifference(log))
    )
  }

  /** The newest voters survive the trimming of what they were in. */
  #keptVoters(log: Log, base: number): string | null {
    const newest = this.units
      .slice(0, base)
      .findLast((unit) => unit.kind === 'mark' && unit.mark.kind === 'voters')
    if (newest?.kind !== 'mark') return null
    const kept = log.marks(0, base).filter(({ mark }) => mark.kind === 'voters')
    return JSON.stringify(kept.at(-1)?.mark) === JSON.stringify(newest.mark)
      ? null
      : 'the newest voters are lost'
  }

  /** Look-ups by time, against a search of all. */
  async #timeDifference(log: Log): Promise<string | null> {
    const timestamps = this.records(log.start).map(({ timestamp }) => timestamp)
    const step = Math.ceil(timestamps.length / 20)
    for (const timestamp of timestamps.filter((_, index) => index % step === 0)) {
      const found = await log.offsetForTime(timestamp, log.end)
      const wanted = this.records(log.start).find((record) => record.timestamp >= timestamp)
      if (found?.offset !== wanted?.offset)
        return `${timestamp} is at ${found?.offset}, not at ${wanted?.offset}`
    }
    const largest = await log.offsetOfMaxTimestamp(log.end)
    const max = Math.max(...timestamps)
    return timestamps.length === 0 || largest?.timestamp === max
      ? null
      : `${largest?.timestamp} is largest, not ${max}`
  }

  /** Offsets and positions, there and back, and the epoch before each position. */
  #mappingDifference(log: Log, base: number): string | null {
    for (let position = base; position <= this.units.length; position++) {
      const before = this.units[position - 1]
      if (log.offsetAt(position) !== this.offsetAt(position)) return `offsetAt(${position})`
      if (log.epochBefore(position) !== (before?.epoch ?? 0)) return `epochBefore(${position})`
      const unit = this.units[position]
      if (unit?.kind !== 'record') continue
      if (log.positionOf(unit.record.offset) !== position) return `positionOf(${unit.record.offset})`
      if (log.epochOf(unit.record.offset) !== unit.epoch) return `epochOf(${unit.record.offset})`
    }
    return null
  }

  /** Bytes of the batches that hold these offsets. */
  bytesBetween(offset: number, bound: number): number {
    const batches = new Set<Buffer>()
    for (const unit of this.units) {
      if (unit.kind === 'record' && unit.record.offset >= offset && unit.record.offset < bound)
        batches.add(unit.batch)
    }
    return [...batches].reduce((bytes, one) => bytes + one.length, 0)
  }

  /** By brute force: the first record at or after `timestamp` below the bound. */
  forTime(timestamp: number, bound: number): ReadBack | undefined {
    return this.records(this.startAsked, bound).find((record) => record.timestamp >= timestamp)
  }

  maxTimestamp(bound: number): ReadBack | undefined {
    let best: ReadBack | undefined
    for (const record of this.records(this.startAsked, bound)) {
      if (best === undefined || record.timestamp > best.timestamp) best = record
    }
    return best
  }
}

function statesOf(producers: Log['producers']): unknown {
  return producers
    .list()
    .map((one) => ({ ...one }))
    .sort((a, b) => a.producerId - b.producerId)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

export { batch }
