/**
 * Turns of the event loop, in shares. In one turn a connection starts so many requests and reads so many bytes, and all together start
 * requests for so long; whoever is over that stands in line, and goes on in the next turn. Meanwhile the loop does all else that it is
 * there for: the sockets of others, writes, heartbeats. Without this the greediest client decides how long a turn is.
 *
 * Who went on and wants more stands behind those who waited: one round of the line is what a patient client may have to wait.
 */
import type { Clock } from '../io/world.ts'
import type { Limits } from './limits.ts'

type TurnLimits = Pick<Limits, 'turnMsMax' | 'connectionTurnRequestsMax' | 'connectionTurnBytesMax'>

export class Turns {
  readonly limits: TurnLimits
  readonly #clock: Pick<Clock, 'monotonic' | 'soon'>
  readonly #line = new Set<Share>()
  #number = 0
  #sinceMs = 0
  #isUnderWay = false

  constructor(clock: Pick<Clock, 'monotonic' | 'soon'>, limits: TurnLimits) {
    this.#clock = clock
    this.limits = limits
  }

  /** Of this turn, which begins when first asked. */
  get number(): number {
    if (!this.#isUnderWay) {
      this.#isUnderWay = true
      this.#sinceMs = this.#clock.monotonic()
      this.#clock.soon(() => this.#next())
    }
    return this.#number
  }

  /** No request starts any more in this turn. */
  get isOver(): boolean {
    return this.#isUnderWay && this.#clock.monotonic() - this.#sinceMs >= this.limits.turnMsMax
  }

  join(share: Share): void {
    this.#line.add(share)
  }

  leave(share: Share): void {
    this.#line.delete(share)
  }

  /** Those in line go on, as far as the time reaches: the others keep their places. */
  #next(): void {
    this.#number++
    this.#isUnderWay = false
    for (const share of [...this.#line]) {
      if (this.isOver) return
      if (this.#line.delete(share)) share.goOn()
    }
  }
}

/** Of one connection. */
export class Share {
  readonly #turns: Turns
  readonly #onTurn: () => void
  /** The turn that the counts are of. */
  #turn = -1
  #requests = 0
  #bytes = 0
  #isWaiting = false

  /** @param onTurn it may go on */
  constructor(turns: Turns, onTurn: () => void) {
    this.#turns = turns
    this.#onTurn = onTurn
  }

  /** In line for the next turn: nothing is to be read or started. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  received(bytes: number): void {
    this.#count(0, bytes)
    if (this.#bytes >= this.#turns.limits.connectionTurnBytesMax) this.#wait()
  }

  started(): void {
    this.#count(1, 0)
  }

  /** When not, it stands in line. */
  mayStart(): boolean {
    this.#count(0, 0)
    if (this.#requests >= this.#turns.limits.connectionTurnRequestsMax || this.#turns.isOver) this.#wait()
    return !this.#isWaiting
  }

  goOn(): void {
    this.#isWaiting = false
    this.#onTurn()
  }

  /** The connection is gone. */
  close(): void {
    this.#turns.leave(this)
  }

  #wait(): void {
    this.#isWaiting = true
    this.#turns.join(this)
  }

  #count(requests: number, bytes: number): void {
    const turn = this.#turns.number
    if (turn !== this.#turn) {
      this.#turn = turn
      this.#requests = this.#bytes = 0
    }
    this.#requests += requests
    this.#bytes += bytes
  }
}
