/**
 * Sends what the producer has gathered: at the end of each turn one Produce request per broker with the oldest batch of each
 * partition that is ready, at most `inFlightMax` requests per broker. While those are under way batches go on filling, so
 * that a slow broker means larger batches, not more requests.
 */
import { errorName } from '../src/base/error-codes.ts'
import { Produce } from '../src/protocol/apis/produce.ts'
import type { ResponseOf } from '../src/protocol/notation.ts'
import { pauseAfter } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import type { Connection } from './connection.ts'
import { channels } from './diagnostics.ts'
import { asKafkaError, BrokerRefused, type KafkaError, TimedOut } from './errors.ts'
import type { Lifetime } from './lifetime.ts'
import type { LeaderHint } from './metadata.ts'
import type { PartitionQueue } from './partition-queue.ts'
import {
  answerFor,
  isGapBefore,
  mayBeStored,
  type PartitionAnswer,
  produceRequest,
  refusalOf,
} from './produce-request.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { ProducerIdentity } from './producer-identity.ts'
import { type ProducerNode, ProducerNodes } from './producer-nodes.ts'
import type { ProducerSettings } from './producer-settings.ts'
import type { Timer } from './transport.ts'

export interface SenderEvents {
  /** A batch is settled: its bytes are free. */
  settled(batch: ProducerBatch): void
  /** Called with every drain; returns when it wants to be called again, monotonic ms. */
  tick(now: number): number
}

export class Sender {
  readonly #cluster: Cluster
  readonly #settings: ProducerSettings
  readonly #lifetime: Lifetime
  readonly #events: SenderEvents
  /** Partitions with batches, in the order in which they get their turn. */
  readonly #partitions = new Set<PartitionQueue>()
  readonly #identity: ProducerIdentity
  readonly #nodes: ProducerNodes
  #isRefreshing = false
  #isAwake = false
  #flushBefore = -Infinity
  #timer: Timer | null = null
  #timerAt = Infinity
  /** Why nothing can be sent at the moment, for the error of what times out. */
  #lastFault: KafkaError | undefined

  constructor(cluster: Cluster, settings: ProducerSettings, lifetime: Lifetime, events: SenderEvents) {
    this.#cluster = cluster
    this.#settings = settings
    this.#lifetime = lifetime
    this.#events = events
    this.#identity = new ProducerIdentity(cluster, settings.requestTimeoutMs)
    this.#nodes = new ProducerNodes(cluster.brokers, {
      changed: () => this.wake(),
      failed: (error) => this.#fault(error),
    })
  }

  get unsettled(): readonly ProducerBatch[] {
    return [...this.#partitions].flatMap((partition) => [...partition.inFlight, ...partition.queue])
  }

  /** The partition has something to send. */
  add(partition: PartitionQueue): void {
    this.#partitions.add(partition)
    this.wake()
  }

  /** Looks, at the end of this turn, at what can be sent. */
  wake(): void {
    if (this.#isAwake || this.#lifetime.isOver) return
    this.#isAwake = true
    this.#cluster.clock.soon(() => {
      this.#isAwake = false
      if (!this.#lifetime.isOver) this.#drain()
    })
  }

  /**
   * A batch has grown so large that it may go before the turn ends: while the broker works on it, the next one is filled.
   * When the broker has work already, it goes on growing instead.
   */
  hurry(partition: PartitionQueue): void {
    if (this.#settings.acks === 0 || this.#lifetime.isOver) return
    const ready = new Map<number, PartitionQueue[]>()
    this.#sort(partition, this.#cluster.clock.monotonic(), ready)
    for (const [nodeId, partitions] of ready) {
      if (this.#nodes.get(nodeId).inFlight === 0) this.#sendTo(nodeId, partitions)
    }
  }

  /** Nothing opened until now lingers. */
  flush(): void {
    this.#flushBefore = this.#cluster.clock.monotonic()
    this.wake()
  }

  /** Settles everything with an error. */
  abandon(reason: KafkaError): void {
    this.#timer?.cancel()
    for (const batch of this.unsettled) this.#fail(batch, reason)
    this.#partitions.clear()
  }

  #drain(): void {
    const now = this.#cluster.clock.monotonic()
    let next = this.#events.tick(now)
    const ready = new Map<number, PartitionQueue[]>()
    for (const partition of this.#partitions) {
      next = Math.min(next, this.#expire(partition, now))
      if (partition.isIdle) {
        this.#partitions.delete(partition)
        continue
      }
      next = Math.min(next, this.#sort(partition, now, ready))
    }
    for (const [nodeId, partitions] of ready) this.#sendTo(nodeId, partitions)
    this.#wakeAt(next, now)
  }

  /** Puts the partition to those of its leader when it has a batch to go; returns when to look again. */
  #sort(partition: PartitionQueue, now: number, ready: Map<number, PartitionQueue[]>): number {
    const head = partition.queue[0]
    if (head === undefined) return Infinity
    if (partition.retryAt > now) return partition.retryAt
    const lingersUntil = this.#lingersUntil(partition, head)
    if (lingersUntil > now) return lingersUntil
    const leader = this.#cluster.metadata.known(partition.topic)?.partitions[partition.index]?.leader ?? -1
    if (leader < 0) {
      this.#refresh(partition)
      return Infinity
    }
    if (this.#settings.idempotent && partition.needsIdentity(this.#identity.current)) {
      this.#name()
      return Infinity
    }
    const maySend = partition.maySend(leader, now, this.#settings.inFlightMax)
    if (this.#compress(partition, maySend) || !maySend) return Infinity
    const list = ready.get(leader)
    if (list === undefined) ready.set(leader, [partition])
    else list.push(partition)
    return Infinity
  }

  /** Sends what is large to be compressed, ahead of its turn when it is full. True while the oldest is not ready. */
  #compress(partition: PartitionQueue, maySend: boolean): boolean {
    const { inFlightMax, compression } = this.#settings
    if (compression === 'none') return false
    partition.queue.slice(0, inFlightMax).forEach((batch, i) => {
      if (batch.isClosed || (i === 0 && maySend)) batch.compress(this.#cluster.compressor, () => this.wake())
    })
    return partition.queue[0]?.isCompressing === true
  }

  #lingersUntil(partition: PartitionQueue, head: ProducerBatch): number {
    const { lingerMs } = this.#settings
    if (head.isClosed || lingerMs === 0 || partition.queue.length > 1) return 0
    return head.openedAt <= this.#flushBefore ? 0 : head.openedAt + lingerMs
  }

  #sendTo(nodeId: number, partitions: readonly PartitionQueue[]): void {
    const node = this.#nodes.get(nodeId)
    if (node.connection?.isOpen !== true) {
      this.#nodes.open(nodeId)
      return
    }
    // Without answers, the socket is the only one to say "enough".
    if (node.connection.isCongested) {
      this.#nodes.awaitRoom(nodeId)
      return
    }
    const { inFlightMax, requestBytesMax } = this.#settings
    let batches: ProducerBatch[] = []
    let bytes = 0
    const send = (connection: Connection): void => {
      if (batches.length > 0) void this.#send(node, connection, batches)
      batches = []
      bytes = 0
    }
    for (const partition of partitions) {
      if (node.inFlight >= inFlightMax) break
      const batch = partition.take(nodeId, this.#identity.current)
      if (batch === undefined) continue
      // To the end of the line: every partition gets its turn.
      this.#partitions.delete(partition)
      this.#partitions.add(partition)
      if (bytes + batch.sizeBytes > requestBytesMax) send(node.connection)
      batches.push(batch)
      bytes += batch.sizeBytes
    }
    send(node.connection)
    // A partition may have more that is ready; a request each turn until the bound is reached.
    if (node.inFlight < inFlightMax && partitions.some((partition) => partition.queue.length > 0)) this.wake()
  }

  async #send(node: ProducerNode, connection: Connection, batches: readonly ProducerBatch[]): Promise<void> {
    const { acks, requestTimeoutMs } = this.#settings
    let request: ReturnType<typeof produceRequest>
    try {
      request = produceRequest(batches, { acks, timeoutMs: requestTimeoutMs })
    } catch (cause) {
      this.#putBackAll(batches, asKafkaError(cause))
      return
    }
    if (acks === 0) {
      try {
        connection.post(Produce, request, connection.versionOf(Produce))
        for (const batch of batches) this.#succeed(batch, -1, -1)
      } catch (cause) {
        this.#putBackAll(batches, asKafkaError(cause))
      }
      return
    }
    node.inFlight++
    try {
      // The broker may take all of `timeoutMs` for itself; its answer needs a little more.
      const response = await connection.request(Produce, request, requestTimeoutMs + 1_000)
      this.#take(batches, response)
    } catch (cause) {
      this.#putBackAll(batches, asKafkaError(cause))
    } finally {
      node.inFlight--
      this.wake()
    }
  }

  #take(batches: readonly ProducerBatch[], response: ResponseOf<typeof Produce>): void {
    for (const batch of batches) {
      const answer = answerFor(batch, response)
      if (answer === undefined) {
        const what = batch.home.name
        this.#comeBack(batch, new BrokerRefused('UNKNOWN_SERVER_ERROR', what, 'the response left it out'))
      } else if (answer.errorCode === 0) {
        this.#succeed(batch, answer.baseOffset, answer.logAppendTimeMs)
      } else if (errorName(answer.errorCode) === 'DUPLICATE_SEQUENCE_NUMBER') {
        this.#succeed(batch, -1, -1)
      } else {
        this.#refused(batch, answer, response.nodeEndpoints)
      }
    }
  }

  #refused(batch: ProducerBatch, answer: PartitionAnswer, endpoints: LeaderHint['endpoints']): void {
    const errorOf = refusalOf(batch, answer)
    if (errorName(answer.errorCode) === 'MESSAGE_TOO_LARGE' && batch.count > 1 && !batch.isSettled) {
      batch.home.replace(batch, batch.split())
    } else if (answer.recordErrors.length > 0) {
      this.#settle(batch, false, errorOf)
    } else {
      const { topic, index, inFlightNode } = batch.home
      const hint = { ...answer.currentLeader, endpoints }
      const isTold = this.#cluster.metadata.learn(topic, index, inFlightNode, hint)
      this.#comeBack(batch, errorOf(0), isTold)
    }
  }

  /** A batch was not acknowledged: again, or for good. With `isTold` it is known who will take it. */
  #comeBack(batch: ProducerBatch, error: KafkaError, isTold = false): void {
    const partition = batch.home
    batch.lastError = error
    if (mayBeStored(error)) batch.mayBeStored = true
    const isGap = batch.identity !== null && isGapBefore(error)
    if (batch.isSettled || !(isGap || error.retriable)) {
      this.#settle(batch, false, () => error)
      return
    }
    if (isGap) partition.reportGap(batch)
    else if (!isTold) this.#cluster.forget(error)
    const pause = isGap || isTold ? 0 : this.#pauseAfter(partition, error)
    partition.putBack(batch, this.#cluster.clock.monotonic() + pause)
  }

  #putBackAll(batches: readonly ProducerBatch[], error: KafkaError): void {
    for (const batch of batches) this.#comeBack(batch, error)
  }

  #succeed(batch: ProducerBatch, baseOffset: number, logAppendTimeMs: number): void {
    batch.home.settle(batch, true)
    if (batch.isSettled) return
    batch.succeed(baseOffset, logAppendTimeMs)
    this.#tell(batch, null)
  }

  #settle(batch: ProducerBatch, isStored: boolean, errorOf: (recordIndex: number) => KafkaError): void {
    batch.home.settle(batch, isStored)
    if (batch.isSettled) return
    batch.fail(errorOf)
    this.#tell(batch, errorOf(0))
  }

  #tell(batch: ProducerBatch, error: KafkaError | null): void {
    this.#events.settled(batch)
    if (!channels.produced.hasSubscribers) return
    const { topic, index: partition } = batch.home
    const durationMs = this.#cluster.clock.monotonic() - batch.openedAt
    channels.produced.publish({
      topic,
      partition,
      records: batch.count,
      bytes: batch.sizeBytes,
      durationMs,
      error,
    })
  }

  #fail(batch: ProducerBatch, error: KafkaError): void {
    this.#settle(batch, false, () => error)
  }

  /** Gives up what is overdue; returns when the next is. */
  #expire(partition: PartitionQueue, now: number): number {
    let next = Infinity
    for (const batch of partition.queue.filter((other) => other.deadline <= now))
      this.#fail(batch, this.#late(batch))
    for (const batch of partition.inFlight) {
      // Who waits is told now; the batch keeps its place until its answer comes, for it may be stored.
      if (batch.deadline <= now && !batch.isSettled) {
        const late = this.#late(batch)
        batch.fail(() => late)
        this.#tell(batch, late)
      } else if (!batch.isSettled) {
        next = Math.min(next, batch.deadline)
      }
    }
    return Math.min(next, partition.queue[0]?.deadline ?? Infinity)
  }

  #late(batch: ProducerBatch): TimedOut {
    const what = `delivery to ${batch.home.name}`
    return new TimedOut(what, this.#settings.deliveryTimeoutMs, { cause: batch.lastError ?? this.#lastFault })
  }

  #refresh(partition: PartitionQueue): void {
    if (this.#isRefreshing) return
    this.#isRefreshing = true
    const refreshed = this.#cluster.metadata.leader(partition.topic, partition.index).then(
      () => {},
      (cause: unknown) => this.#backOff(partition, asKafkaError(cause)),
    )
    void refreshed.finally(() => {
      this.#isRefreshing = false
      this.wake()
    })
  }

  #backOff(partition: PartitionQueue, error: KafkaError): void {
    this.#fault(error)
    partition.retryAt = this.#cluster.clock.monotonic() + this.#pauseAfter(partition, error)
    partition.failures++
  }

  #pauseAfter({ failures }: PartitionQueue, error: KafkaError): number {
    const { settings } = this.#cluster
    return pauseAfter(error, failures, settings, settings.transport.random)
  }

  #fault(error: KafkaError): void {
    this.#lastFault = error
    this.#cluster.forget(error)
    if (!this.#lifetime.isOver) {
      this.#cluster.settings.logger.debug({ code: error.code }, `producer: ${error.message}`)
    }
  }

  /** Without a producer id nothing idempotent can be sent, so a refusal fails what waits. */
  #name(): void {
    this.#identity.ask((error) => {
      if (error !== null) for (const batch of this.unsettled) this.#fail(batch, error)
      this.wake()
    })
  }

  /** A timer that fires too early is harmless, and cheaper than moving it with every drain. */
  #wakeAt(at: number, now: number): void {
    if (at >= this.#timerAt || this.#lifetime.isOver) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#lifetime.timer(Math.ceil(Math.max(0, at - now)), () => {
      this.#timer = null
      this.#timerAt = Infinity
      this.#drain()
    })
  }
}
