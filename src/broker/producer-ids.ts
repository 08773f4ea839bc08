/**
 * Producer ids for idempotent producers, out of a block that the controller gave to this broker alone: one replicated
 * decision serves a thousand producers. Ids of a block that a restart cut short are never used.
 */
import type { Controller } from './controller.ts'

export class ProducerIds {
  readonly #controller: Pick<Controller, 'allocateProducerIds'>
  #next = 0
  #end = 0
  #asking: Promise<void> | null = null

  constructor(controller: Pick<Controller, 'allocateProducerIds'>) {
    this.#controller = controller
  }

  /** An id that nobody else has, ever. @throws Refused when the controller refuses */
  async next(): Promise<number> {
    // A loop: those who waited with us may have used up the block.
    while (this.#next === this.#end) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = null
      })
      await this.#asking
    }
    return this.#next++
  }

  async #ask(): Promise<void> {
    const { first, count } = await this.#controller.allocateProducerIds()
    this.#next = first
    this.#end = first + count
  }
}
