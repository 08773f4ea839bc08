/** A connection that a peer has dialed: it speaks, and is answered. */
import { type BufferPool, release } from '../base/buffer-pool.ts'
import { Malformed, Reader } from '../base/bytes.ts'
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { type Faulted, Refused } from '../base/errors.ts'
import type { Clock, Connection } from '../io/world.ts'
import * as wire from '../protocol/peer/calls.ts'
import { frameKinds } from '../protocol/peer/frame.ts'
import * as pulses from '../protocol/peer/pulse.ts'
import type { PeerMessage } from '../replica/outbox.ts'
import type { Pulse } from '../replica/pulses.ts'
import { responseFrame } from './calls.ts'
import { Channel } from './channel.ts'
import { type CutFrame, emptyFrame, headBytesMax } from './frames.ts'
import { Acceptor, type Met, refusalFrame, type Self, Stranger } from './handshake.ts'
import { MessageDecoder } from './message-codec.ts'
import type { PeerSettings } from './settings.ts'

/** Answers requests of one kind. What it refuses reaches the caller as it is; anything else that it throws is our bug. */
export type Handler = (from: number, payload: Buffer) => Promise<Buffer>

export interface InboundOptions {
  readonly self: Self
  readonly clock: Clock
  readonly buffers: BufferPool
  readonly settings: PeerSettings
  readonly handlerOf: (from: number, kind: number) => Handler | undefined
  /** The other side has shown who it is. */
  readonly onMet: (inbound: Inbound, met: Met) => void
  /** In the order in which they were sent, within a lane. Who keeps their batches retains them (base/buffer-pool.ts). */
  readonly onMessages: (from: number, messages: readonly PeerMessage[]) => void
  readonly onPulse: (from: number, pulse: Pulse) => void
  readonly onCallFailed: (from: number, kind: number, error: unknown) => void
  /** Called once. */
  readonly onGone: (inbound: Inbound, sentence: string, fault: Faulted | null) => void
}

/** Of the sentence that goes with a refusal. */
const detailCharactersMax = 1000
const nothing = Buffer.alloc(0)

export class Inbound {
  readonly #options: InboundOptions
  readonly #channel: Channel
  readonly #acceptor: Acceptor
  /** Since when it is waited for. */
  #sinceMs: number
  #met: Met | null = null
  #decoder: MessageDecoder | null = null
  #callsUnderWay = 0

  constructor(connection: Connection, options: InboundOptions) {
    this.#options = options
    this.#acceptor = new Acceptor(options.self)
    this.#sinceMs = options.clock.monotonic()
    this.#channel = new Channel(connection, {
      clock: options.clock,
      buffers: options.buffers,
      queueBytesMax: options.settings.dataQueueBytesMax,
      onFrame: (frame) => (this.#met === null ? this.#greet(frame) : this.#received(this.#met, frame)),
      onGone: (sentence, fault) => options.onGone(this, sentence, fault),
    })
  }

  /** null until the other side has shown who it is. */
  get met(): Met | null {
    return this.#met
  }
  get remote(): string {
    return this.#channel.remote
  }

  /** What time has run out; called every so often. */
  check(nowMs: number): void {
    const { connectTimeoutMs, idleTimeoutMs } = this.#options.settings
    if (this.#met === null) {
      if (nowMs - this.#sinceMs > connectTimeoutMs) this.destroy('it did not say who it is')
    } else if (nowMs - Math.max(this.#sinceMs, this.#channel.heardMs) > idleTimeoutMs) {
      this.destroy(`nothing was heard for ${idleTimeoutMs} ms`)
    }
  }

  /** Silence counts from now on. */
  excuse(nowMs: number): void {
    this.#sinceMs = nowMs
  }

  destroy(sentence: string): void {
    this.#channel.destroy(sentence)
  }

  #greet({ head }: CutFrame): void {
    try {
      const { send, met } = this.#acceptor.receive(head)
      for (const frame of send) this.#channel.send(frame)
      if (met === null) return
      this.#met = met
      this.#decoder = new MessageDecoder(met.version)
      this.#channel.trust(this.#options.settings.frameBytesMax)
      this.#options.onMet(this, met)
    } catch (error) {
      if (!(error instanceof Stranger)) throw error
      this.#channel.end(error.sentence, error, error.isTheirs ? null : refusalFrame(error))
    }
  }

  /** @throws Malformed */
  #received(met: Met, { head, payload }: CutFrame): void {
    const reader = new Reader(head)
    const kind = reader.int8('kind of frame')
    switch (kind) {
      case frameKinds.messages: {
        const messages = this.#decoder?.messages(reader, payload) ?? []
        this.#options.onMessages(met.claim.nodeId, messages)
        // Of images pieces are kept.
        if (payload.length > 0 && !messages.some(({ message }) => message.type === 'install'))
          release(payload)
        break
      }
      case frameKinds.pulse: {
        const pulse = pulses.pulse.decode(reader, met.version)
        reader.expectEnd('pulse')
        this.#options.onPulse(met.claim.nodeId, pulse)
        break
      }
      case frameKinds.ping:
        this.#channel.sendFirst(emptyFrame(frameKinds.pong))
        break
      case frameKinds.request:
        this.#requested(reader, met)
        break
      default:
        throw new Malformed(`a frame of unknown kind ${kind}`)
    }
  }

  #requested(reader: Reader, { claim, version }: Met): void {
    const { id, kind, payload } = wire.request.decode(reader, version)
    reader.expectEnd('request')
    const { handlerOf, settings } = this.#options
    const handler = handlerOf(claim.nodeId, kind)
    if (handler === undefined) {
      this.#refuse(id, 'UNSUPPORTED_VERSION', `requests of kind ${kind} are not served`)
    } else if (this.#callsUnderWay >= settings.callsMax) {
      this.#refuse(id, 'THROTTLING_QUOTA_EXCEEDED', `${this.#callsUnderWay} requests are under way`)
    } else void this.#call(handler, { from: claim.nodeId, id, kind, payload })
  }

  async #call(
    handler: Handler,
    call: { from: number; id: number; kind: number; payload: Buffer },
  ): Promise<void> {
    const { from, id, kind, payload } = call
    this.#callsUnderWay++
    try {
      this.#answer(id, await handler(from, payload))
    } catch (error) {
      if (error instanceof Refused) this.#refuse(id, error.code, error.detail)
      else {
        this.#options.onCallFailed(from, kind, error)
        this.#refuse(id, 'UNKNOWN_SERVER_ERROR', 'a fault of the broker that was asked; see its log')
      }
    } finally {
      this.#callsUnderWay--
    }
  }

  /** Who does not take answers gets none: its requests run out of time. */
  #answer(id: number, payload: Buffer): void {
    if (this.#met === null || !this.#channel.hasRoom) return
    if (payload.length + headBytesMax > this.#met.frameBytesMax) {
      this.#refuse(id, 'MESSAGE_TOO_LARGE', `an answer of ${payload.length} bytes`)
    } else this.#channel.send(responseFrame({ id, error: 0, detail: '', payload }, this.#met.version))
  }

  #refuse(id: number, code: ErrorName, sentence: string): void {
    if (this.#met === null || !this.#channel.hasRoom) return
    const detail = sentence.slice(0, detailCharactersMax)
    const response = { id, error: errorCode(code), detail, payload: nothing }
    this.#channel.send(responseFrame(response, this.#met.version))
  }
}
