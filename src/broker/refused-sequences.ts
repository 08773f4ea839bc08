/**
 * Keeps the order of a producer whose first batch was refused for the moment (too much is uncommitted, leadership moves).
 *
 * Nothing is known of such a producer, and of an unknown producer any sequence may begin (its state may have expired); so its next
 * pipelined batch would be taken, and the retry of the first would come behind it. Until the refused sequence comes again, later
 * ones are out of order, which idempotent producers retry in their order. A producer that is known needs none of this: a gap shows.
 */
import * as batch from '../records/batch.ts'

interface Awaited {
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Producers remembered; the oldest goes first. It takes more than this refused at once in one partition to lose one. */
const producersMax = 1000

export class RefusedSequences {
  readonly #awaited = new Map<number, Awaited>()

  /** The batch was refused, and may come again. */
  refused(records: Buffer): void {
    const producerId = batch.producerId(records, 0)
    if (producerId < 0 || this.#awaited.has(producerId)) return
    if (this.#awaited.size >= producersMax) {
      const [oldest] = this.#awaited.keys()
      if (oldest !== undefined) this.#awaited.delete(oldest)
    }
    this.#awaited.set(producerId, {
      producerEpoch: batch.producerEpoch(records, 0),
      baseSequence: batch.baseSequence(records, 0),
    })
  }

  /** The sequence that must come before this batch, or null when it may be taken. */
  awaitedBefore(records: Buffer): number | null {
    if (this.#awaited.size === 0) return null
    const awaited = this.#awaited.get(batch.producerId(records, 0))
    if (awaited === undefined || awaited.producerEpoch !== batch.producerEpoch(records, 0)) return null
    return awaited.baseSequence === batch.baseSequence(records, 0) ? null : awaited.baseSequence
  }

  /** The batch has its place: its producer is known now. */
  placed(records: Buffer): void {
    if (this.#awaited.size > 0) this.#awaited.delete(batch.producerId(records, 0))
  }
}
