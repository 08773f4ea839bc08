/**
 * Reads records: of given partitions, or of those that a group gives it.
 *
 *     for await (const record of client.consumer({ topics: ['orders'], groupId: 'billing' })) await bill(record)
 *
 * That loop is at-least-once: a record counts as processed when the loop asks for the next one, only what is processed is
 * committed (every `autoCommitIntervalMs`, before partitions are given up, and on close), and a rebalance waits for the
 * record in hand. One loop at a time.
 */
import { abortable, type CallOptions } from './abort.ts'
import type { Cluster } from './cluster.ts'
import { Commits } from './commits.ts'
import { type ConsumerOptions, type ConsumerSettings, consumerSettingsOf } from './consumer-settings.ts'
import { channels } from './diagnostics.ts'
import { asKafkaError, ClientClosed, InvalidArgument, type KafkaError } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember } from './group-member.ts'
import { Lifetime } from './lifetime.ts'
import type { OffsetToCommit, Position } from './offsets.ts'
import { Pace } from './pace.ts'
import { nameOf, placeOf, type TopicPartition } from './partition.ts'
import { type ConsumerRecord, PartitionReader } from './partition-reader.ts'

/** Records of one partition, in order. */
export interface ConsumerBatch extends TopicPartition {
  readonly records: readonly ConsumerRecord[]
  readonly highWatermark: number
}

/** How far a consumer is in a partition. */
export interface ConsumerPosition extends TopicPartition {
  /** The next offset for the loop; -1 while it is looked up. */
  readonly position: number
  /** The next offset after the last commit; -1: none that this consumer knows of. */
  readonly committed: number
  /** As last heard; -1: never. */
  readonly highWatermark: number
  /** Records between the two; -1 while either is unknown. */
  readonly lag: number
}

export class Consumer implements AsyncIterable<ConsumerRecord> {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #lifetime: Lifetime
  readonly #fetcher: Fetcher
  readonly #member: GroupMember | null
  readonly #commits: Commits
  #membership: Promise<void> | null = null
  #hasStarted = false
  /** Whose record or batch the loop has in hand. */
  #inHand: PartitionReader | null = null
  /** A hook is at work on what was just assigned: the loop gets nothing until it is done. */
  #isSettling = false
  #failure: KafkaError | null = null
  /** Resolved when something has changed that a waiting loop cares for. */
  #changed: (() => void)[] = []
  #handedBack: (() => void)[] = []
  #turn = 0
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
            revoke: (partitions, isLost) => this.#revoke(partitions, isLost),
            failed: (error) => this.#fail(error),
          })
    const [fetcher, member] = [this.#fetcher, this.#member]
    this.#commits = new Commits(cluster, this.#settings, this.#lifetime, {
      get readers() {
        return fetcher.readers
      },
      get committer() {
        return member?.committer ?? null
      },
    })
    const forget = cluster.adopt(this, this.#lifetime)
    this.#lifetime.onEnd((reason) => {
      forget()
      cluster.brokers.drop(fetchLane, reason)
      cluster.brokers.drop(groupLane, reason)
      this.#wake()
    })
    const { signal } = this.#settings
    const close = (): void => void this.close()
    signal?.addEventListener('abort', close)
    this.#lifetime.onEnd(() => signal?.removeEventListener('abort', close))
    if (signal?.aborted === true) close()
  }

  /** What it reads at present. */
  get assignment(): readonly TopicPartition[] {
    return this.#fetcher.readers.map(({ topic, partition }) => ({ topic, partition }))
  }

  get positions(): readonly ConsumerPosition[] {
    return this.#fetcher.readers.map(({ topic, partition, delivered, committed, highWatermark }) => ({
      topic,
      partition,
      position: delivered,
      committed,
      highWatermark,
      lag: delivered < 0 || highWatermark < 0 ? -1 : Math.max(0, highWatermark - delivered),
    }))
  }

  /** Record by record. Leaving the loop early does not close the consumer; the record in hand stays unprocessed. */
  [Symbol.asyncIterator](): AsyncIterator<ConsumerRecord> {
    return this.#iterator((reader) => reader.take(), 64)
  }

  /** Batch by batch: the same, with less ado per record. */
  batches(): AsyncIterableIterator<ConsumerBatch> {
    const { batchRecordsMax } = this.#settings
    return this.#iterator((reader) => {
      const records = reader.takeMany(batchRecordsMax)
      if (records.length === 0) return null
      const { topic, partition, highWatermark } = reader
      return { topic, partition, records, highWatermark }
    }, 1)
  }

  /** Reads the partition from somewhere else. @throws InvalidArgument when it is not assigned */
  seek(place: TopicPartition, position: Position): void {
    this.#reader(place).seek(position)
    this.#fetcher.wake()
  }

  /** Hands out nothing of these until `resume`; what was fetched is kept. @throws InvalidArgument */
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
  async commit(offsets?: readonly OffsetToCommit[], options: CallOptions = {}): Promise<void> {
    const commits = offsets === undefined ? this.#commits.commitDelivered() : this.#commits.commit(offsets)
    await abortable(commits, 'commit', options.signal)
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
    this.#commits.stop()
    if (!this.#lifetime.isOver && this.#settings.groupId !== null) {
      const farewell = this.#farewell(timeoutMs)
      await this.#lifetime.within(farewell, timeoutMs, 'close').catch(() => {})
    }
    this.#lifetime.end(new ClientClosed('consumer'))
    await this.#membership
  }

  async #farewell(timeoutMs: number): Promise<void> {
    if (this.#member !== null) await this.#tellRevoked(this.assignment, false)
    await this.#commits.commitProcessed()
    await this.#member?.leave(timeoutMs)
  }

  #iterator<T>(take: (reader: PartitionReader) => T | null, itemsPerLook: number): AsyncIterableIterator<T> {
    const pace = new Pace(this.#cluster.clock, itemsPerLook)
    const next = (): Promise<IteratorResult<T>> => {
      this.#handBack()
      if (pace.isDue()) return pace.rest().then(() => this.#await(take))
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
    return this.#isSettling || this.#failure !== null || this.#lifetime.isOver
  }

  async #await<T>(take: (reader: PartitionReader) => T | null): Promise<IteratorResult<T>> {
    this.#start()
    for (;;) {
      this.#throwFailure()
      if (this.#closing !== null) return { value: undefined, done: true }
      this.#lifetime.check()
      const item = this.#isSettling ? null : this.#take(take)
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
        if (reader !== undefined && !reader.isPaused && !reader.isLeaving && reader.hasData) {
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
    else this.#commits.start()
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
        await this.#assign(assignments)
        return
      }
      const metadata = await Promise.all(topics.map((topic) => this.#cluster.topic(topic)))
      await this.#assign(
        metadata.flatMap(({ name, partitions }) =>
          partitions.map(({ index }) => ({ topic: name, partition: index })),
        ),
      )
    } catch (cause) {
      this.#hasStarted = false
      this.#fail(asKafkaError(cause))
    }
  }

  /** All that is to be read from now on; who reads on goes on where it is. */
  async #assign(partitions: readonly (TopicPartition & { from?: Position })[]): Promise<void> {
    const { isolation, expandedBytesMax, groupId, rebalance } = this.#settings
    const start = groupId === null ? this.#settings.from : 'committed'
    const options = { isolated: isolation === 'read_committed', expandedBytesMax }
    const before = new Map(this.#fetcher.readers.map((reader) => [reader.name, reader]))
    const added = partitions.filter((place) => !before.has(nameOf(place)))
    this.#isSettling = added.length > 0 && rebalance?.assigned !== undefined
    this.#fetcher.assign(
      partitions.map(
        (place) => before.get(nameOf(place)) ?? new PartitionReader(place, place.from ?? start, options),
      ),
    )
    if (groupId !== null && channels.assigned.hasSubscribers) {
      channels.assigned.publish({ groupId, partitions: added })
    }
    try {
      if (added.length > 0) await rebalance?.assigned?.(added.map(placeOf))
    } catch (cause) {
      this.#fail(asKafkaError(cause))
    }
    this.#hasAssignment = true
    this.#isSettling = false
    this.#wake()
  }

  async #revoke(partitions: readonly TopicPartition[], isLost: boolean): Promise<void> {
    const names = new Set(partitions.map(nameOf))
    const leaving = this.#fetcher.readers.filter((reader) => names.has(reader.name))
    for (const reader of leaving) reader.isLeaving = true
    if (this.#inHand?.isLeaving === true) {
      const handedBack = new Promise<void>((resolve) => this.#handedBack.push(resolve))
      const { rebalanceTimeoutMs } = this.#settings
      await this.#lifetime.within(handedBack, rebalanceTimeoutMs, 'the loop').catch(() => {
        this.#cluster.settings.logger.warn({}, 'consumer: the loop is slower than rebalanceTimeoutMs')
      })
    }
    await this.#tellRevoked(leaving.map(placeOf), isLost)
    if (!isLost) await this.#commits.commitProcessed()
    if (this.#inHand?.isLeaving === true) this.#inHand = null
    const staying = this.#fetcher.readers.filter((reader) => !reader.isLeaving)
    if (staying.length === 0) this.#hasAssignment = false
    this.#fetcher.assign(staying)
  }

  async #tellRevoked(partitions: readonly TopicPartition[], isLost: boolean): Promise<void> {
    const { groupId, rebalance } = this.#settings
    if (partitions.length === 0) return
    if (groupId !== null && channels.revoked.hasSubscribers) {
      channels.revoked.publish({ groupId, partitions, isLost })
    }
    try {
      await ((isLost ? rebalance?.lost : undefined) ?? rebalance?.revoked)?.(partitions)
    } catch (cause) {
      this.#fail(asKafkaError(cause))
    }
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
