/**
 * The requests of one connection in the order of arrival. Answers leave from the front, whatever order they come in.
 *
 * A request starts when all before it are answered, or when it and all that is under way are pipelined: produce requests are
 * ordered by the log before their answers are known, everything else could overtake.
 */
import { sizeOf } from '../base/buffers.ts'
import type { Answer, Loans, Route } from './dispatch.ts'

export interface Slot {
  readonly route: Route
  /** Of its frame, for whoever counts memory. */
  readonly bytes: number
  /** undefined until there is one. */
  answer: Answer | undefined
}

/** Requests beyond the first of each connection, over all connections. */
export interface Pipelined {
  count: number
}

export class RequestLine {
  readonly #max: number
  readonly #pipelinedMax: number
  readonly #pipelined: Pipelined
  readonly #slots: Slot[] = []
  #underWay = 0
  #answeredBytes = 0

  constructor(limits: { requestsMax: number; pipelinedMax: number }, pipelined: Pipelined) {
    this.#max = limits.requestsMax
    this.#pipelinedMax = limits.pipelinedMax
    this.#pipelined = pipelined
  }

  get size(): number {
    return this.#slots.length
  }
  get isEmpty(): boolean {
    return this.#slots.length === 0
  }

  /** Bytes of answers that have not left. */
  get answeredBytes(): number {
    return this.#answeredBytes
  }

  mayStart(route: Route): boolean {
    const before = this.#slots.at(-1)
    if (before === undefined) return true
    if (this.#slots.length >= this.#max) return false
    if (this.#underWay === 0) return true
    return (
      route.handler.isPipelined &&
      before.route.handler.isPipelined &&
      this.#pipelined.count < this.#pipelinedMax
    )
  }

  start(route: Route, bytes: number): Slot {
    const slot: Slot = { route, bytes, answer: undefined }
    if (this.#slots.push(slot) > 1) this.#pipelined.count++
    this.#underWay++
    return slot
  }

  /** False when the slot was cut off meanwhile. */
  answer(slot: Slot, answer: Answer): boolean {
    if (!this.#slots.includes(slot)) return false
    slot.answer = answer
    this.#underWay--
    this.#answeredBytes += bytesOf(answer)
    return true
  }

  /** Takes the answers that may leave, and the bytes of their requests. */
  takeAnswered(): { buffers: Buffer[]; loans: Loans; bytes: number } {
    const buffers: Buffer[] = []
    const loans: Buffer[] = []
    let bytes = 0
    for (let first = this.#slots[0]; first?.answer !== undefined; first = this.#slots[0]) {
      if (first.answer !== null) {
        for (const buffer of first.answer.buffers) buffers.push(buffer)
        for (const loan of first.answer.loans) loans.push(loan)
      }
      this.#answeredBytes -= bytesOf(first.answer)
      bytes += first.bytes
      this.#slots.shift()
      if (this.#slots.length > 0) this.#pipelined.count--
    }
    return { buffers, loans, bytes }
  }

  /** Drops a request and all that came after it: without its answer, the client could not tell whose theirs are. */
  cutOff(slot: Slot | undefined = this.#slots[0]): void {
    const at = slot === undefined ? -1 : this.#slots.indexOf(slot)
    if (at < 0) return
    for (const dropped of this.#slots.splice(at)) {
      if (dropped.answer === undefined) this.#underWay--
      else this.#answeredBytes -= bytesOf(dropped.answer)
      this.#pipelined.count--
    }
    if (at === 0) this.#pipelined.count++ // the first of a connection is not counted
  }
}

function bytesOf(answer: Answer): number {
  return answer === null ? 0 : sizeOf(answer.buffers)
}
