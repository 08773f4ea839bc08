/**
 * How far the log of a member is committed, as an offset. It never goes back; only where written counts as durable (flush.messages), and a
 * loss of power has taken from others what a majority had, is something committed cut.
 */
import type { Log } from '../log/log.ts'
import type { Raft } from '../raft/raft.ts'
import type { Entries } from './entries.ts'

export class Committed {
  readonly #log: Log
  readonly #raft: Raft<Entries>
  #offset: number
  #forgotten: number
  /** The epoch in which it leads and is ready, as of the last turn; -1 for none. */
  #readyEpoch = -1

  constructor(log: Log, raft: Raft<Entries>) {
    this.#log = log
    this.#raft = raft
    this.#offset = log.offsetAt(raft.highWatermark)
    this.#forgotten = raft.forgotten
  }

  get offset(): number {
    return this.#offset
  }

  /**
   * It leads, and `offset` is no lower than what leaders before it have told. The core knows as soon as the start of its epoch is
   * committed; in the rest of that turn `offset` is still a follower's.
   */
  get isReady(): boolean {
    return this.#raft.isReady && this.#readyEpoch === this.#raft.epoch
  }

  /** When it has fallen. */
  get sentence(): string {
    return (
      `what was acknowledged from offset ${this.#offset} on is cut: ` +
      'others lost it with their power, as they may where flush.messages is above 1'
    )
  }

  /** The end of a turn: what has become of it. */
  turn(): 'risen' | 'fallen' | 'same' {
    const before = this.#offset
    const offset = this.#log.offsetAt(this.#raft.highWatermark)
    const wasForgotten = this.#raft.forgotten > this.#forgotten
    this.#forgotten = this.#raft.forgotten
    // (While the log is replaced the core still speaks of the old one.)
    this.#offset = wasForgotten ? offset : Math.max(before, offset)
    this.#readyEpoch = this.#raft.isReady ? this.#raft.epoch : -1
    return this.#offset > before ? 'risen' : this.#offset < before ? 'fallen' : 'same'
  }
}
