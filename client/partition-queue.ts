/**
 * The batches of one partition, from the first record to the last answer, and the numbering that makes retries exact.
 *
 *   queue      batches not on the wire, oldest first; the last one may still be open for records
 *   inFlight   batches on the wire, oldest first, all to the same broker
 *
 * Three rules keep order and exactness (KIP-98):
 * - A batch keeps its identity and sequence through every retry, until the broker has definitely refused them: a broker
 *   that stored it before recognises it and answers with its place.
 * - When a batch comes back, nothing is sent until all that was in flight has come back too; then all go again, in order.
 * - When the broker finds a gap before the oldest batch that is not settled, what is missing was given up (it had timed out,
 *   or was refused). Nothing from that batch on can have been stored under the old epoch, so all is numbered anew from 0
 *   under the next epoch (KIP-360).
 */
import type { Identity, ProducerBatch } from './producer-batch.ts'

const epochMax = 32767
const sequenceModulus = 0x80000000

export class PartitionQueue {
  readonly topic: string
  readonly index: number
  /** For sentences. */
  readonly name: string
  queue: ProducerBatch[] = []
  inFlight: ProducerBatch[] = []
  /** The broker that has what is in flight; -1 when nothing is. */
  inFlightNode = -1
  /** Not to be sent before, monotonic ms. */
  retryAt = 0
  failures = 0
  /** Of the batch that was sent last: the next one may become as large. */
  lastBytes = 0
  #isRecovering = false
  #hasGap = false
  #identity: Identity | null = null
  #nextSequence = 0
  #order = 0

  constructor(topic: string, index: number) {
    this.topic = topic
    this.index = index
    this.name = `partition ${topic}-${index}`
  }

  nextOrder(): number {
    return this.#order++
  }

  /** The batch that takes records, or undefined. */
  get open(): ProducerBatch | undefined {
    const last = this.queue[this.queue.length - 1]
    return last?.isClosed === false ? last : undefined
  }

  get isIdle(): boolean {
    return this.queue.length === 0 && this.inFlight.length === 0
  }

  /** May a batch go to `nodeId` now? */
  maySend(nodeId: number, now: number, inFlightMax: number): boolean {
    if (this.queue.length === 0 || now < this.retryAt) return false
    if (this.inFlight.length === 0) return true
    return (
      !this.#isRecovering &&
      !this.#hasGap &&
      this.inFlightNode === nodeId &&
      this.inFlight.length < inFlightMax
    )
  }

  /** True when the numbering is used up: a new producer id is needed before anything is sent. */
  needsIdentity(current: Identity | null): boolean {
    if (current === null) return true
    const own = this.#identity
    return this.#hasGap && own !== null && own.epoch >= epochMax && own.producerId === current.producerId
  }

  /** Takes the oldest batch for the wire. `current` is the producer's identity, null without idempotence. */
  take(nodeId: number, current: Identity | null): ProducerBatch | undefined {
    if (this.inFlight.length === 0) {
      this.#isRecovering = false
      if (current !== null) this.#renumber(current)
    }
    const batch = this.queue.shift()
    if (batch === undefined) return undefined
    if (batch.sequence < 0 && this.#identity !== null) {
      batch.sequenceAs(this.#identity, this.#nextSequence)
      this.#nextSequence = (this.#nextSequence + batch.count) % sequenceModulus
    }
    this.inFlight.push(batch)
    this.inFlightNode = nodeId
    this.lastBytes = batch.sizeBytes
    return batch
  }

  /** The broker has it, or it is given up. `isStored` false: the broker has definitely not stored it. */
  settle(batch: ProducerBatch, isStored: boolean): void {
    this.#remove(batch)
    if (isStored) {
      this.failures = 0
      return
    }
    // Its numbers can be used again when nobody behind it has any; else the broker will find a gap.
    const isLast = this.inFlight.length === 0 && this.queue.every((other) => other.sequence < 0)
    if (isLast && batch.sequence >= 0 && !batch.mayBeStored) this.#nextSequence = batch.sequence
  }

  /** It goes again. */
  putBack(batch: ProducerBatch, retryAt: number): void {
    this.#remove(batch)
    this.#insert(batch)
    this.#isRecovering = true
    this.retryAt = Math.max(this.retryAt, retryAt)
    this.failures++
  }

  /** In place of one that was too large. */
  replace(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    this.#remove(batch)
    let sequence = batch.sequence
    for (const part of parts) {
      if (sequence >= 0) {
        part.sequenceAs(batch.identity, sequence)
        sequence = (sequence + part.count) % sequenceModulus
      }
      part.isClosed = true
      this.#insert(part)
    }
    this.#isRecovering = true
  }

  /** The broker says that something before `batch` is missing. */
  reportGap(batch: ProducerBatch): void {
    const isOldest = (other: ProducerBatch): boolean => other === batch || other.order > batch.order
    if (this.inFlight.every(isOldest) && this.queue.every(isOldest)) this.#hasGap = true
  }

  #renumber(current: Identity): void {
    const own = this.#identity
    if (own === null) {
      this.#identity = current
    } else if (this.#hasGap) {
      this.#identity = own.producerId === current.producerId ? { ...own, epoch: own.epoch + 1 } : current
    } else {
      return
    }
    this.#hasGap = false
    this.#nextSequence = 0
    for (const batch of this.queue) batch.sequenceAs(null, -1)
  }

  #remove(batch: ProducerBatch): void {
    const flying = this.inFlight.indexOf(batch)
    if (flying >= 0) this.inFlight.splice(flying, 1)
    else this.queue = this.queue.filter((other) => other !== batch)
    if (this.inFlight.length === 0) this.inFlightNode = -1
  }

  #insert(batch: ProducerBatch): void {
    const at = this.queue.findIndex((other) => other.order > batch.order)
    if (at < 0) this.queue.push(batch)
    else this.queue.splice(at, 0, batch)
  }
}
