/** Who follows one replica: those that hear of each of its turns, and those that wait until it serves. */
import type { Refused } from '../base/errors.ts'
import type { Replica } from './replica.ts'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (refused: Refused) => void
}

export class Watchers {
  readonly #listeners = new Set<(replica: Replica) => void>()
  #whenReady: Waiting[] = []

  /** Returns the unsubscriber. */
  add(listener: (replica: Replica) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(replica: Replica): void {
    for (const listener of this.#listeners) listener(replica)
  }

  untilReady(): Promise<void> {
    return new Promise((resolve, reject) => this.#whenReady.push({ resolve, reject }))
  }

  ready(): void {
    for (const { resolve } of this.#whenReady.splice(0)) resolve()
  }

  /** It never will be. */
  hopeless(refused: Refused): void {
    for (const { reject } of this.#whenReady.splice(0)) reject(refused)
  }
}
