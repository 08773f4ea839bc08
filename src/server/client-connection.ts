/**
 * One client: its requests in the order of arrival, its answers in the same order.
 *
 *     socket -> frame cutter -> next -> line of requests -> outbound -> socket
 *
 * Whatever holds requests up (those before them, their number, the reader of the answers, memory, the turns of others) stops the cutting, and with
 * it the reading of the socket: the client is held up by TCP, and nothing piles up here.
 *
 * Bytes that make no sense end the connection, after the answers to what came before them.
 */
import { type BufferPool, release } from '../base/buffer-pool.ts'
import { Malformed } from '../base/bytes.ts'
import { Faulted, messageOf, Refused } from '../base/errors.ts'
import type { BrokerEvent } from '../broker/broker.ts'
import type { Clock, Connection } from '../io/world.ts'
import type { Answer, Caller, Dispatch, Route } from './dispatch.ts'
import { BadFrame, FrameCutter } from './frame-cutter.ts'
import type { Limits } from './limits.ts'
import { Outbound, type OutboundMemory } from './outbound.ts'
import { type Pipelined, RequestLine, type Slot } from './request-line.ts'
import type { Reader, RequestMemory } from './request-memory.ts'
import { Share, type Turns } from './turns.ts'

/** What all connections of a listener share. */
export interface Shared {
  readonly clock: Clock
  readonly limits: Limits
  readonly buffers: BufferPool
  readonly dispatch: Dispatch
  readonly requestMemory: RequestMemory
  readonly outboundMemory: OutboundMemory
  readonly pipelined: Pipelined
  readonly turns: Turns
  report(event: BrokerEvent): void
  /** Called once. */
  gone(connection: ClientConnection): void
}

/** What a client may still send after we have said goodbye, before we stop listening. */
const discardedBytesMax = 1024 * 1024
/** So much in each frame time-out is progress enough. */
const progressBytes = 64 * 1024
const prefixBytes = 4

export class ClientConnection implements Caller, Reader {
  readonly id: string
  readonly address: string
  readonly clientHost: string
  readonly #connection: Connection
  readonly #shared: Shared
  readonly #cutter: FrameCutter
  readonly #outbound: Outbound
  readonly #line: RequestLine
  readonly #share: Share
  /** Cut, and not allowed to start yet. */
  #next: { readonly frame: Buffer; readonly route: Route } | null = null
  #isSettling = false
  #isReading = true
  /** Received and not yet answered, in `requestMemory`. */
  #heldBytes = 0
  /** Set aside for an answer, in `outboundMemory`. */
  #reservedBytes = 0
  #framesCut = 0
  #lastActiveMs: number
  /** The half frame that the last check saw. */
  #partial = { framesCut: 0, bytes: 0, sinceMs: 0 }
  /** No request starts any more; since when. */
  #closingSinceMs: number | null = null
  #hasEnded = false
  #discardedBytes = 0
  #isGone = false

  constructor(connection: Connection, place: { id: string; address: string }, shared: Shared) {
    this.id = place.id
    this.address = place.address
    this.clientHost = `/${place.address}`
    this.#connection = connection
    this.#shared = shared
    this.#cutter = new FrameCutter(shared.limits.frameBytesMax, shared.buffers)
    this.#line = new RequestLine(
      { requestsMax: shared.limits.connectionRequestsMax, pipelinedMax: shared.limits.pipelinedRequestsMax },
      shared.pipelined,
    )
    this.#outbound = new Outbound(connection, shared.outboundMemory)
    this.#share = new Share(shared.turns, () => this.#pump())
    this.#lastActiveMs = shared.clock.monotonic()
    connection.onData = (chunk) => this.#received(chunk)
    connection.readInto = () => this.#cutter.room
    connection.onDrain = () => this.#drained()
    connection.onClose = () => this.#closed()
  }

  /** For the one request under way that needs it: pipelined ones have small answers. */
  readonly reserve = (bytes: number): number => {
    const granted = this.#isGone ? 0 : this.#shared.outboundMemory.reserve(bytes)
    this.#reservedBytes += granted
    return granted
  }

  /** Ends in good order: what is under way is answered, the rest is not started. */
  finish(): void {
    this.#closingSinceMs ??= this.#shared.clock.monotonic()
    this.#next = null
    this.#maybeEnd()
    this.#updateReading()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  /** There may be room again in `requestMemory`. */
  readAgain(): void {
    this.#updateReading()
  }

  /** What time has run out; called every so often. */
  check(nowMs: number): void {
    const { limits } = this.#shared
    const stalledSinceMs = this.#outbound.stalledSinceMs ?? (this.#hasEnded ? this.#closingSinceMs : null)
    if (stalledSinceMs !== null && nowMs - stalledSinceMs > limits.stalledMs) {
      const what = this.#hasEnded ? 'did not close its side' : 'took none of its answers'
      this.#report('info', 'connection.stalled', `${what} for ${limits.stalledMs} ms`)
      this.destroy()
      return
    }
    if (this.#closingSinceMs !== null || !this.#line.isEmpty || stalledSinceMs !== null) return
    if (this.#cutter.partialBytes > 0) this.#checkPartial(nowMs)
    else if (nowMs - this.#lastActiveMs > limits.idleMs) {
      this.#report('debug', 'connection.idle', `idle for ${limits.idleMs} ms`)
      this.finish()
    }
  }

  /** A half frame may take its time as long as it grows. */
  #checkPartial(nowMs: number): void {
    const { frameTimeoutMs } = this.#shared.limits
    const bytes = this.#cutter.partialBytes
    const last = this.#partial
    if (last.framesCut !== this.#framesCut || last.bytes === 0 || bytes - last.bytes >= progressBytes) {
      this.#partial = { framesCut: this.#framesCut, bytes, sinceMs: nowMs }
    } else if (nowMs - last.sinceMs > frameTimeoutMs) {
      this.#report(
        'warn',
        'frame.late',
        `a frame was not whole after ${frameTimeoutMs} ms: ${bytes} bytes came`,
      )
      this.finish()
    }
  }

  #received(chunk: Buffer): void {
    if (this.#closingSinceMs !== null) {
      this.#discardedBytes += chunk.length
      if (this.#discardedBytes > discardedBytesMax) this.destroy()
      return
    }
    this.#lastActiveMs = this.#shared.clock.monotonic()
    this.#heldBytes += chunk.length
    this.#shared.requestMemory.take(chunk.length)
    this.#share.received(chunk.length)
    this.#cutter.push(chunk)
    this.#pump()
    this.#cutter.keep()
  }

  /** Starts what may start. */
  #pump(): void {
    try {
      while (this.#closingSinceMs === null && !this.#isHeldUp()) {
        this.#next ??= this.#cut()
        if (this.#next === null || !this.#line.mayStart(this.#next.route) || !this.#share.mayStart()) break
        const { frame, route } = this.#next
        this.#next = null
        this.#share.started()
        this.#start(frame, route)
      }
    } catch (error) {
      this.#fail(error, null)
    }
    this.#updateReading()
  }

  #cut(): { frame: Buffer; route: Route } | null {
    const frame = this.#cutter.next()
    if (frame === null) return null
    this.#framesCut++
    return { frame, route: this.#shared.dispatch.route(frame) }
  }

  /** The reader of the answers is too far behind; where memory is short, behind at all: each request has an answer, however small. */
  #isHeldUp(): boolean {
    const bytes = this.#outbound.waitingBytes + this.#line.answeredBytes
    return (
      bytes >= this.#shared.limits.connectionOutboundBytesMax ||
      (bytes > 0 && this.#shared.outboundMemory.isFull)
    )
  }

  #start(frame: Buffer, route: Route): void {
    const slot = this.#line.start(route, prefixBytes + frame.length)
    try {
      const answer = this.#shared.dispatch.run(frame, route, this)
      const settle = (settled: Answer): void => {
        if (route.handler.letsGo) release(frame)
        this.#answer(slot, settled)
      }
      if (answer instanceof Promise) answer.then(settle, (error: unknown) => this.#fail(error, slot))
      else settle(answer)
    } catch (error) {
      this.#fail(error, slot)
    }
  }

  /**
   * One answer leaves at once. Where there are more, all that are given in this turn leave in one write: a write per answer costs
   * more than the answer.
   */
  #answer(slot: Slot, answer: Answer): void {
    if (!this.#line.answer(slot, answer) || this.#isSettling) return
    this.#isSettling = true
    if (this.#line.size === 1) queueMicrotask(() => this.#settle())
    else this.#shared.clock.soon(() => this.#settle())
  }

  #settle(): void {
    this.#isSettling = false
    if (this.#isGone) return
    const { buffers, loans, bytes } = this.#line.takeAnswered()
    const nowMs = this.#shared.clock.monotonic()
    this.#lastActiveMs = nowMs
    this.#heldBytes -= bytes
    this.#returnReserved() // from here on, what does not leave at once is counted as it is
    this.#outbound.send(buffers, loans, nowMs)
    this.#shared.requestMemory.release(bytes)
    this.#maybeEnd()
    this.#pump()
  }

  #returnReserved(): void {
    this.#shared.outboundMemory.used -= this.#reservedBytes
    this.#reservedBytes = 0
  }

  #drained(): void {
    this.#outbound.drained(this.#shared.clock.monotonic())
    this.#maybeEnd()
    this.#pump()
  }

  /** @param slot of the request that failed; null when the stream itself did */
  #fail(error: unknown, slot: Slot | null): void {
    if (this.#isGone) return
    const api = slot === null ? '' : `${slot.route.handler.api.name} v${slot.route.version}: `
    const message = error instanceof Faulted ? error.operation : messageOf(error)
    if (error instanceof BadFrame) this.#report('warn', `frame.${error.reason}`, message)
    else if (error instanceof Malformed) this.#report('warn', 'request.malformed', api + message)
    else if (error instanceof Refused) this.#report('warn', 'request.refused', api + message)
    else {
      const stack = error instanceof Error ? error.stack : undefined
      this.#report('error', 'request.failed', api + message, { stack })
    }
    this.#closingSinceMs ??= this.#shared.clock.monotonic()
    this.#next = null
    if (slot !== null) {
      this.#line.cutOff(slot)
      this.#returnReserved()
    }
    this.#maybeEnd()
  }

  #maybeEnd(): void {
    if (this.#closingSinceMs === null || this.#hasEnded || !this.#line.isEmpty) return
    if (this.#outbound.waitingBytes > 0) return
    this.#hasEnded = true
    this.#closingSinceMs = this.#shared.clock.monotonic()
    this.#connection.end()
    this.#updateReading()
  }

  /** While the client is held up its socket is not read; after the end it is, to see that the other side ends too. */
  #updateReading(): void {
    if (this.#isGone) return
    // Who waits for the next turn keeps its place in the line for memory.
    const mayRead = this.#wantsMore() && this.#shared.requestMemory.mayRead(this) && !this.#share.isWaiting
    const isReading = this.#hasEnded || mayRead
    if (isReading === this.#isReading) return
    this.#isReading = isReading
    if (isReading) this.#connection.resume()
    else this.#connection.pause()
  }

  #wantsMore(): boolean {
    const { requestMemory } = this.#shared
    const isFree = this.#closingSinceMs === null && this.#next === null && !this.#isHeldUp()
    // Whoever still has requests to be answered need not stand in line: their bytes go when they are.
    if (isFree && (this.#line.isEmpty || !requestMemory.isFull)) return true
    requestMemory.leave(this)
    return false
  }

  #closed(): void {
    this.#isGone = true
    this.#line.cutOff()
    this.#returnReserved()
    this.#outbound.close()
    this.#share.close()
    this.#shared.requestMemory.leave(this)
    this.#shared.requestMemory.release(this.#heldBytes)
    this.#heldBytes = 0
    this.#shared.gone(this)
  }

  #report(level: BrokerEvent['level'], event: string, message: string, details: object = {}): void {
    this.#shared.report({
      level,
      event,
      message: `${this.address}: ${message}`,
      connection: this.id,
      ...details,
    })
  }
}
