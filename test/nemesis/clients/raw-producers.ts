/**
 * Producers of bytes, whose retries are ours: the same batch until it is acknowledged, now and then once more than it takes
 * (idempotent, acks=all); or one attempt and no more (acks=1).
 */

import type { Cluster } from '../../../client/cluster.ts'
import { asKafkaError, ClientClosed } from '../../../client/errors.ts'
import { errorName } from '../../../src/base/error-codes.ts'
import { InitProducerId } from '../../../src/protocol/apis/init-producer-id.ts'
import { Produce } from '../../../src/protocol/apis/produce.ts'
import { BatchBuilder } from '../../../src/records/records.ts'
import type { Outcome } from '../../sim/checker/history.ts'
import { keyOf, type Place, pick, type Stage, sleep } from '../stage.ts'

interface Identity {
  readonly producerId: number
  readonly epoch: number
  readonly sequences: Map<string, number>
}

interface Batch {
  readonly place: Place
  readonly values: readonly string[]
  readonly bytes: Buffer
}

/** error null: no answer. */
interface Answer {
  readonly error: string | null
  readonly baseOffset: number
}

export interface RawPace {
  readonly acks: 1 | -1
  readonly pauseMs: number
  /** Absent: all places in turn, by chance. */
  readonly place?: Place
}

const produceVersion = 9
const retryMs = 20
const requestTimeoutMs = 1500

export async function produceRaw(stage: Stage, name: string, pace: RawPace): Promise<void> {
  const cluster = stage.cluster.client(name)
  const places = pace.place === undefined ? stage.places : [pace.place]
  const producer = new RawProducer(stage, name, cluster, places)
  while (!stage.isOver) {
    await (pace.acks === 1 ? producer.sendForLeader() : producer.sendOnce())
    await sleep(pace.pauseMs)
  }
  cluster.lifetime.end(new ClientClosed(name))
}

class RawProducer {
  readonly #stage: Stage
  readonly #name: string
  readonly #cluster: Cluster
  readonly #places: readonly Place[]
  #identity: Identity | null = null

  constructor(stage: Stage, name: string, cluster: Cluster, places: readonly Place[]) {
    this.#stage = stage
    this.#name = name
    this.#cluster = cluster
    this.#places = places
  }

  /** acks=1, one attempt. */
  async sendForLeader(): Promise<void> {
    const batch = this.#batch(null)
    const end = this.#begin(batch, 1, false)
    const { error, baseOffset } = await this.#ask(batch, 1)
    if (error === 'NONE') end('ok', baseOffset)
    else end('info', null)
  }

  /** acks=all, idempotent, as often as it takes. */
  async sendOnce(): Promise<void> {
    const identity = await this.#identify()
    if (identity === null) return
    const { recording } = this.#stage
    const batch = this.#batch(identity)
    const end = this.#begin(batch, -1, true)
    for (;;) {
      const { error, baseOffset } = await this.#ask(batch, -1)
      if (error === 'NONE') {
        end('ok', baseOffset)
        if (Math.random() < 0.1) await this.#repeat(batch, baseOffset)
        return
      }
      if (error === 'OUT_OF_ORDER_SEQUENCE_NUMBER' || error === 'INVALID_PRODUCER_EPOCH')
        recording.violate(`${error} to a producer that sent everything in order (${keyOf(batch.place)})`)
      else if (!this.#stage.isOver) {
        await sleep(retryMs)
        continue
      }
      end('info', null)
      // Whether its sequence is taken is not known: another name begins anew.
      this.#identity = null
      return
    }
  }

  async #repeat(batch: Batch, baseOffset: number): Promise<void> {
    const again = await this.#ask(batch, -1)
    // -1: it knows the batch, and not its place any more, as Kafka's brokers may.
    if (again.error !== 'NONE' || again.baseOffset === baseOffset || again.baseOffset === -1) return
    this.#stage.recording.violate(`a batch at ${baseOffset} was acknowledged again at ${again.baseOffset}`)
  }

  async #identify(): Promise<Identity | null> {
    if (this.#identity !== null) return this.#identity
    try {
      const request = { transactionalId: null, transactionTimeoutMs: 0 }
      const {
        errorCode,
        producerId,
        producerEpoch: epoch,
      } = await this.#cluster.request('any', InitProducerId, request)
      if (errorCode === 0) this.#identity = { producerId, epoch, sequences: new Map() }
    } catch {
      await sleep(retryMs)
    }
    return this.#identity
  }

  #batch(identity: Identity | null): Batch {
    const place = pick(this.#places)
    const key = keyOf(place)
    const values = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => this.#stage.nextValue())
    const baseSequence = identity?.sequences.get(key) ?? 0
    const own =
      identity === null
        ? {}
        : { producerId: identity.producerId, producerEpoch: identity.epoch, baseSequence }
    const builder = new BatchBuilder({ codec: 'none', ...own })
    for (const value of values)
      builder.append({ timestamp: Date.now(), key: null, value: Buffer.from(value), headers: [] })
    identity?.sequences.set(key, baseSequence + values.length)
    return { place, values, bytes: builder.build() }
  }

  #begin(batch: Batch, acks: 1 | -1, isOrdered: boolean): (outcome: Outcome, base: number | null) => void {
    const key = keyOf(batch.place)
    const ends = batch.values.map(() => this.#stage.recording.begin(this.#name))
    return (outcome, base) => {
      for (const [i, value] of batch.values.entries()) {
        const offset = base === null || base < 0 ? null : base + i
        ends[i]?.(outcome, { kind: 'send', key, value, acks, isOrdered, beganMs: 0, offset })
      }
    }
  }

  async #ask({ place, bytes }: Batch, acks: 1 | -1): Promise<Answer> {
    const cluster = this.#cluster
    try {
      const { leader } = await cluster.metadata.leader(place.topic, place.partition)
      const partitionData = [{ index: place.partition, records: [bytes] }]
      const topicData = [{ name: place.topic, partitionData }]
      const request = { transactionalId: null, acks, timeoutMs: requestTimeoutMs, topicData }
      const options = { timeoutMs: requestTimeoutMs, cap: produceVersion }
      const answer = await cluster.request(leader, Produce, request, options)
      const row = answer.responses[0]?.partitionResponses[0]
      if (row === undefined) return { error: null, baseOffset: -1 }
      const error = errorName(row.errorCode)
      if (error !== 'NONE') cluster.metadata.invalidate()
      return { error, baseOffset: row.baseOffset }
    } catch (error) {
      cluster.forget(asKafkaError(error))
      cluster.metadata.invalidate()
      return { error: null, baseOffset: -1 }
    }
  }
}
