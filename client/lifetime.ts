/**
 * What must end when its owner is closed: every wait and every timer. Nothing waits outside a lifetime, so after `end` no
 * timer is left and no promise hangs.
 */
import { asKafkaError, type KafkaError, TimedOut } from './errors.ts'
import type { Clock, Timer } from './transport.ts'

export class Lifetime {
  readonly #clock: Clock
  readonly #endings = new Set<(reason: KafkaError) => void>()
  #ended: KafkaError | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isOver(): boolean {
    return this.#ended !== null
  }

  /** Throws the reason of the end, once it has come. */
  check(): void {
    if (this.#ended !== null) throw this.#ended
  }

  /** Called once at the end, at once when it has come. Returns the way to forget it. */
  onEnd(callback: (reason: KafkaError) => void): () => void {
    if (this.#ended !== null) {
      callback(this.#ended)
      return () => {}
    }
    this.#endings.add(callback)
    return () => this.#endings.delete(callback)
  }

  /** Calls back after `delayMs`, unless the life ends before. */
  timer(delayMs: number, callback: () => void): Timer {
    if (this.#ended !== null) return { cancel: () => {} }
    const timer = this.#clock.setTimer(delayMs, () => {
      forget()
      callback()
    })
    const forget = this.onEnd(() => timer.cancel())
    return {
      cancel: () => {
        forget()
        timer.cancel()
      },
    }
  }

  sleep(ms: number): Promise<void> {
    return this.wait((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve)
      return () => timer.cancel()
    })
  }

  /** The outcome of `promise`, or a rejection when the life ends first or `timeoutMs` passes. */
  within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
    return this.wait((resolve, reject) => {
      promise.then(resolve, reject)
      const timer = this.#clock.setTimer(timeoutMs, () => reject(new TimedOut(what, timeoutMs)))
      return () => timer.cancel()
    })
  }

  /** The outcome of `promise`, or a rejection when the life ends first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return this.wait((resolve, reject) => {
      promise.then(resolve, reject)
      return () => {}
    })
  }

  /** A promise that also rejects when the life ends. `start` returns what cleans up after it. */
  wait<T>(start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    return new Promise<T>((resolve, reject) => {
      let cleanUp = (): void => {}
      const forget = this.onEnd((reason) => settle(() => reject(reason)))
      const settle = (outcome: () => void): void => {
        forget()
        cleanUp()
        outcome()
      }
      cleanUp = start(
        (value) => settle(() => resolve(value)),
        (reason) => settle(() => reject(reason)),
      )
    })
  }

  end(reason: unknown): void {
    if (this.#ended !== null) return
    const why = asKafkaError(reason)
    this.#ended = why
    for (const ending of this.#endings) ending(why)
    this.#endings.clear()
  }
}
