/**
 * How a leader shows that it lives, and how it knows that it still leads.
 *
 * The read barrier: a member that was deposed may not know it yet, and what it would answer may be old. So before an answer that must
 * not be old a majority has to answer a heartbeat that was sent after the question. Each round of heartbeats has a time of its own
 * (`sentMs` only rises), so that answers to an earlier round can never confirm a later question.
 * @source thesis 6.2 (check-quorum), 6.4 (ReadIndex); etcd issue 20418
 */
import { reached } from './quorum.ts'
import type { Replication } from './replication.ts'
import type { State } from './state.ts'

/** Two rounds in the same instant are told apart by this. */
const instantMs = 0.001

export class Heartbeats<Entries> {
  readonly #state: State<Entries>
  readonly #replication: Replication<Entries>
  #dueMs: number
  #sentMs: number
  /** The newest question, and the newest of those that the round under way will answer. -1: none. */
  #asked = -1
  #round = { asked: -1, sentMs: Infinity }

  constructor(state: State<Entries>, replication: Replication<Entries>, nowMs: number) {
    this.#state = state
    this.#replication = replication
    this.#sentMs = nowMs
    this.#dueMs = nowMs + state.settings.heartbeatMs
  }

  /** When the next round is due. */
  get dueMs(): number {
    return this.#replication.followers.size === 0 ? Infinity : this.#dueMs
  }

  /** To everybody who receives the log. */
  beat(nowMs: number): void {
    const { settings, epoch, extents, highWatermark } = this.#state
    this.#dueMs = nowMs + settings.heartbeatMs
    this.#sentMs = Math.max(nowMs, this.#sentMs + instantMs)
    const message = { type: 'heartbeat', epoch, sentMs: this.#sentMs, highWatermark } as const
    for (const [peer, progress] of this.#replication.followers) {
      progress.toldHighWatermark = highWatermark
      progress.mark(extents.end, nowMs)
      this.#state.send(peer, message)
    }
  }

  /** A majority has answered a heartbeat that was sent then. */
  contactMs(nowMs: number): number {
    return this.#reached(nowMs, ({ contactMs }) => contactMs)
  }

  /** Questions have rising numbers; see `Ready.confirmed`. */
  ask(question: number): void {
    this.#asked = question
  }

  /** At the end of a turn: is the round answered, and is another needed? One at a time. */
  flush(nowMs: number): void {
    this.#maybeConfirm()
    if (this.#round.sentMs < Infinity || this.#asked <= this.#round.asked) return
    this.beat(nowMs)
    this.#round = { asked: this.#asked, sentMs: this.#sentMs }
    this.#maybeConfirm()
  }

  #maybeConfirm(): void {
    const { asked, sentMs } = this.#round
    // (Until a follower has answered, its `contactMs` is only when it was first followed.)
    if (this.#reached(Infinity, ({ answeredMs }) => answeredMs) < sentMs) return
    this.#round = { asked, sentMs: Infinity }
    this.#state.confirm(asked)
  }

  #reached(ownMs: number, of: (follower: { contactMs: number; answeredMs: number }) => number): number {
    const { id, membership } = this.#state
    return reached(membership, (voter) => {
      if (voter === id) return ownMs
      const progress = this.#replication.followers.get(voter)
      return progress === undefined || this.#state.isEstranged(voter) ? -Infinity : of(progress)
    })
  }
}
