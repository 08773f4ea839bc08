/**
 * Who waits to know that this member still leads. The callers of one turn share a question; see raft/heartbeats.ts for how the core
 * answers it.
 */
import type { Refused } from '../base/errors.ts'

interface Question {
  readonly number: number
  readonly callers: { readonly resolve: () => void; readonly reject: (refused: Refused) => void }[]
}

export class Confirmations {
  readonly #ask: (question: number) => void
  #asked = 0
  /** Oldest first. */
  #questions: Question[] = []
  #isTurnOver = true

  /** `ask` is called once a turn. */
  constructor(ask: (question: number) => void) {
    this.#ask = ask
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#question().callers.push({ resolve, reject }))
  }

  turnOver(): void {
    this.#isTurnOver = true
  }

  /** This question is answered, and all before it. */
  confirmed(number: number): void {
    while ((this.#questions[0]?.number ?? Infinity) <= number) {
      for (const { resolve } of this.#questions.shift()?.callers ?? []) resolve()
    }
  }

  refuse(refused: Refused): void {
    for (const { callers } of this.#questions.splice(0)) for (const { reject } of callers) reject(refused)
    this.#isTurnOver = true
  }

  #question(): Question {
    const newest = this.#questions.at(-1)
    if (newest !== undefined && !this.#isTurnOver) return newest
    this.#isTurnOver = false
    const question = { number: ++this.#asked, callers: [] }
    this.#questions.push(question)
    this.#ask(question.number)
    return question
  }
}
