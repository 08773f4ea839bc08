/** Waits that end when their owner does: nothing is left of them, and whoever waits goes on at once, to see that it is over. */
import type { Clock } from '../io/world.ts'

export class Pauses {
  readonly #clock: Pick<Clock, 'setTimer'>
  readonly #endings = new Set<() => void>()
  #isClosed = false

  constructor(clock: Pick<Clock, 'setTimer'>) {
    this.#clock = clock
  }

  wait(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#endings.delete(end)
        resolve()
      }
      const timer = this.#clock.setTimer(ms, end)
      this.#endings.add(end)
    })
  }

  close(): void {
    this.#isClosed = true
    for (const end of this.#endings) end()
  }
}
