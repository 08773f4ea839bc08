/** Who follows one replica: those that hear of each of its turns, and those that wait until it serves. */
import type { Refused } from '../base/errors.ts'
import { Gate } from './gate.ts'
import type { Replica } from './replica.ts'

export class Watchers {
  readonly #listeners = new Set<(replica: Replica) => void>()
  readonly #whenReady = new Gate()

  /** Returns the unsubscriber. */
  add(listener: (replica: Replica) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(replica: Replica): void {
    for (const listener of this.#listeners) listener(replica)
  }

  untilReady(): Promise<void> {
    return this.#whenReady.wait()
  }

  ready(): void {
    this.#whenReady.open()
  }

  /** It never will be. */
  hopeless(refused: Refused): void {
    this.#whenReady.fail(refused)
  }
}
