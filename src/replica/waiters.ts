/**
 * Who waits until something is true of all below an offset, in the order of offsets. Nearly always the order in which they come, too: only the
 * answer to a repeated batch of an idempotent producer may wait for an older offset than the last.
 */
import type { Refused } from '../base/errors.ts'

export type OnSettled = (refused: Refused | null) => void

interface Waiter {
  readonly endOffset: number
  readonly callback: OnSettled
}

export class Waiters {
  #waiting: Waiter[] = []
  #first = 0

  get size(): number {
    return this.#waiting.length - this.#first
  }

  add(endOffset: number, callback: OnSettled): void {
    const waiting = this.#waiting
    let at = waiting.length
    while (at > this.#first && (waiting[at - 1]?.endOffset ?? 0) > endOffset) at--
    if (at === waiting.length) waiting.push({ endOffset, callback })
    else waiting.splice(at, 0, { endOffset, callback })
  }

  /** Tells everybody at or below `end`. */
  release(end: number): void {
    while (this.#first < this.#waiting.length) {
      const waiter = this.#waiting[this.#first] as Waiter
      if (waiter.endOffset > end) break
      this.#first++
      waiter.callback(null)
    }
    // As a rule nobody is left. Else they are moved only when half is spent: each is moved once, on average.
    if (this.#first === this.#waiting.length) {
      this.#waiting.length = 0
      this.#first = 0
    } else if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }

  /** Tells everybody that it did not come to it. */
  refuse(refused: Refused): void {
    if (this.size === 0) return
    const waiting = this.#waiting.slice(this.#first)
    this.#waiting = []
    this.#first = 0
    for (const { callback } of waiting) callback(refused)
  }
}
