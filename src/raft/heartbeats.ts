/**
 * How a leader shows that it lives, and how it knows that it still leads.
 *
 * The read barrier: a member that was deposed may not know it yet, and what it would answer may be old. So before an answer that must
 * not be old a majority has to answer a heartbeat that was sent after the question. Each round of heartbeats has a time of its own
 * (`sentMs` only rises), so that answers to an earlier round can never confirm a later question.
 * Quiet: a follower for which nothing is under way gets the leader's word that it leads this epoch, and gives its own that it follows;
 * from then on pulses between the two brokers stand for their heartbeats and answers, as many quorums as they may share (see
 * replica/pulses.ts). The word is given in a session of the broker, which ends when a member cannot stand by it; a pulse of that
 * session is therefore as true as a heartbeat, or an answer, of the quorum itself would be. A follower that gets something to do
 * gets heartbeats, too. (CockroachDB's quiescence, TiKV's hibernation.)
 * @source thesis 6.2 (check-quorum), 6.4 (ReadIndex); etcd issue 20418
 */
import type { HeartbeatReply } from './message.ts'
import type { Progress } from './progress.ts'
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
  /** Some follower has the leader's word of this session. */
  #hasPledged = false

  constructor(state: State<Entries>, replication: Replication<Entries>, nowMs: number) {
    this.#state = state
    this.#replication = replication
    this.#sentMs = nowMs
    this.#dueMs = nowMs + state.settings.heartbeatMs
  }

  get hasPledged(): boolean {
    return this.#hasPledged
  }

  /** When the next round is due; Infinity: when all are quiet. */
  get dueMs(): number {
    if (this.#isConfirming && this.#replication.followers.size > 0) return this.#dueMs
    let dueMs = Infinity
    for (const { isQuiet, nextBeatMs } of this.#replication.followers.values()) {
      if (!isQuiet) dueMs = Math.min(dueMs, Math.max(this.#dueMs, nextBeatMs))
    }
    return dueMs
  }

  /** To everybody who receives the log and is not quiet; now and then only to whom nobody answers for. */
  beat(nowMs: number): void {
    const { settings, epoch, extents, highWatermark, pulses } = this.#state
    this.#dueMs = nowMs + settings.heartbeatMs
    this.#sentMs = Math.max(nowMs, this.#sentMs + instantMs)
    for (const [peer, progress] of this.#replication.followers) {
      if (!this.#isConfirming && (progress.isQuiet || nowMs < progress.nextBeatMs)) continue
      const isMissing =
        nowMs - progress.contactMs >= settings.electionTimeoutMs && pulses.isMissing(peer, nowMs)
      progress.nextBeatMs = isMissing ? nowMs + settings.electionTimeoutMs / 2 : -Infinity
      progress.toldHighWatermark = highWatermark
      progress.mark(extents.end, nowMs)
      const session = progress.isSettled(extents.end, highWatermark) ? pulses.sessionWith(peer) : 0
      progress.told(this.#sentMs, session !== 0)
      if (session !== 0) this.#hasPledged = true
      this.#state.send(peer, { type: 'heartbeat', epoch, sentMs: this.#sentMs, highWatermark, session })
    }
  }

  /** What the answer says of the log is known already. */
  answered(from: number, { sentMs, session }: HeartbeatReply): void {
    const { extents, highWatermark } = this.#state
    const progress = this.#replication.followers.get(from)
    progress?.answered(sentMs)
    if (session !== 0 && progress?.isSettled(extents.end, highWatermark) === true) progress.rest(sentMs)
  }

  peerWell(peer: number): void {
    const progress = this.#replication.followers.get(peer)
    if (progress !== undefined) progress.nextBeatMs = -Infinity
  }

  peerUnwell(peer: number, contactMs: number): void {
    this.#replication.followers.get(peer)?.wake(contactMs)
  }

  /** All are told anew. */
  renounced(): void {
    this.#hasPledged = false
    for (const [peer, progress] of this.#replication.followers)
      progress.wake(this.#state.pulses.contactMs(peer))
  }

  /** Time goes on. */
  passed(nowMs: number): void {
    for (const progress of this.#replication.followers.values()) progress.passed(nowMs)
  }

  /** A majority has answered a heartbeat that was sent then. */
  contactMs(nowMs: number): number {
    return this.#reached(nowMs, ({ contactMs, isQuiet }) => (isQuiet ? nowMs : contactMs))
  }

  /** Questions have rising numbers; see `Ready.confirmed`. */
  ask(question: number): void {
    this.#asked = question
  }

  /** At the end of a turn: is the round answered, and is another needed? One at a time. */
  flush(nowMs: number): void {
    this.#maybeConfirm()
    if (this.#isConfirming || this.#asked <= this.#round.asked) return
    this.#round = { asked: this.#asked, sentMs: this.#sentMs + instantMs }
    this.beat(nowMs)
    this.#maybeConfirm()
  }

  /** A round of heartbeats is under way, in which everybody is asked. */
  get #isConfirming(): boolean {
    return this.#round.sentMs < Infinity
  }

  #maybeConfirm(): void {
    if (!this.#isConfirming) return
    const { asked, sentMs } = this.#round
    // (Until a follower has answered, its `contactMs` is only when it was first followed.)
    if (this.#reached(Infinity, ({ answeredMs }) => answeredMs) < sentMs) return
    this.#round = { asked, sentMs: Infinity }
    this.#state.confirm(asked)
  }

  #reached(ownMs: number, of: (follower: Progress) => number): number {
    const { id, membership } = this.#state
    return reached(membership, (voter) => {
      if (voter === id) return ownMs
      const progress = this.#replication.followers.get(voter)
      return progress === undefined || this.#state.isEstranged(voter) ? -Infinity : of(progress)
    })
  }
}
