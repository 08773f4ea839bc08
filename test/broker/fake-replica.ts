/**
 * A quorum member whose role, commits and faults the test decides. Its log keeps batches in memory; what only the real log
 * can know (indexes, recovery) is tested there.
 */
import { Faulted, Refused } from '../../src/base/errors.ts'
import type { Log, ProducerStates, ReadBatches, RecordPlace } from '../../src/log/log.ts'
import * as batch from '../../src/records/batch.ts'
import type { Proposed, Replica, ReplicaProgress } from '../../src/replica/replica.ts'

interface Waiter {
  readonly endOffset: number
  readonly epoch: number
  readonly callback: (refused: Refused | null) => void
}

export class FakeReplica implements Replica {
  readonly name = 'fake'
  readonly batches: Buffer[] = []
  role: Replica['role'] = 'leader'
  epoch = 3
  leaderId = 1
  voters = [1]
  inSync = [1]
  observers: number[] = []
  isReady = true
  highWatermark = 0
  fault: Faulted | null = null
  start = 0
  /** [epoch, its first offset], in order. */
  epochs: [number, number][] = [[3, 0]]
  /** What the log says about the next batches of producers. */
  verdict: ReturnType<ProducerStates['check']> = 'append'
  /** Set: reads fail with it. */
  readFault: Error | null = null
  reads = 0
  readonly #waiters = new Set<Waiter>()
  readonly #listeners = new Set<(replica: Replica) => void>()

  get end(): number {
    const last = this.batches.at(-1)
    return last === undefined ? this.start : batch.nextOffset(last, 0)
  }
  get listeners(): number {
    return this.#listeners.size
  }

  propose(bytes: Buffer): Proposed {
    if (this.role !== 'leader') throw new Refused('NOT_LEADER_OR_FOLLOWER')
    const baseOffset = this.end
    batch.stamp(bytes, 0, { baseOffset, leaderEpoch: this.epoch })
    this.batches.push(bytes)
    return { baseOffset, endOffset: this.end, epoch: this.epoch }
  }
  onCommitted(endOffset: number, epoch: number, callback: (refused: Refused | null) => void): void {
    if (endOffset <= this.highWatermark) callback(null)
    else this.#waiters.add({ endOffset, epoch, callback })
  }
  /** The write comes at the end of the turn. */
  onWritten(_endOffset: number, _epoch: number, callback: (refused: Refused | null) => void): void {
    setImmediate(() => callback(this.fault && new Refused('KAFKA_STORAGE_ERROR', this.fault.message)))
  }
  /** Commits up to `offset`; all there is unless said otherwise. */
  commit(offset = this.end): void {
    this.highWatermark = Math.max(this.highWatermark, offset)
    for (const waiter of this.#waiters) {
      if (waiter.endOffset > this.highWatermark) continue
      this.#waiters.delete(waiter)
      waiter.callback(null)
    }
    this.advance()
  }
  /** Another leads from now on. */
  resign(leaderId: number, epoch: number): void {
    this.role = 'follower'
    this.isReady = false
    this.leaderId = leaderId
    this.epoch = epoch
    for (const waiter of [...this.#waiters])
      waiter.callback(new Refused('NOT_LEADER_OR_FOLLOWER', 'leadership lost'))
    this.#waiters.clear()
    this.advance()
  }
  fail(): void {
    this.fault = new Faulted('disk', 'sync')
    for (const waiter of [...this.#waiters]) waiter.callback(new Refused('KAFKA_STORAGE_ERROR'))
    this.#waiters.clear()
    this.advance()
  }
  advance(): void {
    for (const listener of this.#listeners) listener(this)
  }
  raiseStart(offset: number): Promise<number> {
    this.start = offset
    this.advance()
    return Promise.resolve(offset)
  }
  whenReady(): Promise<void> {
    return Promise.resolve()
  }
  onAdvance(listener: (replica: Replica) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  configure(): void {}
  retainFrom(): void {}
  changeVoters(voters: readonly number[]): Promise<void> {
    this.voters = [...voters]
    return Promise.resolve()
  }
  confirmLeadership(): Promise<void> {
    return Promise.resolve()
  }
  abandonChange(): void {}
  observe(observers: readonly number[]): void {
    this.observers = [...observers]
  }
  campaign(): void {}
  transferLeadership(): void {}
  progress(): readonly ReplicaProgress[] {
    return []
  }
  close(): Promise<void> {
    return Promise.resolve()
  }

  get log(): Log {
    const { start, end } = this
    return {
      folder: 'memory',
      start,
      end,
      sizeBytes: this.batches.reduce((sum, { length }) => sum + length, 0),
      producers: { check: () => this.verdict, size: 0, list: () => this.producers } satisfies ProducerStates,
      read: (offset: number, limits: Parameters<Log['read']>[1]) => this.#read(offset, limits),
      bytesBetween: (from: number, to: number) =>
        this.#between(from, to).reduce((sum, { length }) => sum + length, 0),
      offsetForTime: (timestamp: number, bound: number) =>
        Promise.resolve(this.#place(bound, (bytes) => batch.maxTimestamp(bytes, 0) >= timestamp)),
      offsetOfMaxTimestamp: (bound: number) => {
        const latest = Math.max(...this.#between(0, bound).map((bytes) => batch.maxTimestamp(bytes, 0)))
        return Promise.resolve(this.#place(bound, (bytes) => batch.maxTimestamp(bytes, 0) === latest))
      },
      epochOf: (offset: number) => this.epochs.findLast(([, from]) => from <= offset)?.[0] ?? -1,
      epochEnd: (epoch: number) => {
        const at = this.epochs.findLastIndex(([known]) => known <= epoch)
        const found = this.epochs[at]
        if (found === undefined || epoch > (this.epochs.at(-1)?.[0] ?? -1))
          return { epoch: -1, endOffset: -1 }
        return { epoch: found[0], endOffset: this.epochs[at + 1]?.[1] ?? end }
      },
    } as unknown as Log
  }
  producers: ReturnType<ProducerStates['list']> = []

  #between(from: number, to: number): Buffer[] {
    return this.batches.filter(
      (bytes) => batch.nextOffset(bytes, 0) > from && batch.baseOffset(bytes, 0) < to,
    )
  }
  #place(bound: number, matches: (bytes: Buffer) => boolean): RecordPlace | null {
    const found = this.#between(this.start, bound).find(matches)
    if (found === undefined) return null
    return {
      offset: batch.baseOffset(found, 0),
      timestamp: batch.maxTimestamp(found, 0),
      epoch: batch.leaderEpoch(found, 0),
    }
  }
  async #read(offset: number, limits: Parameters<Log['read']>[1]): Promise<ReadBatches> {
    this.reads++
    await Promise.resolve()
    if (this.readFault !== null) throw this.readFault
    if (offset < this.start || offset > this.end) throw new Refused('OFFSET_OUT_OF_RANGE')
    const batches: Buffer[] = []
    let bytes = 0
    for (const next of this.#between(offset, limits.boundOffset)) {
      if (bytes + next.length > limits.maxBytes && !(limits.minOne && bytes === 0)) break
      batches.push(next)
      bytes += next.length
    }
    const last = batches.at(-1)
    return { batches, bytes, nextOffset: last === undefined ? offset : batch.nextOffset(last, 0) }
  }
}
