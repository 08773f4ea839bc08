/** The producer id that makes retries exact (KIP-98): asked for when first needed, and again when its epochs are used up. */
import { InitProducerId } from '../src/protocol/apis/init-producer-id.ts'
import type { Cluster } from './cluster.ts'
import { asKafkaError, type KafkaError, refused } from './errors.ts'
import type { Identity } from './producer-batch.ts'

export class ProducerIdentity {
  readonly #cluster: Cluster
  readonly #timeoutMs: number
  #current: Identity | null = null
  #isAsking = false

  constructor(cluster: Cluster, timeoutMs: number) {
    this.#cluster = cluster
    this.#timeoutMs = timeoutMs
  }

  /** null until the first answer. */
  get current(): Identity | null {
    return this.#current
  }

  /** Gets a new one; `done` hears null, or the error that makes it hopeless. One question at a time. */
  ask(done: (error: KafkaError | null) => void): void {
    if (this.#isAsking) return
    this.#isAsking = true
    const settle = (error: KafkaError | null): void => {
      this.#isAsking = false
      done(error)
    }
    this.#cluster
      .retry('a producer id', () => this.#request())
      .then(
        () => settle(null),
        (cause: unknown) => settle(asKafkaError(cause)),
      )
  }

  async #request(): Promise<void> {
    const request = { transactionalId: null, transactionTimeoutMs: this.#timeoutMs }
    const response = await this.#cluster.request('any', InitProducerId, request)
    if (response.errorCode !== 0) throw refused(response.errorCode, 'producer id')
    this.#current = { producerId: response.producerId, epoch: response.producerEpoch }
  }
}
