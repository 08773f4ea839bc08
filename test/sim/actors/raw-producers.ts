/**
 * Producers of bytes, for what no library does: the same batch again after it was acknowledged, damaged batches, acks=0 and 1
 * without any retry.
 */
import { errorName } from '../../../src/base/error-codes.ts'
import type { SeededRandom } from '../../../src/embedded/seeded-random.ts'
import { InitProducerId } from '../../../src/protocol/apis/init-producer-id.ts'
import { Produce } from '../../../src/protocol/apis/produce.ts'
import { BatchBuilder } from '../../../src/records/records.ts'
import type { Outcome } from '../checker/history.ts'
import { ClusterClient } from '../cluster-client.ts'
import { keyOf, type Place, pick, type Stage, sleep } from '../stage.ts'

/** Refusals after which the batch is certainly not stored. */
const definite = new Set([
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'CORRUPT_MESSAGE',
  'INVALID_TIMESTAMP',
  'NOT_ENOUGH_REPLICAS',
  'MESSAGE_TOO_LARGE',
])

interface Identity {
  readonly producerId: number
  readonly epoch: number
  readonly sequences: Map<string, number>
}

interface Answer {
  /** null: none. */
  readonly error: string | null
  readonly baseOffset: number
}

interface Batch {
  readonly place: Place
  readonly values: readonly string[]
  readonly bytes: Buffer
}

export async function produceRaw(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const producer = new RawProducer(stage, name, random)
  const style = pick(['idempotent', 'idempotent', 'plain', 'leader', 'nobody'] as const, random)
  while (!stage.isOver) {
    if (style === 'idempotent') await producer.sendOnce()
    else await producer.sendPlain(style === 'plain' ? -1 : style === 'leader' ? 1 : 0)
    await sleep(stage, random.below(60))
  }
  producer.close()
}

class RawProducer {
  readonly #stage: Stage
  readonly #name: string
  readonly #random: SeededRandom
  readonly #client: ClusterClient
  /** Over connections of its own. */
  readonly #other: ClusterClient
  #identity: Identity | null = null

  constructor(stage: Stage, name: string, random: SeededRandom) {
    this.#stage = stage
    this.#name = name
    this.#random = random
    this.#client = new ClusterClient(stage, name)
    this.#other = new ClusterClient(stage, `${name} again`)
  }

  close(): void {
    this.#client.close()
    this.#other.close()
  }

  /** One attempt. */
  async sendPlain(acks: -1 | 0 | 1): Promise<void> {
    const batch = this.#batch(null)
    const isDamaged = this.#random.chance(0.05)
    if (isDamaged) batch.bytes[batch.bytes.length - 1] = (batch.bytes.at(-1) ?? 0) ^ 1
    const finish = this.#begin(batch, acks, false)
    if (acks === 0) {
      const leader = await this.#client.leader(batch.place)
      await leader?.client.tell(Produce, requestOf(batch, acks))
      if (this.#random.chance(0.1)) this.#client.misled(batch.place)
      finish('info', null)
      return
    }
    const { error, baseOffset } = await this.#ask(batch, acks)
    if (isDamaged && error === 'NONE') this.#stage.recorder.violate('a damaged batch was stored')
    if (error === 'NONE') finish('ok', baseOffset)
    else finish(error !== null && definite.has(error) ? 'fail' : 'info', null)
  }

  /** As often as it takes, and now and then once more than it takes. */
  async sendOnce(): Promise<void> {
    const identity = await this.#identify()
    if (identity === null) return
    const batch = this.#batch(identity)
    const { recorder } = this.#stage
    const finish = this.#begin(batch, -1, true)
    for (let attempt = 1; ; attempt++) {
      const isDoubled = this.#random.chance(0.2)
      const { error, baseOffset } = isDoubled ? await this.#askTwice(batch) : await this.#ask(batch, -1)
      if (error === 'NONE') {
        if (attempt > 1) recorder.mark('batch acknowledged at a later attempt')
        finish('ok', baseOffset)
        await this.#maybeRepeat(batch, baseOffset)
        return
      }
      recorder.mark(`produce ${error}`)
      if (this.#isHopeless(error, batch, attempt) || this.#stage.isOver) {
        // Sent twice at once: one may be refused and the other stored.
        const isDefinite = attempt === 1 && !isDoubled && error !== null && definite.has(error)
        finish(isDefinite ? 'fail' : 'info', null)
        // Whether its sequence is taken is not known: another name begins anew.
        this.#identity = null
        return
      }
      await sleep(this.#stage, 20 + this.#random.below(100))
    }
  }

  #isHopeless(error: string | null, { place }: Batch, attempt: number): boolean {
    if (error === 'INVALID_TIMESTAMP') return true
    if (error !== 'OUT_OF_ORDER_SEQUENCE_NUMBER' && error !== 'INVALID_PRODUCER_EPOCH') return false
    // A leader that does not know yet that it is none has not seen what came before.
    if (attempt < 20 && this.#stage.plan.brokers.length > 1) return false
    const { recorder } = this.#stage
    // A topic that is not synced may have lost the batch before.
    if (!recorder.unsynced.has(keyOf(place)))
      recorder.violate(`${error} to a producer that sent everything in order`)
    return true
  }

  async #maybeRepeat(batch: Batch, baseOffset: number): Promise<void> {
    if (!this.#random.chance(0.2)) return
    const { recorder } = this.#stage
    const again = await this.#ask(batch, -1)
    if (again.error !== 'NONE') return
    recorder.mark('acknowledged batch sent again')
    if (again.baseOffset !== baseOffset && !recorder.unsynced.has(keyOf(batch.place)))
      recorder.violate(`a batch at ${baseOffset} was acknowledged again at ${again.baseOffset}`)
  }

  async #identify(): Promise<Identity | null> {
    if (this.#identity !== null) return this.#identity
    const request = { transactionalId: null, transactionTimeoutMs: 0 }
    const answer = await this.#client.any().ask(InitProducerId, request)
    if (answer === null || answer.errorCode !== 0) return null
    this.#identity = { producerId: answer.producerId, epoch: answer.producerEpoch, sequences: new Map() }
    return this.#identity
  }

  #batch(identity: Identity | null): Batch {
    const random = this.#random
    const place = pick(this.#stage.places, random)
    const values = Array.from({ length: 1 + random.below(4) }, () => this.#stage.nextValue())
    const codec = pick(this.#stage.plan.clients.codecs, random)
    const sequence = identity?.sequences.get(keyOf(place)) ?? 0
    const builder = new BatchBuilder({
      codec,
      ...(identity !== null && {
        producerId: identity.producerId,
        producerEpoch: identity.epoch,
        baseSequence: sequence,
      }),
    })
    const timestamp = this.#stage.clock.now()
    for (const value of values) {
      const content = value.padEnd(value.length + random.below(300), '.')
      builder.append({ timestamp, key: null, value: Buffer.from(content), headers: [] })
    }
    identity?.sequences.set(keyOf(place), sequence + values.length)
    return { place, values, bytes: builder.build() }
  }

  #begin(
    batch: Batch,
    acks: -1 | 0 | 1,
    isOrdered: boolean,
  ): (outcome: Outcome, base: number | null) => void {
    const { recorder, clock } = this.#stage
    const key = keyOf(batch.place)
    const beganMs = clock.monotonic()
    const begun = batch.values.map(() => recorder.begin(this.#name))
    return (outcome, base) => {
      for (const [i, value] of batch.values.entries()) {
        const offset = base === null || base < 0 ? null : base + i
        begun[i]?.end(outcome, { kind: 'send', key, value, acks, isOrdered, beganMs, offset })
      }
    }
  }

  /** The same over two connections at once, as somebody does whose first one stalls: either answer will do. */
  async #askTwice(batch: Batch): Promise<Answer> {
    const answers = await Promise.all([this.#ask(batch, -1), this.#ask(batch, -1, this.#other)])
    const [first, second] = answers.filter(({ error }) => error === 'NONE')
    const isKept = !this.#stage.recorder.unsynced.has(keyOf(batch.place))
    if (isKept && second !== undefined && second.baseOffset !== first?.baseOffset)
      this.#stage.recorder.violate(`a batch lies at ${first?.baseOffset} and at ${second.baseOffset}`)
    return first ?? answers[0]
  }

  async #ask(batch: Batch, acks: -1 | 0 | 1, client = this.#client): Promise<Answer> {
    const leader = await client.leader(batch.place)
    if (leader === null) return { error: 'LEADER_NOT_AVAILABLE', baseOffset: -1 }
    const answer = await leader.client.ask(Produce, requestOf(batch, acks))
    const row = answer?.responses[0]?.partitionResponses[0]
    if (row?.errorCode !== 0) client.misled(batch.place)
    return row === undefined
      ? { error: null, baseOffset: -1 }
      : { error: errorName(row.errorCode), baseOffset: row.baseOffset }
  }
}

function requestOf({ place, bytes }: Batch, acks: number) {
  return {
    transactionalId: null,
    acks,
    timeoutMs: 800,
    // The net may still hold what was sent before: never the same buffer twice.
    topicData: [
      { name: place.topic, partitionData: [{ index: place.partition, records: [Buffer.from(bytes)] }] },
    ],
  }
}
