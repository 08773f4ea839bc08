/**
 * Keeps the readers of one consumer supplied: at most one Fetch per broker is under way, for the partitions it leads that
 * have less than their share at hand. What is at hand is bounded, per partition and in all.
 */
import { messageOf } from '../src/base/errors.ts'
import { Fetch } from '../src/protocol/apis/fetch.ts'
import { pauseAfter } from './backoff.ts'
import type { Lane } from './brokers.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import { channels } from './diagnostics.ts'
import { asKafkaError, KafkaError, LogTruncated, NoOffset, refused, type Truncation } from './errors.ts'
import {
  answerFor,
  divergingEpochMin,
  type FetchResponse,
  fetchRequest,
  fetchVersion,
  leaderEpochOf,
  type PartitionAnswer,
} from './fetch-request.ts'
import type { Lifetime } from './lifetime.ts'
import { committedOffsets, findOffsets, type Position } from './offsets.ts'
import type { PartitionReader } from './partition-reader.ts'
import type { Timer } from './transport.ts'
import { findTruncation } from './truncation.ts'

export interface FetcherEvents {
  /** Some reader has data, or has reached its end. */
  arrived(): void
  /** It cannot go on. */
  failed(error: KafkaError): void
}

const placesOf = { earliest: 'beginning', latest: 'end' } as const

export class Fetcher {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #lane: Lane
  readonly #lifetime: Lifetime
  readonly #events: FetcherEvents
  #readers: readonly PartitionReader[] = []
  readonly #busy = new Set<number>()
  #isPlacing = false
  #isRefreshing = false
  #isAwake = false
  /** After a failure, until the consumer has heard of it. */
  #isHalted = false
  #timer: Timer | null = null
  /** Moves on, so that every partition is the first of a request at times: only the first is sure of an answer. */
  #turn = 0

  constructor(
    cluster: Cluster,
    settings: ConsumerSettings,
    lane: Lane,
    lifetime: Lifetime,
    events: FetcherEvents,
  ) {
    this.#lane = lane
    this.#cluster = cluster
    this.#settings = settings
    this.#lifetime = lifetime
    this.#events = events
  }

  get readers(): readonly PartitionReader[] {
    return this.#readers
  }

  /** Takes other readers; answers for those that are gone are dropped. */
  assign(readers: readonly PartitionReader[]): void {
    for (const reader of this.#readers) if (!readers.includes(reader)) reader.version++
    this.#readers = readers
    this.wake()
  }

  wake(): void {
    if (this.#isAwake || this.#lifetime.isOver) return
    this.#isAwake = true
    this.#cluster.clock.soon(() => {
      this.#isAwake = false
      if (!this.#lifetime.isOver) this.#pump()
    })
  }

  /** Tries again after a failure. */
  resume(): void {
    this.#isHalted = false
    this.wake()
  }

  #fail(error: KafkaError): void {
    if (this.#lifetime.isOver) return
    this.#isHalted = true
    this.#events.failed(error)
  }

  #pump(): void {
    if (this.#isHalted) return
    if (this.#readers.some((reader) => !reader.isPlaced)) void this.#place()
    const now = this.#cluster.clock.monotonic()
    const { prefetchBytesMax, partitionBytesMax } = this.#settings
    let buffered = 0
    for (const reader of this.#readers) buffered += reader.bufferedBytes
    if (buffered >= prefetchBytesMax) return
    const leaders = new Map<number, PartitionReader[]>()
    let retryAt = Infinity
    for (const reader of this.#rotated()) {
      if (
        !reader.isPlaced ||
        reader.isPaused ||
        reader.isLeaving ||
        reader.bufferedBytes >= partitionBytesMax
      )
        continue
      if (reader.position >= reader.stopAt) continue
      if (reader.retryAt > now) {
        retryAt = Math.min(retryAt, reader.retryAt)
        continue
      }
      const leader = this.#cluster.metadata.known(reader.topic)?.partitions[reader.partition]?.leader ?? -1
      if (leader < 0) this.#refresh(reader)
      else if (!this.#busy.has(leader)) leaders.set(leader, [...(leaders.get(leader) ?? []), reader])
    }
    for (const [leader, readers] of leaders) void this.#fetch(leader, readers)
    if (retryAt < Infinity) this.#wakeAt(retryAt - now)
  }

  #rotated(): readonly PartitionReader[] {
    const at = this.#readers.length === 0 ? 0 : this.#turn++ % this.#readers.length
    return [...this.#readers.slice(at), ...this.#readers.slice(0, at)]
  }

  async #fetch(leader: number, readers: readonly PartitionReader[]): Promise<void> {
    this.#busy.add(leader)
    const versions = readers.map((reader) => reader.version)
    try {
      const response = await this.#request(leader, readers)
      if (response.errorCode !== 0) throw refused(response.errorCode, `fetch from broker ${leader}`)
      readers.forEach((reader, i) => {
        const answer = answerFor(reader, response, this.#cluster.metadata)
        if (answer === undefined || reader.version !== versions[i]) return
        const hint = { ...answer.currentLeader, endpoints: response.nodeEndpoints }
        const isTold =
          answer.errorCode !== 0 && this.#cluster.metadata.learn(reader.topic, reader.partition, leader, hint)
        // Then the new leader is asked as soon as this answer is done with.
        if (!isTold) this.#take(reader, answer)
      })
    } catch (cause) {
      const error = asKafkaError(cause)
      readers.forEach((reader, i) => {
        if (reader.version === versions[i]) this.#failed(reader, error)
      })
    } finally {
      this.#busy.delete(leader)
      this.wake()
    }
  }

  async #request(leader: number, readers: readonly PartitionReader[]): Promise<FetchResponse> {
    const { metadata, brokers, settings } = this.#cluster
    const connection = await brokers.connection(leader, this.#lane)
    const version = fetchVersion(connection, metadata, readers)
    if (version < divergingEpochMin) await this.#check(leader, readers)
    const request = fetchRequest(readers, metadata, this.#settings, version)
    return connection.send(Fetch, request, version, this.#settings.fetchWaitMs + settings.requestTimeoutMs)
  }

  /** Once per epoch of the leader, for brokers that do not do it with every fetch. */
  async #check(leader: number, readers: readonly PartitionReader[]): Promise<void> {
    for (const reader of readers) {
      const epoch = leaderEpochOf(this.#cluster.metadata, reader)
      if (epoch < 0 || reader.checkedEpoch === epoch) continue
      const { version } = reader
      const truncation = await findTruncation(this.#cluster, leader, reader, epoch)
      if (reader.version !== version) continue
      if (truncation !== null) this.#truncated(reader, truncation)
      reader.checkedEpoch = epoch
    }
  }

  #take(reader: PartitionReader, answer: PartitionAnswer): void {
    if (answer.errorCode !== 0) {
      const error = refused(answer.errorCode, `partition ${reader.name}`)
      if (error.code === 'OFFSET_OUT_OF_RANGE') void this.#outOfRange(reader, error)
      else this.#failed(reader, error)
      return
    }
    reader.failures = 0
    reader.missingSince = null
    if (answer.divergingEpoch.endOffset >= 0) {
      const { topic, partition, position } = reader
      this.#truncated(reader, { topic, partition, position, divergedAt: answer.divergingEpoch.endOffset })
      return
    }
    const [bytes] = answer.records
    try {
      reader.accept({
        bytes: bytes ?? Buffer.alloc(0),
        highWatermark: answer.highWatermark,
        aborted: answer.abortedTransactions ?? [],
      })
    } catch (cause) {
      const why = messageOf(cause)
      this.#fail(new KafkaError('CORRUPT_MESSAGE', `partition ${reader.name}: ${why}`, { cause }))
      return
    }
    if (channels.fetched.hasSubscribers && bytes !== undefined && bytes.length > 0) {
      const { topic, partition, highWatermark, position } = reader
      const lag = Math.max(0, highWatermark - position)
      channels.fetched.publish({ topic, partition, bytes: bytes.length, highWatermark, lag })
    }
    if (reader.hasData || reader.position >= reader.stopAt) this.#events.arrived()
  }

  /** Trimmed away, never written, or written and lost: only the last is a truncation. */
  async #outOfRange(reader: PartitionReader, error: KafkaError): Promise<void> {
    const { version } = reader
    // Not before the leader has been asked.
    reader.retryAt = Infinity
    try {
      const { leader, leaderEpoch } = await this.#cluster.metadata.leader(reader.topic, reader.partition)
      const truncation = await findTruncation(this.#cluster, leader, reader, leaderEpoch)
      reader.retryAt = 0
      if (reader.version !== version || this.#lifetime.isOver) return
      if (truncation === null) this.#reset(reader, error)
      else this.#truncated(reader, truncation)
      this.wake()
    } catch (cause) {
      reader.retryAt = 0
      if (reader.version === version) this.#failed(reader, asKafkaError(cause))
      this.wake()
    }
  }

  /** The position was trimmed away, or lies beyond the end. */
  #reset(reader: PartitionReader, error: KafkaError): void {
    const { offsetReset } = this.#settings
    const what = `offset ${reader.position} of ${reader.name} is out of range`
    if (offsetReset === 'none') {
      this.#fail(new NoOffset(`${what}: it was trimmed away, or never written`))
      return
    }
    const place = typeof offsetReset === 'string' ? placesOf[offsetReset] : offsetReset
    this.#cluster.settings.logger.warn(
      { code: error.code, topic: reader.topic, partition: reader.partition, position: reader.position },
      `consumer: ${what}; it goes on from ${typeof place === 'string' ? `the ${place}` : `time ${place.timestamp}`}`,
    )
    reader.seek(place)
  }

  /** Records that were read are not in the log any more: an unclean election. Never passed over in silence. */
  #truncated(reader: PartitionReader, truncation: Truncation): void {
    const { offsetReset, onTruncated } = this.#settings
    if (channels.truncated.hasSubscribers) channels.truncated.publish(truncation)
    const error = new LogTruncated(truncation)
    try {
      onTruncated?.(truncation)
    } catch (cause) {
      this.#fail(asKafkaError(cause))
      return
    }
    if (offsetReset === 'none') {
      this.#fail(error)
      return
    }
    this.#cluster.settings.logger.warn(
      { code: error.code, ...truncation },
      `consumer: ${error.message}; it goes on from there`,
    )
    reader.place(truncation.divergedAt)
  }

  #failed(reader: PartitionReader, error: KafkaError): void {
    if (this.#lifetime.isOver) return
    const { settings, clock } = this.#cluster
    if (!error.retriable || this.#isGone(reader, error)) {
      this.#fail(error)
      return
    }
    this.#cluster.forget(error)
    settings.logger.debug({ code: error.code }, `consumer: ${error.message}`)
    reader.retryAt =
      clock.monotonic() + pauseAfter(error, reader.failures++, settings, settings.transport.random)
  }

  /** Topics come and go in the view of a broker; one that stays away was deleted. */
  #isGone(reader: PartitionReader, error: KafkaError): boolean {
    if (!error.code.startsWith('UNKNOWN_TOPIC')) return false
    const now = this.#cluster.clock.monotonic()
    reader.missingSince ??= now
    return now - reader.missingSince >= this.#cluster.settings.topicTimeoutMs
  }

  #refresh(reader: PartitionReader): void {
    if (this.#isRefreshing) return
    this.#isRefreshing = true
    const refreshed = this.#cluster.metadata.leader(reader.topic, reader.partition).then(
      () => {},
      (cause: unknown) => this.#failed(reader, asKafkaError(cause)),
    )
    void refreshed.finally(() => {
      this.#isRefreshing = false
      this.wake()
    })
  }

  /** Finds where readers begin: what the group has committed, else what was asked for. */
  async #place(): Promise<void> {
    if (this.#isPlacing) return
    this.#isPlacing = true
    const readers = this.#readers.filter((reader) => !reader.isPlaced)
    const versions = new Map(readers.map((reader) => [reader, reader.version]))
    const place = (reader: PartitionReader, offset: number, leaderEpoch: number): void => {
      if (reader.version === versions.get(reader)) reader.place(offset, leaderEpoch)
    }
    try {
      const ends = this.#settings.stopAtEnd ? await this.#find(readers, () => 'end') : []
      for (const end of ends) end.reader.stopAt = end.offset
      const committed = await this.#committed(readers.filter((reader) => reader.start === 'committed'))
      for (const { reader, offset, leaderEpoch } of committed) {
        reader.committed = offset
        place(reader, offset, leaderEpoch)
      }
      const others = readers.filter((reader) => !reader.isPlaced)
      const found = await this.#find(others, ({ start }) =>
        start === 'committed' || start === null ? this.#settings.from : start,
      )
      for (const { reader, offset, leaderEpoch } of found) place(reader, offset, leaderEpoch)
      this.#events.arrived()
    } catch (cause) {
      this.#fail(asKafkaError(cause))
    } finally {
      this.#isPlacing = false
      this.wake()
    }
  }

  async #find(readers: readonly PartitionReader[], at: (reader: PartitionReader) => Position) {
    const wanted = readers.map((reader) => ({
      topic: reader.topic,
      partition: reader.partition,
      at: at(reader),
    }))
    const found = await findOffsets(this.#cluster, wanted, { isolation: this.#settings.isolation })
    return this.#match(readers, found)
  }

  async #committed(readers: readonly PartitionReader[]) {
    const { groupId } = this.#settings
    if (groupId === null || readers.length === 0) return []
    return this.#match(readers, await committedOffsets(this.#cluster, groupId, readers))
  }

  #match<T extends { topic: string; partition: number; offset: number; leaderEpoch: number }>(
    readers: readonly PartitionReader[],
    found: readonly T[],
  ) {
    return found.flatMap(({ topic, partition, offset, leaderEpoch }) => {
      const reader = readers.find((r) => r.topic === topic && r.partition === partition)
      return reader === undefined ? [] : [{ reader, offset, leaderEpoch }]
    })
  }

  #wakeAt(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#lifetime.timer(Math.ceil(delayMs), () => this.#pump())
  }
}
