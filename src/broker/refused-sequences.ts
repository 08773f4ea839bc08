/**
 * Keeps the order of an idempotent producer whose batch was refused for the moment (leadership moves, too much is uncommitted, too few
 * replicas keep up). What it has pipelined behind that batch is refused with the same error until the batch comes again:
 *
 * - nothing may be known of the producer, and of an unknown one any sequence may begin: its next batch would be taken, and the retry of
 *   the first would come behind it
 * - the refused batch may be in the log already, from an attempt whose answer was open; the next one would fit, and its success
 *   contradicts the refusal of the one before, which clients take for "not stored" (librdkafka gives up with a fatal error)
 *
 * A refusal for leadership counts for as long as what was pipelined may take to arrive: the batch may go to another broker next.
 */
import type { ErrorName } from '../base/error-codes.ts'
import * as batch from '../records/batch.ts'

interface Awaited {
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly code: ErrorName
  /** Of the leader that refused it; -1 when it did not lead. */
  readonly leaderEpoch: number
  readonly untilMs: number
}

/** When, and by whom: the leader epoch here, -1 while this replica does not lead. */
export interface Moment {
  readonly nowMs: number
  readonly leaderEpoch: number
}

/** Producers remembered; the oldest goes first. It takes more than this refused at once in one partition to lose one. */
const producersMax = 1000
const pipelinedMs = 1000

export class RefusedSequences {
  readonly #awaited = new Map<number, Awaited>()

  /** The batch was refused, and may come again. */
  refused(records: Buffer, code: ErrorName, { nowMs, leaderEpoch }: Moment): void {
    if (records.length < batch.batchHeaderSize) return
    const producerId = batch.producerId(records, 0)
    if (producerId < 0 || this.#find(producerId, { nowMs, leaderEpoch }) !== null) return
    if (this.#awaited.size >= producersMax) {
      const [oldest] = this.#awaited.keys()
      if (oldest !== undefined) this.#awaited.delete(oldest)
    }
    this.#awaited.set(producerId, {
      producerEpoch: batch.producerEpoch(records, 0),
      baseSequence: batch.baseSequence(records, 0),
      code,
      leaderEpoch,
      untilMs: code === 'NOT_LEADER_OR_FOLLOWER' ? nowMs + pipelinedMs : Infinity,
    })
  }

  /** What must come before this batch, and what that was refused with; null when the batch may be taken. */
  before(records: Buffer, moment: Moment): { readonly sequence: number; readonly code: ErrorName } | null {
    if (this.#awaited.size === 0) return null
    const awaited = this.#find(batch.producerId(records, 0), moment)
    if (awaited === null || awaited.producerEpoch !== batch.producerEpoch(records, 0)) return null
    const sequence = awaited.baseSequence
    return sequence === batch.baseSequence(records, 0) ? null : { sequence, code: awaited.code }
  }

  /** The batch has its place, now or already. */
  placed(records: Buffer): void {
    if (this.#awaited.size === 0) return
    const producerId = batch.producerId(records, 0)
    if (this.#awaited.get(producerId)?.baseSequence === batch.baseSequence(records, 0)) {
      this.#awaited.delete(producerId)
    }
  }

  #find(producerId: number, { nowMs, leaderEpoch }: Moment): Awaited | null {
    const awaited = this.#awaited.get(producerId)
    if (awaited === undefined) return null
    const isOver =
      nowMs > awaited.untilMs || (awaited.untilMs === Infinity && awaited.leaderEpoch !== leaderEpoch)
    if (!isOver) return awaited
    this.#awaited.delete(producerId)
    return null
  }
}
