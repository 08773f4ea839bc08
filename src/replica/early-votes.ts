/**
 * Vote requests for replicas that are not here yet. When a topic is created its brokers open it at about the same moment, and whoever
 * is first stands for election at once: without this its request would be lost and the quorum without a leader until it asks again.
 *
 * Only requests, the newest of each candidate; no replica is made for them, and what is not asked for soon is forgotten.
 */
import type { VoteRequest } from '../raft/message.ts'

interface Early {
  readonly from: number
  readonly request: VoteRequest
  readonly atMs: number
}

export class EarlyVotes {
  readonly #replicasMax: number
  readonly #keepMs: number
  /** By replica, the one that heard a candidate last at the end. */
  readonly #byReplica = new Map<string, Early[]>()

  constructor(options: { replicasMax: number; keepMs: number }) {
    this.#replicasMax = options.replicasMax
    this.#keepMs = options.keepMs
  }

  keep(replica: string, from: number, request: VoteRequest, nowMs: number): void {
    const others = this.#byReplica.get(replica)?.filter((early) => early.from !== from) ?? []
    this.#byReplica.delete(replica)
    this.#forget(nowMs)
    this.#byReplica.set(replica, [...others, { from, request, atMs: nowMs }])
  }

  /** Those that still count, oldest first. Nothing is kept of them. */
  take(replica: string, nowMs: number): readonly Early[] {
    const early = this.#byReplica.get(replica) ?? []
    this.#byReplica.delete(replica)
    return early.filter((one) => this.#counts(one, nowMs))
  }

  /** Those that are too old, and the oldest when there are too many. */
  #forget(nowMs: number): void {
    for (const [replica, early] of this.#byReplica) {
      const isFull = this.#byReplica.size >= this.#replicasMax
      if (!isFull && early.some((one) => this.#counts(one, nowMs))) return
      this.#byReplica.delete(replica)
    }
  }

  #counts({ atMs }: Early, nowMs: number): boolean {
    return nowMs - atMs < this.#keepMs
  }
}
