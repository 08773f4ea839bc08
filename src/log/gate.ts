import { Faulted } from '../base/errors.ts'

/**
 * The way to the files of one log: what waits for the disk goes one after the other, and after the first
 * fault nothing goes any more. Nothing is tried again: what the kernel still holds of the files is not known
 * then.
 */
export class Gate {
  #fault: Faulted | null = null
  #last: Promise<unknown> = Promise.resolve()
  readonly #onFault: (fault: Faulted) => void

  constructor(onFault: (fault: Faulted) => void) {
    this.#onFault = onFault
  }

  get fault(): Faulted | null {
    return this.#fault
  }

  /** @throws Faulted the first fault, if there was one */
  check(): void {
    if (this.#fault !== null) throw this.#fault
  }

  /** Runs at once. A Faulted that it throws is final. */
  now(action: () => void): void {
    try {
      action()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /**
   * Likewise for what waits for the disk. Only within `inTurn`: nothing else of that kind may be under way, but for one write
   * of batches (segment-writer.ts). After a fault, which may have come while this waited for its turn, it is not done any more.
   */
  async wait<Value>(action: () => Promise<Value>): Promise<Value> {
    this.check()
    try {
      return await action()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Runs when all that was given before is done. */
  inTurn<Value>(action: () => Promise<Value>): Promise<Value> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => {}) // whoever has `result` hears of it
    return result
  }

  /** Likewise, and nobody waits for it: a fault is told by `fault` and by the event. */
  inBackground(action: () => Promise<void>): void {
    this.inTurn(action).catch((error: unknown) => {
      if (!(error instanceof Faulted)) throw error
    })
  }

  #failed(error: unknown): unknown {
    if (!(error instanceof Faulted) || this.#fault !== null) return error
    this.#fault = error
    this.#onFault(error)
    return error
  }
}
