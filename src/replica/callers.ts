/** Who waits for a reply of a machine, by token. */
import { Refused } from '../base/errors.ts'
import type { ReplyTo, Token } from '../machines/machine.ts'

interface Caller<Reply> {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
}

export class Callers<Reply> {
  readonly #waiting = new Map<Token, Caller<Reply>>()
  #last: Token = 0

  get size(): number {
    return this.#waiting.size
  }

  /** A new one. */
  add(caller: Caller<Reply>): Token {
    this.#waiting.set(++this.#last, caller)
    return this.#last
  }

  /** A token that nobody waits for any more is passed over. */
  answer(reply: ReplyTo<Reply>): void {
    const caller = this.#take(reply.to)
    if ('refused' in reply) caller?.reject(new Refused(reply.refused, reply.detail))
    else caller?.resolve(reply.reply)
  }

  reject(token: Token, error: unknown): void {
    this.#take(token)?.reject(error)
  }

  refuseAll(refused: Refused): void {
    const callers = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of callers) reject(refused)
  }

  #take(token: Token): Caller<Reply> | undefined {
    const caller = this.#waiting.get(token)
    this.#waiting.delete(token)
    return caller
  }
}
