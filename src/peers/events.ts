/** What the network between brokers has to say to the operator. Names are stable: alerts are built on them. */
import type { Clock } from '../io/world.ts'

export interface PeerEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: PeerEventName
  /** A sentence. */
  readonly message: string
  /** The other broker, as far as it is known. */
  readonly peer?: number
  readonly [detail: string]: unknown
}

export type PeerEventName =
  /** Both lanes to a broker are open. */
  | 'peer.connected'
  /** A lane to a broker that was connected is gone. */
  | 'peer.disconnected'
  /** A broker cannot be reached. */
  | 'peer.unreachable'
  /** A stranger: here or there somebody's ids, secret or versions are wrong. */
  | 'peer.refused'
  /** A connection sent what makes no sense. */
  | 'peer.frame'
  /** A broker is too slow: messages to it are dropped, and sent again when there is room. */
  | 'peer.slow'
  /** A message is larger than the other broker takes: it can never be sent. */
  | 'peer.oversized'
  /** A connection was not accepted: there are too many, or no descriptors are left. */
  | 'peer.connection.refused'
  /** A request of another broker met a bug of ours. */
  | 'peer.call.failed'

/** The same is not said again within this time: brokers that cannot meet try every second. */
const silenceMs = 60_000
const keysMax = 1000

/** Says everything once: what is repeated is counted, and the count goes with the next time that it is said. */
export class Reports {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #onEvent: (event: PeerEvent) => void
  readonly #said = new Map<string, { sinceMs: number; suppressed: number }>()

  constructor(clock: Pick<Clock, 'monotonic'>, onEvent: (event: PeerEvent) => void) {
    this.#clock = clock
    this.#onEvent = onEvent
  }

  say(event: PeerEvent): void {
    this.#onEvent(event)
  }

  /** `about`: what makes it the same event; of its name, unless it was said within a minute. */
  sayOnce(about: string, event: PeerEvent): void {
    const key = `${event.event} ${about}`
    const nowMs = this.#clock.monotonic()
    const said = this.#said.get(key)
    if (said !== undefined && nowMs - said.sinceMs < silenceMs) {
      said.suppressed++
      return
    }
    this.#said.delete(key)
    this.#said.set(key, { sinceMs: nowMs, suppressed: 0 })
    const [oldest] = this.#said.keys()
    if (this.#said.size > keysMax && oldest !== undefined) this.#said.delete(oldest)
    const suppressed = said?.suppressed ?? 0
    this.#onEvent(suppressed === 0 ? event : { ...event, suppressed })
  }
}
