/**
 * What truncations have yet to do to the files of a log, in the order in which it has to become durable:
 *
 * 1. The barrier is lowered: else what is missing above it would look like damage after a loss of power.
 * 2. The files are cut.
 * 3. If a mark that starts no epoch was cut, so are they durably, before the journal says that it is gone: else the batches behind it
 *    could come back without it, one position lower, and a mark of an epoch's start tells by their epoch that they must not, but
 *    this one does not.
 *
 * Until then nothing else is written. A write away from the loop ends first.
 */
import type { Durability } from './durability.ts'
import type { Gate } from './gate.ts'

const done = (): void => {}

export class FileCuts {
  readonly #gate: Gate
  readonly #durability: Durability
  readonly #landed: () => Promise<void>
  readonly #waiting: (() => void)[] = []
  #hidesMark = false

  /** @param landed resolves when no write away from the loop is under way */
  constructor(gate: Gate, durability: Durability, landed: () => Promise<void>) {
    this.#gate = gate
    this.#durability = durability
    this.#landed = landed
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** `hidesMark`: a mark that starts no epoch is cut with what came after it. */
  push(work: () => void, hidesMark: boolean): void {
    this.#waiting.push(work)
    this.#hidesMark ||= hidesMark
  }

  /** Within a turn of the gate. @throws Faulted */
  async settle(): Promise<void> {
    while (!this.isEmpty) {
      await this.#landed()
      const count = this.#waiting.length
      await this.#gate.wait(() => this.#durability.lowerBarrier())
      if (this.#waiting.length !== count) continue // cut further meanwhile
      this.#gate.now(() => {
        // One stays, so that nothing is written yet.
        for (const work of this.#waiting.splice(0, count, done)) work()
      })
      if (this.#hidesMark) {
        this.#hidesMark = false
        await this.#gate.wait(() => this.#durability.syncCuts())
      }
      this.#waiting.shift()
    }
  }
}
