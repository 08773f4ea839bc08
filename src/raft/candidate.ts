/**
 * Asks for votes: first whether it would get them (pre-vote, which changes nothing anywhere), then for real.
 * One instance is one election; its answers die with it.  @source Raft 5.2, thesis 9.6
 */
import { members } from './membership.ts'
import type { Message } from './message.ts'
import { tally } from './quorum.ts'
import type { Campaign, Role, Transitions } from './role.ts'
import type { State } from './state.ts'

export class Candidate<Entries> implements Role<Entries> {
  readonly name = 'candidate'
  readonly leaderId = -1
  readonly deadlineMs: number
  readonly #state: State<Entries>
  readonly #transitions: Transitions
  readonly #preVote: boolean
  readonly #answers = new Map<number, boolean>()

  /** For a real vote, the state has entered the new epoch and voted for itself already. */
  constructor(state: State<Entries>, transitions: Transitions, kind: Campaign, nowMs: number) {
    this.#state = state
    this.#transitions = transitions
    this.#preVote = kind === 'preVote'
    this.deadlineMs = nowMs + state.electionDelayMs()
    const request: Message<Entries> = {
      type: 'voteRequest',
      epoch: this.#preVote ? state.epoch + 1 : state.epoch,
      preVote: this.#preVote,
      transfer: kind === 'transfer',
      lastEpoch: state.extents.lastEpoch,
      endPosition: state.extents.end,
    }
    for (const voter of members(state.membership)) {
      if (voter === state.id) continue
      if (this.#preVote) state.send(voter, request)
      else state.promise(voter, request)
    }
    // Its own real vote counts when it is durable, like anybody's.
    if (this.#preVote) this.#answers.set(state.id, true)
    // (Who is about to leave may stand, and does not count for itself.)
  }

  hasLeader(): boolean {
    return false
  }

  tick(nowMs: number): void {
    if (nowMs >= this.deadlineMs) this.#transitions.campaign('preVote', nowMs)
  }

  receive(from: number, message: Message<Entries>, nowMs: number): void {
    // A late answer of the pre-vote must not count as a vote, nor the other way round.
    if (message.type !== 'voteReply' || message.preVote !== this.#preVote) return
    this.#answer(from, message.granted, nowMs)
  }

  /** This member's own ballot is durable. */
  balloted(nowMs: number): void {
    if (!this.#preVote) this.#answer(this.#state.id, true, nowMs)
  }

  durable(): void {}
  flush(): void {}

  #answer(from: number, granted: boolean, nowMs: number): void {
    // A voter whose disk was wiped has forgotten what it promised.
    if (this.#state.isEstranged(from)) return
    this.#answers.set(from, granted)
    const outcome = tally(this.#state.membership, this.#answers)
    if (outcome === 'lost') this.#transitions.follow(this.#state.epoch, -1, nowMs)
    else if (outcome === 'won' && this.#preVote) this.#transitions.campaign('vote', nowMs)
    else if (outcome === 'won') this.#transitions.lead(nowMs)
  }
}
