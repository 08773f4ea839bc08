/** The listener's events, at most so many of a kind in a second: whoever floods the port shall not flood the log too. */
import type { BrokerEvent } from '../broker/broker.ts'
import type { Clock } from '../io/world.ts'

const perSecondMax = 10

export class Reports {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #onEvent: (event: BrokerEvent) => void
  /** By the event's name, of which there are few. */
  readonly #windows = new Map<string, { sinceMs: number; count: number; suppressed: number }>()

  constructor(clock: Pick<Clock, 'monotonic'>, onEvent: (event: BrokerEvent) => void) {
    this.#clock = clock
    this.#onEvent = onEvent
  }

  /** What is held back is counted, and the count goes with the next of its kind. */
  report(event: BrokerEvent): void {
    const nowMs = this.#clock.monotonic()
    const window = this.#windows.get(event.event) ?? { sinceMs: nowMs, count: 0, suppressed: 0 }
    this.#windows.set(event.event, window)
    if (nowMs - window.sinceMs >= 1000) {
      window.sinceMs = nowMs
      window.count = 0
    }
    if (++window.count > perSecondMax) {
      window.suppressed++
      return
    }
    this.#onEvent(window.suppressed === 0 ? event : { ...event, suppressed: window.suppressed })
    window.suppressed = 0
  }
}
