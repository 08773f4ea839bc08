/**
 * Sends records. Each goes into the open batch of its partition (producer-batch.ts); batches of a partition queue up
 * (partition-queue.ts); the sender takes them to the brokers (sender.ts).
 *
 * Memory is bounded: over `bufferBytesMax` of records that nobody has acknowledged, the next ones wait, in order per topic.
 */
import type { RecordContent } from '../src/records/records.ts'
import { abortable, type CallOptions } from './abort.ts'
import type { Cluster } from './cluster.ts'
import {
  Aborted,
  asKafkaError,
  BrokerRefused,
  BufferExhausted,
  ClientClosed,
  type KafkaError,
  RecordTooLarge,
  TimedOut,
} from './errors.ts'
import { Lifetime } from './lifetime.ts'
import type { TopicMetadata } from './metadata.ts'
import { PartitionQueue } from './partition-queue.ts'
import { partitionOfKey, StickyPartition } from './partitioner.ts'
import { type Done, ProducerBatch, type Settler } from './producer-batch.ts'
import { type ProducerOptions, type ProducerSettings, producerSettingsOf } from './producer-settings.ts'
import { writableOf } from './producer-stream.ts'
import { contentOf, type ProducerRecord, type RecordPlace, sizeOf } from './record.ts'
import { Sender } from './sender.ts'
import { TurnClock } from './turn-clock.ts'

/** A record that waits for its topic's metadata or for room. */
interface Waiting {
  readonly content: RecordContent
  readonly partition: number | undefined
  readonly settler: Settler
  readonly mark: number
  readonly deadline: number
  readonly accepted: () => void
}

interface TopicQueue {
  readonly name: string
  readonly sticky: StickyPartition
  readonly partitions: PartitionQueue[]
  metadata: TopicMetadata | null
  isLoading: boolean
  waiting: Waiting[]
}

/** Records without a key stay with a partition for so long at least. */
const stickyBytes = 64 * 1024

/** So much in one batch does not wait for the end of the turn, when its broker has nothing to do for us. */
const eagerBytes = 128 * 1024

export class Producer {
  readonly #cluster: Cluster
  readonly #settings: ProducerSettings
  readonly #lifetime: Lifetime
  readonly #sender: Sender
  readonly #time: TurnClock
  readonly #topics = new Map<string, TopicQueue>()
  #bufferedBytes = 0
  #waitingCount = 0
  #closing: Promise<void> | null = null

  /** Made by `client.producer()`. */
  constructor(cluster: Cluster, options: ProducerOptions) {
    this.#cluster = cluster
    this.#settings = producerSettingsOf(options, cluster.settings.requestTimeoutMs)
    this.#lifetime = new Lifetime(cluster.clock)
    this.#time = new TurnClock(cluster.clock)
    this.#sender = new Sender(cluster, this.#settings, this.#lifetime, {
      settled: (batch) => this.#settled(batch),
      tick: (now) => this.#expireWaiting(now),
    })
    const forget = cluster.adopt(this, { end: (reason) => this.#end(reason) })
    this.#lifetime.onEnd(forget)
  }

  /** Bytes of records that were accepted and are not acknowledged yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /**
   * Resolves when the record is acknowledged as `acks` asks. @throws KafkaError; Aborted when the signal ends the wait: the
   * record may be stored nevertheless
   */
  send(record: ProducerRecord, options: CallOptions = {}): Promise<RecordPlace> {
    if (options.signal?.aborted === true) return Promise.reject(new Aborted('send', options.signal.reason))
    const sent = new Promise<RecordPlace>((resolve, reject) => {
      void this.enqueue(record, (error, place) => {
        if (place === null) reject(error)
        else resolve(place)
      })
    })
    return abortable(sent, 'send', options.signal)
  }

  /**
   * Resolves when all are acknowledged, with their places in the same order.
   * @throws the first error; the others may have been stored
   */
  sendAll(records: readonly ProducerRecord[], options: CallOptions = {}): Promise<RecordPlace[]> {
    if (options.signal?.aborted === true) return Promise.reject(new Aborted('send', options.signal.reason))
    if (records.length === 0) return Promise.resolve([])
    return abortable(this.#sendAll(records), 'send', options.signal)
  }

  #sendAll(records: readonly ProducerRecord[]): Promise<RecordPlace[]> {
    return new Promise((resolve, reject) => {
      const places: RecordPlace[] = []
      let left = records.length
      const settler: Settler = (error, place, i) => {
        if (place === null) {
          reject(error)
          return
        }
        places[i] = place
        if (--left === 0) resolve(places)
      }
      records.forEach((record, i) => void this.#enqueue(record, settler, i))
    })
  }

  /**
   * Takes a record and calls `done` once with its fate: the way of least cost for many records, and the one that shows
   * back-pressure. Returns undefined when there was room, else a promise that resolves when there is: wait for it before
   * the next one. Neither throws nor rejects: every error goes to `done`, which must not throw.
   */
  enqueue(record: ProducerRecord, done: Done): Promise<void> | undefined {
    return this.#enqueue(record, done, 0)
  }

  #enqueue(record: ProducerRecord, settler: Settler, mark: number): Promise<void> | undefined {
    let content: RecordContent
    this.#time.look()
    try {
      if (this.#closing !== null) throw new ClientClosed('producer')
      this.#lifetime.check()
      content = contentOf(record, this.#time.now)
    } catch (cause) {
      settler(asKafkaError(cause), null, mark)
      return undefined
    }
    const topic = this.#topic(record.topic)
    if (topic.waiting.length === 0 && this.#hasRoom() && this.#isReady(topic, record.partition)) {
      this.#append(topic, content, record.partition, settler, mark)
      return undefined
    }
    return this.#wait(topic, content, record.partition, settler, mark)
  }

  /** The end of a pipeline: holds it up while the producer is full, fails with the first record that does. */
  writable(): WritableStream<ProducerRecord> {
    return writableOf(this)
  }

  /** Sends what lingers, and resolves when all that was accepted so far is settled, well or badly. */
  async flush(): Promise<void> {
    while (this.#waitingCount > 0) await this.#nextAcceptance()
    this.#sender.flush()
    const batches = this.#sender.unsettled.filter((batch) => !batch.isSettled)
    await Promise.all(batches.map((batch) => new Promise<void>((resolve) => batch.whenSettled.push(resolve))))
  }

  /** Sends what is left for at most `timeoutMs`, then fails the rest with CLIENT_CLOSED. Never rejects. */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? this.#settings.deliveryTimeoutMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    if (this.#bufferedBytes > 0 || this.#waitingCount > 0) {
      // Whoever sent is told by their own promises; here only the end of it counts.
      await this.#lifetime.within(this.flush(), timeoutMs, 'flush').catch(() => {})
    }
    this.#end(new ClientClosed('producer'))
  }

  #end(reason: KafkaError): void {
    if (this.#lifetime.isOver) return
    this.#sender.abandon(reason)
    for (const topic of this.#topics.values()) this.#refuseWaiting(topic, reason)
    this.#lifetime.end(reason)
  }

  #topic(name: string): TopicQueue {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const switchBytes = Math.min(stickyBytes, this.#settings.batchBytesMax)
    const sticky = new StickyPartition(switchBytes, this.#cluster.settings.transport.random)
    const topic = { name, sticky, partitions: [], metadata: null, isLoading: false, waiting: [] }
    this.#topics.set(name, topic)
    return topic
  }

  #hasRoom(): boolean {
    return this.#bufferedBytes < this.#settings.bufferBytesMax
  }

  /** The partitions are known, and so is the one that is asked for. */
  #isReady(topic: TopicQueue, partition: number | undefined): boolean {
    const heard = this.#cluster.metadata.known(topic.name, this.#time.monotonic)
    if (heard !== undefined) topic.metadata = heard
    if (topic.metadata === null) return false
    return partition === undefined || partition < topic.metadata.partitions.length
  }

  #wait(
    topic: TopicQueue,
    content: RecordContent,
    partition: number | undefined,
    settler: Settler,
    mark: number,
  ): Promise<void> | undefined {
    if (this.#waitingCount >= this.#settings.waitingMax) {
      settler(new BufferExhausted(`${this.#waitingCount} records wait already`), null, mark)
      return undefined
    }
    this.#waitingCount++
    const deadline = this.#cluster.clock.monotonic() + this.#settings.waitTimeoutMs
    const accepted = new Promise<void>((resolve) => {
      topic.waiting.push({ content, partition, settler, mark, deadline, accepted: resolve })
    })
    if (!this.#isReady(topic, partition)) this.#load(topic)
    this.#sender.wake()
    return accepted
  }

  /** Resolves when one more record has stopped waiting. */
  #nextAcceptance(): Promise<void> {
    return new Promise((resolve) => this.#acceptances.push(resolve))
  }

  #acceptances: (() => void)[] = []

  #accept(entry: Waiting): void {
    this.#waitingCount--
    entry.accepted()
    const waiters = this.#acceptances
    this.#acceptances = []
    for (const resolve of waiters) resolve()
  }

  /** Asks for the topic's partitions, then lets in what waits for them. */
  #load(topic: TopicQueue): void {
    if (topic.isLoading) return
    topic.isLoading = true
    this.#cluster.metadata.invalidate()
    void this.#cluster.topic(topic.name, { create: this.#settings.createTopics }).then(
      (metadata) => {
        topic.isLoading = false
        topic.metadata = metadata
        this.#admit(topic, true)
      },
      (cause: unknown) => {
        topic.isLoading = false
        this.#refuseWaiting(topic, asKafkaError(cause))
      },
    )
  }

  /** Moves records that wait into batches while there is room. `isFresh`: the metadata were just asked for. */
  #admit(topic: TopicQueue, isFresh = false): void {
    let taken = 0
    this.#time.look()
    for (const entry of topic.waiting) {
      if (!this.#hasRoom()) break
      const count = topic.metadata?.partitions.length ?? 0
      const isThere = entry.partition === undefined || entry.partition < count
      if (!this.#isReady(topic, entry.partition) && !(isFresh && !isThere)) {
        this.#load(topic)
        break
      }
      taken++
      if (isThere) this.#append(topic, entry.content, entry.partition, entry.settler, entry.mark)
      else entry.settler(noSuchPartition(topic.name, entry.partition ?? -1, count), null, entry.mark)
    }
    for (const entry of topic.waiting.splice(0, taken)) this.#accept(entry)
  }

  #refuseWaiting(topic: TopicQueue, error: KafkaError): void {
    const refused = topic.waiting
    topic.waiting = []
    for (const entry of refused) {
      entry.settler(error, null, entry.mark)
      this.#accept(entry)
    }
  }

  #append(
    topic: TopicQueue,
    content: RecordContent,
    chosen: number | undefined,
    settler: Settler,
    mark: number,
  ): void {
    const size = sizeOf(content)
    if (size > this.#settings.requestBytesMax) {
      settler(new RecordTooLarge(topic.name, size, this.#settings.requestBytesMax), null, mark)
      return
    }
    const partition = this.#partition(topic, chosen ?? this.#choose(topic, content, size))
    let batch = partition.open
    if (batch !== undefined && !this.#fits(batch, size)) {
      batch.isClosed = true
      batch = undefined
    }
    const isNew = batch === undefined
    batch ??= this.#openBatch(partition)
    const before = isNew ? 0 : batch.sizeBytes
    batch.append(content, settler, mark)
    const grown = batch.sizeBytes - before
    batch.heldBytes += grown
    this.#bufferedBytes += grown
    if (isNew) this.#sender.add(partition)
    if (before < eagerBytes && batch.sizeBytes >= eagerBytes) this.#sender.hurry(partition)
  }

  #choose(topic: TopicQueue, content: RecordContent, size: number): number {
    const partitions = topic.metadata?.partitions ?? []
    const { partitioner } = this.#settings
    const own = partitioner?.({ topic: topic.name, key: content.key, partitions }) ?? null
    if (own !== null) return own
    if (content.key !== null) return partitionOfKey(content.key, partitions.length)
    const batch = topic.partitions[topic.sticky.current]?.open
    return topic.sticky.next(partitions, size, batch !== undefined && this.#fits(batch, size))
  }

  #fits(batch: ProducerBatch, size: number): boolean {
    return batch.sizeBytes + size <= this.#settings.batchBytesMax
  }

  #partition(topic: TopicQueue, index: number): PartitionQueue {
    const known = topic.partitions[index]
    if (known !== undefined) return known
    const partition = new PartitionQueue(topic.name, index)
    topic.partitions[index] = partition
    return partition
  }

  #openBatch(partition: PartitionQueue): ProducerBatch {
    const openedAt = this.#time.monotonic
    const batch = new ProducerBatch(partition, {
      order: partition.nextOrder(),
      openedAt,
      deadline: openedAt + this.#settings.deliveryTimeoutMs,
      codec: this.#settings.compression,
      level: this.#settings.compressionLevel,
      expectedBytes: partition.lastBytes,
    })
    partition.queue.push(batch)
    return batch
  }

  #settled(batch: ProducerBatch): void {
    this.#bufferedBytes -= batch.heldBytes
    batch.heldBytes = 0
    if (this.#waitingCount === 0) return
    for (const topic of this.#topics.values()) if (topic.waiting.length > 0) this.#admit(topic)
  }

  /** Gives up records that have waited too long; returns when the next one will have. */
  #expireWaiting(now: number): number {
    if (this.#waitingCount === 0) return Infinity
    let next = Infinity
    for (const topic of this.#topics.values()) {
      for (let first = topic.waiting[0]; first !== undefined; first = topic.waiting[0]) {
        if (first.deadline > now) {
          next = Math.min(next, first.deadline)
          break
        }
        topic.waiting.shift()
        first.settler(this.#waitedTooLong(topic), null, first.mark)
        this.#accept(first)
      }
    }
    return next
  }

  #waitedTooLong(topic: TopicQueue): KafkaError {
    const { waitTimeoutMs, bufferBytesMax } = this.#settings
    return topic.metadata === null
      ? new TimedOut(`metadata of topic ${topic.name}`, waitTimeoutMs)
      : new BufferExhausted(`${bufferBytesMax} bytes wait for the brokers since ${waitTimeoutMs} ms`)
  }
}

function noSuchPartition(topic: string, partition: number, count: number): KafkaError {
  const what = `partition ${topic}-${partition}`
  return new BrokerRefused('UNKNOWN_TOPIC_OR_PARTITION', what, `no such partition, the topic has ${count}`)
}
