/**
 * Reads records: of given partitions, or of those that a group gives it.
 *
 *     for await (const record of client.consumer({ topics: ['orders'], groupId: 'billing' })) await bill(record)
 *
 * That loop is at-least-once: a record counts as processed when the loop asks for the next one, only what is processed is
 * committed (every `autoCommitIntervalMs`, before partitions are given up, and on close), and a rebalance waits for the
 * record in hand. One loop at a time.
 */
import type { Cluster } from './cluster.ts'
import { type ConsumerOptions, type ConsumerSettings, consumerSettingsOf } from './consumer-settings.ts'
import { asKafkaError, ClientClosed, InvalidArgument, type KafkaError } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember } from './group-member.ts'
import { Lifetime } from './lifetime.ts'
import { type Committer, commitOffsets, type OffsetToCommit, type Position } from './offsets.ts'
import { nameOf, type TopicPartition } from './partition.ts'
import { type ConsumerRecord, PartitionReader } from './partition-reader.ts'
import type { Timer } from './transport.ts'

/** Records of one partition, in order. */
export interface ConsumerBatch extends TopicPartition {
  readonly records: readonly ConsumerRecord[]
  readonly highWatermark: number
}

export class Consumer implements AsyncIterable<ConsumerRecord> {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #lifetime: Lifetime
  readonly #fetcher: Fetcher
  readonly #member: GroupMember | null
  #membership: Promise<void> | null = null
  #hasStarted = false
  /** Whose record or batch the loop has in hand. */
  #inHand: PartitionReader | null = null
  /** The loop gets nothing more until the partitions are given up. */
  #isDraining = false
  #failure: KafkaError | null = null
  /** Resolved when something has changed that a waiting loop cares for. */
  #changed: (() => void)[] = []
  #handedBack: (() => void)[] = []
  #turn = 0
  #commitTimer: Timer | null = null
  #closing: Promise<void> | null = null

  /** Made by `client.consumer()`. */
  constructor(cluster: Cluster, options: ConsumerOptions) {
    this.#cluster = cluster
    this.#settings = consumerSettingsOf(options)
    this.#lifetime = new Lifetime(cluster.clock)
    const id = cluster.nextId()
    const [fetchLane, groupLane] = [`fetch-${id}`, `group-${id}`] as const
    this.#fetcher = new Fetcher(cluster, this.#settings, fetchLane, this.#lifetime, {
      arrived: () => this.#wake(),
      failed: (error) => this.#fail(error),
    })
    const { groupId, assignments } = this.#settings
    this.#member =
      groupId === null || assignments !== null
        ? null
        : new GroupMember(cluster, this.#settings, groupId, groupLane, this.#lifetime, {
            assigned: (partitions) => this.#assign(partitions),
            revoke: (isLost) => this.#revoke(isLost),
            failed: (error) => this.#fail(error),
          })
    const forget = cluster.adopt(this, this.#lifetime)
    this.#lifetime.onEnd((reason) => {
      forget()
      cluster.brokers.drop(fetchLane, reason)
      cluster.brokers.drop(groupLane, reason)
      this.#wake()
    })
  }

  /** What it reads at present. */
  get assignment(): readonly TopicPartition[] {
    return this.#fetcher.readers.map(({ topic, partition }) => ({ topic, partition }))
  }

  /** Of each partition: the next offset for the loop, and the high watermark as last heard (-1: never). */
  get positions(): readonly (TopicPartition & { position: number; highWatermark: number })[] {
    return this.#fetcher.readers.map(({ topic, partition, delivered, highWatermark }) => ({
      topic,
      partition,
      position: delivered,
      highWatermark,
    }))
  }

  /** Record by record. Leaving the loop early does not close the consumer; the record in hand stays unprocessed. */
  [Symbol.asyncIterator](): AsyncIterator<ConsumerRecord> {
    return this.#iterator((reader) => reader.take())
  }

  /** Batch by batch: the same, with less ado per record. */
  batches(): AsyncIterableIterator<ConsumerBatch> {
    const { batchRecordsMax } = this.#settings
    return this.#iterator((reader) => {
      const records = reader.takeMany(batchRecordsMax)
      if (records.length === 0) return null
      const { topic, partition, highWatermark } = reader
      return { topic, partition, records, highWatermark }
    })
  }

  /** Reads the partition from somewhere else. @throws InvalidArgument when it is not assigned */
  seek(place: TopicPartition, position: Position): void {
    this.#reader(place).seek(position)
    this.#fetcher.wake()
  }

  pause(places: readonly TopicPartition[]): void {
    for (const place of places) this.#reader(place).isPaused = true
  }

  resume(places: readonly TopicPartition[]): void {
    for (const place of places) this.#reader(place).isPaused = false
    this.#fetcher.wake()
    this.#wake()
  }

  /**
   * Commits given offsets, or all that was handed out, the record in hand included.
   * @throws KafkaError; REBALANCE_IN_PROGRESS means that the partitions are about to move
   */
  async commit(offsets?: readonly OffsetToCommit[]): Promise<void> {
    await this.#commit(offsets ?? this.#deliveredOffsets())
  }

  /** Commits what is processed, leaves the group, stops. Never rejects. */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? this.#cluster.settings.requestTimeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#commitTimer?.cancel()
    if (!this.#lifetime.isOver && this.#settings.groupId !== null) {
      const farewell = this.#commitProcessed().then(() => this.#member?.leave(timeoutMs))
      await this.#lifetime.within(farewell, timeoutMs, 'close').catch(() => {})
    }
    this.#lifetime.end(new ClientClosed('consumer'))
    await this.#membership
  }

  #iterator<T>(take: (reader: PartitionReader) => T | null): AsyncIterableIterator<T> {
    const next = (): Promise<IteratorResult<T>> => {
      this.#handBack()
      const item = this.#isIdle() ? null : this.#take(take)
      return item === null ? this.#await(take) : Promise.resolve({ value: item, done: false })
    }
    return {
      next,
      return: () => {
        this.#inHand = null
        this.#tellHandedBack()
        return Promise.resolve({ value: undefined, done: true })
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Nothing may be handed out just now. */
  #isIdle(): boolean {
    return this.#isDraining || this.#failure !== null || this.#lifetime.isOver
  }

  async #await<T>(take: (reader: PartitionReader) => T | null): Promise<IteratorResult<T>> {
    this.#start()
    for (;;) {
      this.#throwFailure()
      if (this.#closing !== null) return { value: undefined, done: true }
      this.#lifetime.check()
      const item = this.#isDraining ? null : this.#take(take)
      if (item !== null) return { value: item, done: false }
      if (this.#isFinished()) return { value: undefined, done: true }
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  /** From the partition of last time while it has data, then from the next one. */
  #take<T>(take: (reader: PartitionReader) => T | null): T | null {
    const { readers } = this.#fetcher
    try {
      for (let i = 0; i < readers.length; i++) {
        const reader = readers[this.#turn % readers.length]
        if (reader !== undefined && !reader.isPaused && reader.hasData) {
          const before = reader.bufferedBytes
          const item = take(reader)
          if (reader.bufferedBytes < before) this.#fetcher.wake()
          if (item !== null) {
            this.#inHand = reader
            return item
          }
          reader.confirm()
        }
        this.#turn++
      }
    } catch (cause) {
      this.#fail(asKafkaError(cause))
      this.#throwFailure()
    }
    return null
  }

  #isFinished(): boolean {
    const { readers } = this.#fetcher
    if (!this.#settings.stopAtEnd || readers.some((reader) => !reader.isPlaced)) return false
    if (this.#member !== null && !this.#member.isStable) return false
    return this.#hasAssignment && readers.every((reader) => reader.isAtEnd)
  }

  #hasAssignment = false

  #start(): void {
    if (this.#hasStarted) this.#fetcher.resume()
    else if (this.#settings.autoCommit) this.#commitLater()
    if (this.#member !== null) this.#join(this.#member)
    else if (!this.#hasStarted) void this.#assignAlone()
    this.#hasStarted = true
  }

  /** Enters the group, again after a failure has ended the membership. */
  #join(member: GroupMember): void {
    this.#membership ??= member.run().finally(() => {
      this.#membership = null
    })
  }

  async #assignAlone(): Promise<void> {
    const { assignments, topics } = this.#settings
    try {
      if (assignments !== null && assignments !== undefined) {
        this.#assign(assignments)
        return
      }
      const metadata = await Promise.all(topics.map((topic) => this.#cluster.topic(topic)))
      this.#assign(
        metadata.flatMap(({ name, partitions }) =>
          partitions.map(({ index }) => ({ topic: name, partition: index })),
        ),
      )
    } catch (cause) {
      this.#hasStarted = false
      this.#fail(asKafkaError(cause))
    }
  }

  #assign(partitions: readonly (TopicPartition & { from?: Position })[]): void {
    const { isolation, expandedBytesMax } = this.#settings
    const start = this.#settings.groupId === null ? this.#settings.from : 'committed'
    const options = { isolated: isolation === 'read_committed', expandedBytesMax }
    this.#hasAssignment = true
    this.#isDraining = false
    this.#fetcher.assign(partitions.map((place) => new PartitionReader(place, place.from ?? start, options)))
    this.#wake()
  }

  async #revoke(isLost: boolean): Promise<void> {
    this.#isDraining = true
    if (this.#inHand !== null) {
      const handedBack = new Promise<void>((resolve) => this.#handedBack.push(resolve))
      const { rebalanceTimeoutMs } = this.#settings
      await this.#lifetime.within(handedBack, rebalanceTimeoutMs, 'the loop').catch(() => {
        this.#cluster.settings.logger.warn({}, 'consumer: the loop is slower than rebalanceTimeoutMs')
      })
    }
    if (!isLost && this.#settings.autoCommit) await this.#commitProcessed()
    this.#hasAssignment = false
    this.#inHand = null
    this.#fetcher.assign([])
  }

  /** The loop asks for the next: it is done with what it had. */
  #handBack(): void {
    if (this.#inHand === null) return
    this.#inHand.confirm()
    this.#inHand = null
    this.#tellHandedBack()
  }

  #tellHandedBack(): void {
    if (this.#handedBack.length === 0) return
    const waiting = this.#handedBack
    this.#handedBack = []
    for (const resolve of waiting) resolve()
  }

  #commitLater(): void {
    this.#commitTimer = this.#lifetime.timer(this.#settings.autoCommitIntervalMs, () => {
      void this.#commitProcessed().then(() => {
        if (this.#closing === null) this.#commitLater()
      })
    })
  }

  /** What is processed and not committed yet. A failure is logged: the next time commits it as well. */
  async #commitProcessed(): Promise<void> {
    if (!this.#settings.autoCommit) return
    const offsets = this.#fetcher.readers
      .filter((reader) => reader.processed >= 0 && reader.processed !== reader.committed)
      .map(({ topic, partition, processed }) => ({ topic, partition, offset: processed }))
    try {
      await this.#commit(offsets)
    } catch (cause) {
      if (this.#lifetime.isOver) return
      const { code, message } = asKafkaError(cause)
      this.#cluster.settings.logger.warn({ code }, `consumer: offsets were not committed: ${message}`)
    }
  }

  #deliveredOffsets(): OffsetToCommit[] {
    return this.#fetcher.readers
      .filter((reader) => reader.delivered >= 0 && reader.delivered !== reader.committed)
      .map(({ topic, partition, delivered }) => ({ topic, partition, offset: delivered }))
  }

  async #commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    if (offsets.length === 0) return
    const committer = this.#committer()
    await this.#cluster.retry(
      `commit for group ${committer.groupId}`,
      () => commitOffsets(this.#cluster, committer, offsets),
      // The topic was deleted: there is nothing to wait for.
      { isFinal: ({ code }) => code === 'UNKNOWN_TOPIC_OR_PARTITION' },
    )
    for (const offset of offsets) {
      const reader = this.#fetcher.readers.find((r) => r.name === nameOf(offset))
      if (reader === undefined) continue
      reader.committed = offset.offset
      // Who commits says that it is done with what lies before.
      reader.processed = Math.max(reader.processed, offset.offset)
    }
  }

  #committer(): Committer {
    if (this.#member !== null) return this.#member.committer
    const { groupId } = this.#settings
    if (groupId === null) throw new InvalidArgument('a commit needs a groupId')
    return { groupId, memberId: '', generationId: -1, groupInstanceId: null }
  }

  #reader(place: TopicPartition): PartitionReader {
    const name = nameOf(place)
    const reader = this.#fetcher.readers.find((r) => r.name === name)
    if (reader === undefined) throw new InvalidArgument(`partition ${name} is not assigned to this consumer`)
    return reader
  }

  #fail(error: KafkaError): void {
    this.#failure ??= error
    this.#wake()
  }

  /** A failure is thrown into the loop once; the loop after it tries again. */
  #throwFailure(): void {
    const failure = this.#failure
    if (failure === null) return
    this.#failure = null
    throw failure
  }

  #wake(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}
