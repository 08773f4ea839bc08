/** Requests to one peer over one connection that wait for their answers. */

import type { Reader, Writer } from '../base/bytes.ts'
import { errorName } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import type { Clock, Timer } from '../io/world.ts'
import * as wire from '../protocol/peer/calls.ts'
import { frameKinds } from '../protocol/peer/frame.ts'
import { beginFrame, endFrame, type Frame } from './frames.ts'

interface Call {
  readonly resolve: (answer: Buffer) => void
  readonly reject: (refused: Refused) => void
  readonly timer: Timer
}

const idMax = 2 ** 31 - 1

export class Calls {
  readonly #clock: Clock
  readonly #waiting = new Map<number, Call>()
  #nextId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#waiting.size
  }

  /** A request, and its answer: rejects with what the other side refuses, or REQUEST_TIMED_OUT when nobody can say. */
  add(request: { kind: number; payload: Buffer; timeoutMs: number; version: number }): {
    frame: Frame
    answer: Promise<Buffer>
  } {
    const { kind, payload, timeoutMs, version } = request
    const id = this.#nextId
    this.#nextId = id === idMax ? 0 : id + 1
    const answer = new Promise<Buffer>((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => {
        this.#waiting.delete(id)
        reject(new Refused('REQUEST_TIMED_OUT', `no answer within ${timeoutMs} ms`))
      })
      this.#waiting.set(id, { resolve, reject, timer })
    })
    const writer = beginFrame(frameKinds.request)
    wire.request.encode(writer, { id, kind, payload }, version)
    return { frame: endFrame(writer), answer }
  }

  /** An answer that came too late is nobody's. @throws Malformed */
  answered(reader: Reader, version: number): void {
    const { id, error, detail, payload } = wire.response.decode(reader, version)
    reader.expectEnd('response')
    const call = this.#waiting.get(id)
    if (call === undefined) return
    this.#waiting.delete(id)
    call.timer.cancel()
    if (error === 0) call.resolve(payload)
    else call.reject(new Refused(errorName(error), detail))
  }

  /** The connection is gone: whether the requests were carried out nobody can say. */
  abandon(): void {
    const calls = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { timer, reject } of calls) {
      timer.cancel()
      reject(new Refused('REQUEST_TIMED_OUT', 'the connection was lost before the answer came'))
    }
  }
}

/** How an answer leaves. */
export function responseFrame(
  response: { id: number; error: number; detail: string; payload: Buffer },
  version: number,
): Frame {
  const writer: Writer = beginFrame(frameKinds.response)
  wire.response.encode(writer, response, version)
  return endFrame(writer)
}
