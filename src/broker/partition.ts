/**
 * One partition as this node serves it: Kafka's rules on top of a member of its quorum.
 *
 * Nobody is served before the leader is *ready*, that is, before the start of its own epoch is committed: until then its
 * high watermark may lie below what consumers have seen. Appends are refused, fetches wait.
 *
 * Consumers read below the high watermark. There are no transactions yet, so the last stable offset is the high watermark.
 * An offset between the high watermark and the end is not an error: its record may become visible, the fetch waits.
 */
import type { ErrorName } from '../base/error-codes.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { TopicSettings } from '../config/topic-settings.ts'
import type { ReadBatches, RecordPlace } from '../log/log.ts'
import type { Topic } from '../machines/cluster/state.ts'
import * as batch from '../records/batch.ts'
import { validateProduced } from '../records/validate.ts'
import type { Proposed, Replica } from '../replica/replica.ts'
import type { BrokerEvent } from './broker.ts'
import type { DiskSpace } from './disk-space.ts'
import { type Moment, RefusedSequences } from './refused-sequences.ts'

export interface PartitionOptions {
  readonly topic: Topic
  readonly index: number
  readonly replica: Replica
  readonly settings: TopicSettings
  /** Absent: the disk is taken to have room. */
  readonly space?: Pick<DiskSpace, 'refusal' | 'take'>
  readonly onEvent: (event: BrokerEvent) => void
  /** What should be read is damaged. */
  readonly onDamaged?: (fault: Faulted) => void
}

export interface AppendRequest {
  /** Of the Produce request. */
  readonly version: number
  readonly nowMs: number
  /** Its producer wants it on all replicas in sync (acks=all): there must be `min.insync.replicas` of them. */
  readonly isForAll?: boolean
}

/** Where a batch lies, or lay already when it is a duplicate. */
export interface Appended {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** With it and `endOffset`, `replica.onCommitted` and `onWritten` say when the batch is committed, or in the leader's files. */
  readonly epoch: number
  /** -1 unless the topic's timestamps are the broker's. */
  readonly logAppendTimeMs: number
}

export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

/** Told when what can be read from a partition, or whether it can, may have changed. */
export interface PartitionWatcher {
  moved(): void
}

export class Partition {
  readonly topic: Topic
  readonly index: number
  readonly replica: Replica
  /** '<topic name>-<index>', for people. */
  readonly name: string
  /** In which other brokers were told who leads; for announcements.ts, which is asked after every turn. */
  announcedEpoch = -1
  readonly #onDamaged: (fault: Faulted) => void
  readonly #onEvent: (event: BrokerEvent) => void
  readonly #watchers = new Set<PartitionWatcher>()
  readonly #unsubscribe: () => void
  readonly #refusedSequences = new RefusedSequences()
  readonly #space: PartitionOptions['space']
  #settings: TopicSettings
  #isClosed = false
  #readFaultTold = ''

  constructor(options: PartitionOptions) {
    this.topic = options.topic
    this.index = options.index
    this.replica = options.replica
    this.name = `${options.topic.name}-${options.index}`
    this.#settings = options.settings
    this.#space = options.space
    this.#onEvent = options.onEvent
    this.#onDamaged = options.onDamaged ?? (() => {})
    this.#unsubscribe = options.replica.onAdvance(() => this.#moved())
  }

  /** What grows from its log cannot be read: it needs to be repaired as if the log itself could not. */
  damaged(fault: Faulted): void {
    if (!this.#isClosed) this.#onDamaged(fault)
  }

  get settings(): TopicSettings {
    return this.#settings
  }
  configure(settings: TopicSettings): void {
    this.#settings = settings
  }

  /** The first offset that is kept. */
  get start(): number {
    return this.replica.log.start
  }
  get highWatermark(): number {
    return this.replica.highWatermark
  }
  get lastStableOffset(): number {
    return this.replica.highWatermark
  }

  /**
   * Why this partition serves nobody here, or not this client; null when it does. `clientEpoch` is the leader epoch that
   * the client believes in, -1 when it has none (KIP-320).
   */
  refusal(clientEpoch: number): ErrorName | null {
    const { replica } = this
    if (replica.fault !== null) return 'KAFKA_STORAGE_ERROR'
    if (this.#isClosed) return 'NOT_LEADER_OR_FOLLOWER'
    if (clientEpoch >= 0 && clientEpoch < replica.epoch) return 'FENCED_LEADER_EPOCH'
    if (clientEpoch > replica.epoch) return 'UNKNOWN_LEADER_EPOCH'
    return replica.role === 'leader' ? null : 'NOT_LEADER_OR_FOLLOWER'
  }

  /** As the leader: why a batch that all replicas must hold is not taken now; null when it is. */
  #inSyncRefusal(): Refused | null {
    const { minInsyncReplicas } = this.#settings
    if (minInsyncReplicas <= 1 || !this.replica.isReady) return null
    const { length } = this.replica.inSync
    if (length >= minInsyncReplicas) return null
    return new Refused(
      'NOT_ENOUGH_REPLICAS',
      `${length} replicas of ${this.name} are in sync, and min.insync.replicas is ${minInsyncReplicas}`,
    )
  }

  /** The leader answers from here. Elected is not yet ready. */
  get isReady(): boolean {
    return this.replica.isReady
  }

  /**
   * Gives the batch its place, or finds the place that it has already: a retry of an idempotent producer is answered as
   * the first time. Either way it is not committed yet; who promises durability waits for `replica.onCommitted`, also for
   * a duplicate, whose original may still be lost. The buffer belongs to the log afterwards.
   * @param records the whole field of a Produce request
   * @throws Refused, whose detail says why
   */
  append(records: Buffer, request: AppendRequest): Appended {
    try {
      return this.#append(records, request)
    } catch (error) {
      if (error instanceof Refused) {
        this.#onEvent({
          level: 'debug',
          event: 'produce.refused',
          message: `${this.name}: ${error.message}`,
          partition: this.name,
          code: error.code,
        })
      }
      throw error
    }
  }

  #append(records: Buffer, request: AppendRequest): Appended {
    const { replica } = this
    const moment = { nowMs: request.nowMs, leaderEpoch: replica.isReady ? replica.epoch : -1 }
    const code = this.refusal(-1)
    if (code !== null) {
      this.#refusedSequences.refused(records, code, moment)
      throw new Refused(code)
    }
    const settings = this.#settings
    const fault = validateProduced(records, {
      maxBatchBytes: settings.maxMessageBytes,
      version: request.version,
      timestampType: settings.messageTimestampType,
      timestampBeforeMaxMs: settings.messageTimestampBeforeMaxMs,
      timestampAfterMaxMs: settings.messageTimestampAfterMaxMs,
      nowMs: request.nowMs,
    })
    if (fault !== null) throw new Refused(fault.code, fault.detail)
    if (batch.isTransactional(records, 0)) {
      // Without a coordinator nobody would ever end it, and its consumers would wait for that.
      throw new Refused('INVALID_TXN_STATE', 'transactions are not served')
    }
    const isStampedHere = settings.messageTimestampType === 'LogAppendTime'
    if (batch.producerId(records, 0) >= 0) {
      const verdict = replica.log.producers.check(records)
      if (verdict !== 'append' && 'baseOffset' in verdict) {
        this.#refusedSequences.placed(records)
        return {
          baseOffset: verdict.baseOffset,
          endOffset: verdict.lastOffset + 1,
          // Not the epoch it was appended in: this leader's log holds it, so what this leader commits includes it.
          epoch: replica.epoch,
          logAppendTimeMs: isStampedHere ? verdict.timestamp : -1,
        }
      }
      const missing = this.#refusedSequences.before(records, moment)
      if (missing !== null) {
        const detail = `sequence ${missing.sequence} was refused for the moment, and comes before ${batch.baseSequence(records, 0)}`
        throw new Refused(missing.code, detail)
      }
      if (verdict !== 'append') throw new Refused(verdict.refused, verdict.detail)
    }
    if (isStampedHere) batch.setLogAppendTime(records, 0, request.nowMs)
    const { baseOffset, endOffset, epoch } = this.#propose(records, request.isForAll ?? false, moment)
    return { baseOffset, endOffset, epoch, logAppendTimeMs: isStampedHere ? request.nowMs : -1 }
  }

  #propose(records: Buffer, isForAll: boolean, moment: Moment): Proposed {
    try {
      const refusal = isForAll ? this.#inSyncRefusal() : null
      if (refusal !== null) throw refusal
      const full = this.#space?.refusal() ?? null
      if (full !== null) throw full
      const bytes = records.length
      const proposed = this.replica.propose(records)
      this.#space?.take(bytes)
      this.#refusedSequences.placed(records)
      return proposed
    } catch (error) {
      if (error instanceof Refused) this.#refusedSequences.refused(records, error.code, moment)
      throw error
    }
  }

  /** Bytes appended and not committed yet. */
  get uncommittedBytes(): number {
    const { log, highWatermark } = this.replica
    return log.end > highWatermark ? log.bytesBetween(highWatermark, log.end) : 0
  }

  /** Bytes that a consumer at `offset` would get now; 0 while this leader is not ready. Rounded, but 0 only when exact. */
  bytesFrom(offset: number): number {
    const { replica } = this
    if (!replica.isReady || offset >= replica.highWatermark) return 0
    return Math.max(1, replica.log.bytesBetween(offset, replica.highWatermark))
  }

  /** True when no record can ever be read at `offset`: below the start, or above the end. */
  isOutOfRange(offset: number): boolean {
    const { log } = this.replica
    return !(offset >= log.start && offset <= log.end)
  }

  /**
   * Where the log of a reader parted from this one, if it did: the reader's last record is of epoch `lastEpoch`, and its next
   * offset `offset`. @throws Refused OFFSET_OUT_OF_RANGE when `lastEpoch` is unknown here
   */
  divergence(offset: number, lastEpoch: number): EpochEnd | null {
    const end = this.replica.log.epochEnd(lastEpoch)
    if (end.epoch < 0 || end.endOffset < 0) {
      throw new Refused('OFFSET_OUT_OF_RANGE', `epoch ${lastEpoch} is not in this log`)
    }
    return end.epoch < lastEpoch || end.endOffset < offset ? end : null
  }

  /**
   * What consumers may see from `offset` on, below `boundOffset` (a high watermark that was told): whole batches, the first of which may
   * begin earlier. @throws Refused, Faulted
   */
  async read(
    offset: number,
    limits: { maxBytes: number; minOne: boolean; boundOffset: number },
  ): Promise<ReadBatches> {
    const boundOffset = Math.min(limits.boundOffset, this.replica.highWatermark)
    return await this.#reading(this.replica.log.read(offset, { ...limits, boundOffset }))
  }

  /** Looks at about so many bytes that nobody has read since the start; resolves with how many there were, 0 for none. */
  async examine(bytesMax: number): Promise<number> {
    return await this.#reading(this.replica.log.examine(bytesMax))
  }

  async #reading<T>(read: Promise<T>): Promise<T> {
    try {
      return await read
    } catch (error) {
      if (error instanceof Faulted) this.#readFailed(error)
      throw error
    }
  }

  /** Once for each place: a consumer that asks again and again shall not flood the log. */
  #readFailed(fault: Faulted): void {
    const { message, door } = fault
    if (this.#isClosed || message === this.#readFaultTold) return
    this.#readFaultTold = message
    this.#onEvent({
      level: 'error',
      event: 'partition.read.failed',
      message: `${this.name}: ${message}`,
      partition: this.name,
    })
    if (door === 'bytes') this.#onDamaged(fault)
  }

  /** The first visible record of `timestamp` or later. */
  offsetForTime(timestamp: number): Promise<RecordPlace | null> {
    return this.#reading(this.replica.log.offsetForTime(timestamp, this.replica.highWatermark))
  }
  offsetOfMaxTimestamp(): Promise<RecordPlace | null> {
    return this.#reading(this.replica.log.offsetOfMaxTimestamp(this.replica.highWatermark))
  }

  /**
   * Removes the records below `offset` (-1: all that are committed), by a replicated decision. Resolves with the new start.
   * @throws Refused OFFSET_OUT_OF_RANGE above the high watermark
   */
  async deleteRecords(offset: number): Promise<number> {
    const { highWatermark } = this.replica
    const target = offset === -1 ? highWatermark : offset
    if (target < 0 || target > highWatermark) {
      throw new Refused('OFFSET_OUT_OF_RANGE', `offset ${target} where ${highWatermark} are committed`)
    }
    return target <= this.start ? this.start : await this.replica.raiseStart(target)
  }

  watch(watcher: PartitionWatcher): void {
    this.#watchers.add(watcher)
  }
  unwatch(watcher: PartitionWatcher): void {
    this.#watchers.delete(watcher)
  }

  /** Serves nobody from now on: deleted, or the broker stops. Who waits is told. The replica is closed by its owner. */
  close(): void {
    this.#isClosed = true
    this.#unsubscribe()
    this.#moved()
  }

  /** A watcher may leave, or another come, while this runs: a Set allows both. */
  #moved(): void {
    for (const watcher of this.#watchers) watcher.moved()
  }
}
