/** Who waits until batches are written here (acks=1), or committed (acks=all). */
import type { Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import { majority } from '../raft/quorum.ts'
import type { Raft } from '../raft/raft.ts'
import type { Committed } from './committed.ts'
import type { Entries } from './entries.ts'
import { type OnSettled, Waiters } from './waiters.ts'

/** What is asked of a batch before its producer is answered. */
export type Promised = 'written' | 'committed'

export class Acknowledgements {
  readonly #log: Log
  readonly #raft: Raft<Entries>
  readonly #committed: Pick<Committed, 'offset'>
  readonly #untilWritten = new Waiters()
  readonly #untilCommitted = new Waiters()
  /** So many voters hold durably what is called committed, on top of the majority. @source Kafka's min.insync.replicas */
  floor = 1

  constructor(log: Log, raft: Raft<Entries>, committed: Pick<Committed, 'offset'>) {
    this.#log = log
    this.#raft = raft
    this.#committed = committed
  }

  /** Everything below this offset is as promised. */
  end(promised: Promised): number {
    // What waits for a mark before it, or for a cut, is in the log and not yet in a file.
    if (promised === 'written') return this.#log.offsetAt(this.#log.writtenPosition)
    const highWatermark = this.#committed.offset
    if (this.floor <= 1 || this.floor <= majority(this.#raft.membership.voters.length)) return highWatermark
    return Math.min(highWatermark, this.#log.offsetAt(this.#raft.heldBy(this.floor)))
  }

  add(promised: Promised, endOffset: number, callback: OnSettled): void {
    const waiters = promised === 'written' ? this.#untilWritten : this.#untilCommitted
    waiters.add(endOffset, callback)
  }

  /** The end of a turn. */
  release(): void {
    if (this.#untilWritten.size > 0) this.#untilWritten.release(this.end('written'))
    if (this.#untilCommitted.size > 0) this.#untilCommitted.release(this.end('committed'))
  }

  refuse(refused: Refused): void {
    this.#untilWritten.refuse(refused)
    this.#untilCommitted.refuse(refused)
  }
}
