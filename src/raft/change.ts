/**
 * A change of voters before it is in the log: newcomers are brought up to date in rounds, and count only when a round was short
 * enough that nobody will miss them for long.  @source thesis 4.2.1
 */

interface Round {
  readonly target: number
  readonly sinceMs: number
}

export class Change {
  readonly voters: readonly number[]
  /** Newcomers that are not there yet. */
  readonly #rounds = new Map<number, Round>()
  readonly #roundMsMax: number

  constructor(options: {
    voters: readonly number[]
    newcomers: readonly number[]
    end: number
    nowMs: number
    roundMsMax: number
  }) {
    this.voters = options.voters
    this.#roundMsMax = options.roundMsMax
    for (const newcomer of options.newcomers) {
      this.#rounds.set(newcomer, { target: options.end, sinceMs: options.nowMs })
    }
  }

  get isCaughtUp(): boolean {
    return this.#rounds.size === 0
  }

  /** That follower holds everything below `durable`; the log ends at `end` now. */
  advanced(follower: number, durable: number, end: number, nowMs: number): void {
    const round = this.#rounds.get(follower)
    if (round === undefined || durable < round.target) return
    if (nowMs - round.sinceMs < this.#roundMsMax) this.#rounds.delete(follower)
    else this.#rounds.set(follower, { target: end, sinceMs: nowMs })
  }
}
