/**
 * One connection to one broker. Requests leave in order and answers come in the same order (Kafka's promise per
 * connection), so the requests that wait for their answers are a queue.
 *
 * Bounds: `inFlightMax` requests on the wire, `queueMax` behind them, a time-out for each. When the oldest answer is late
 * the connection is closed, for whatever comes after it would be late as well: that request ends with TimedOut, all others
 * with ConnectionLost.
 */

import { Reader, Writer } from '../src/base/bytes.ts'
import { messageOf } from '../src/base/errors.ts'
import { decodeResponseHeader, encodeRequestHeader } from '../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../src/protocol/notation.ts'
import { channels } from './diagnostics.ts'
import { ConnectionLost, KafkaError, NotKafka, TimedOut, UnsupportedVersion } from './errors.ts'
import { Frames, FrameTooLarge } from './frames.ts'
import type { Clock, Stream, Timer } from './transport.ts'

export interface ConnectionOptions {
  readonly address: string
  readonly clientId: string
  readonly clock: Clock
  readonly inFlightMax: number
  readonly queueMax: number
  readonly responseBytesMax: number
}

/** A request, or what it is in the version that the broker and this client share. */
export type RequestFor<A extends AnyApi> = RequestInput<A> | ((version: number) => RequestInput<A>)

export interface VersionRange {
  readonly min: number
  readonly max: number
}

interface Exchange {
  readonly api: AnyApi
  readonly version: number
  readonly request: unknown
  readonly deadline: number
  readonly timeoutMs: number
  readonly resolve: (response: unknown) => void
  readonly reject: (reason: KafkaError) => void
  correlationId: number
  /** Monotonic ms. */
  sentAt: number
}

export class Connection {
  readonly address: string
  /** What the broker serves, by API key: filled by the handshake. */
  versions: ReadonlyMap<number, VersionRange> = new Map()
  readonly #stream: Stream
  readonly #options: ConnectionOptions
  readonly #frames: Frames
  /** On the wire, oldest first. */
  #inFlight: Exchange[] = []
  /** Waiting for room in flight. */
  #queue: Exchange[] = []
  #correlationId = 0
  #timer: Timer | null = null
  #timerAt = Infinity
  #closed: KafkaError | null = null
  /** Of the broker's quota: nothing is sent before (KIP-219). */
  #quietUntil = 0
  #hasAnswered = false
  #isCongested = false
  #onDrained: (() => void)[] = []
  /** Called once when the connection is over, with the reason. */
  onClose: (reason: KafkaError) => void = () => {}

  constructor(stream: Stream, options: ConnectionOptions) {
    this.address = options.address
    this.#stream = stream
    this.#options = options
    this.#frames = new Frames(options.responseBytesMax)
    stream.onData = (chunk) => this.#read(chunk)
    stream.onClose = (fault) => this.#end(fault)
    stream.onDrain = () => this.#drained()
  }

  get isOpen(): boolean {
    return this.#closed === null
  }

  /** False until the first answer: what is at the other end may be anything. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** More waits in the socket than it likes. Matters to who posts; who sends is bounded by the answers. */
  get isCongested(): boolean {
    return this.#isCongested && this.isOpen
  }

  /** Calls back when the congestion, or the connection, is over. */
  onceDrained(callback: () => void): void {
    if (this.isCongested) this.#onDrained.push(callback)
    else callback()
  }

  /** Requests that have no answer yet. */
  get pending(): number {
    return this.#inFlight.length + this.#queue.length
  }

  /**
   * The highest version that both sides know, at most `cap`.
   * @throws UnsupportedVersion
   */
  versionOf(api: AnyApi, cap = Infinity): number {
    const served = this.versions.get(api.key)
    if (served === undefined) {
      throw new UnsupportedVersion(this.address, api.name, 'it does not serve it at all')
    }
    const version = Math.min(api.max, served.max, cap)
    if (version < api.min || version < served.min) {
      const ranges = `it serves versions ${served.min} to ${served.max}, wanted are ${api.min} to ${api.max}`
      throw new UnsupportedVersion(this.address, api.name, ranges)
    }
    return version
  }

  /** Sends in the highest version that both sides know. @throws as `send`, and UnsupportedVersion */
  async request<A extends AnyApi>(
    api: A,
    request: RequestFor<A>,
    timeoutMs: number,
    cap?: number,
  ): Promise<ResponseOf<A>> {
    const version = this.versionOf(api, cap)
    const value =
      typeof request === 'function' ? (request as (v: number) => RequestInput<A>)(version) : request
    return this.send(api, value as RequestInput<A>, version, timeoutMs)
  }

  /** Sends a request and resolves with its response. @throws KafkaError: TimedOut, ConnectionLost, NotKafka */
  send<A extends AnyApi>(
    api: A,
    request: RequestInput<A>,
    version: number,
    timeoutMs: number,
  ): Promise<ResponseOf<A>> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    if (this.#queue.length >= this.#options.queueMax) {
      const why = `${this.pending} requests wait on the connection to ${this.address}`
      return Promise.reject(new KafkaError('BUFFER_EXHAUSTED', why, { retriable: true }))
    }
    return new Promise<unknown>((resolve, reject) => {
      const deadline = this.#options.clock.monotonic() + timeoutMs
      this.#queue.push({
        api,
        version,
        request,
        deadline,
        timeoutMs,
        resolve,
        reject,
        correlationId: 0,
        sentAt: 0,
      })
      this.#pump()
    }) as Promise<ResponseOf<A>>
  }

  /** Sends a request that has no response (produce with acks=0). */
  post<A extends AnyApi>(api: A, request: RequestInput<A>, version: number): void {
    if (this.#closed !== null) throw this.#closed
    this.#transmit(api, request, version, this.#nextCorrelationId())
  }

  /** Drops the connection; what waits is rejected with `reason`. */
  close(reason: KafkaError): void {
    if (this.#closed !== null) return
    this.#closed = reason
    this.#timer?.cancel()
    this.#timer = null
    this.#stream.destroy()
    const waiting = [...this.#inFlight, ...this.#queue]
    this.#inFlight = []
    this.#queue = []
    for (const exchange of waiting) this.#reject(exchange, reason)
    this.#drained()
    this.onClose(reason)
  }

  #drained(): void {
    this.#isCongested = false
    const callbacks = this.#onDrained
    this.#onDrained = []
    for (const callback of callbacks) callback()
  }

  #nextCorrelationId(): number {
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    return this.#correlationId
  }

  #pump(): void {
    const now = this.#options.clock.monotonic()
    while (
      this.#closed === null &&
      now >= this.#quietUntil &&
      this.#inFlight.length < this.#options.inFlightMax
    ) {
      const exchange = this.#queue.shift()
      if (exchange === undefined) break
      exchange.correlationId = this.#nextCorrelationId()
      exchange.sentAt = now
      try {
        this.#transmit(exchange.api, exchange.request as never, exchange.version, exchange.correlationId)
      } catch (cause) {
        exchange.reject(
          new KafkaError('INVALID_REQUEST', `${exchange.api.name}: ${messageOf(cause)}`, { cause }),
        )
        continue
      }
      this.#inFlight.push(exchange)
      this.#watch(exchange.deadline)
    }
    for (const exchange of this.#queue) this.#watch(exchange.deadline)
    if (this.#queue.length > 0 && now < this.#quietUntil) this.#watch(this.#quietUntil)
  }

  #transmit(api: AnyApi, request: never, apiVersion: number, correlationId: number): void {
    const writer = new Writer()
    writer.int32(0)
    const header = { apiKey: api.key, apiVersion, correlationId, clientId: this.#options.clientId }
    encodeRequestHeader(writer, header, api.requestHeaderVersion(apiVersion))
    api.encodeRequest(writer, request, apiVersion)
    writer.patchInt32(0, writer.size - 4)
    if (!this.#stream.write(writer.finish())) this.#isCongested = true
  }

  #read(chunk: Buffer): void {
    if (this.#closed !== null) return
    try {
      this.#frames.push(chunk, (frame) => this.#answer(frame))
    } catch (cause) {
      if (!(cause instanceof FrameTooLarge)) throw cause
      this.close(new NotKafka(this.address, foreign(cause, this.#hasAnswered), { cause }))
    }
  }

  #answer(frame: Buffer): void {
    if (this.#closed !== null) return
    const exchange = this.#inFlight[0]
    if (exchange === undefined) {
      this.close(new NotKafka(this.address, 'it answered what nobody had asked'))
      return
    }
    const { api, version } = exchange
    let response: unknown
    try {
      const reader = new Reader(frame)
      const { correlationId } = decodeResponseHeader(reader, api.responseHeaderVersion(version))
      if (correlationId !== exchange.correlationId) {
        throw new Error(`it answered request ${correlationId} where ${exchange.correlationId} was next`)
      }
      response = api.decodeResponse(reader, version)
    } catch (cause) {
      this.close(new NotKafka(this.address, `${api.name} v${version}: ${messageOf(cause)}`, { cause }))
      return
    }
    this.#inFlight.shift()
    this.#hasAnswered = true
    this.#obey(response)
    if (channels.request.hasSubscribers) this.#tell(exchange, null)
    exchange.resolve(response)
    this.#pump()
  }

  #reject(exchange: Exchange, error: KafkaError): void {
    if (channels.request.hasSubscribers) this.#tell(exchange, error)
    exchange.reject(error)
  }

  #tell({ api, version, sentAt }: Exchange, error: KafkaError | null): void {
    const { address, clientId, clock } = this.#options
    const durationMs = sentAt === 0 ? 0 : clock.monotonic() - sentAt
    channels.request.publish({ clientId, address, api: api.name, version, durationMs, error })
  }

  #obey(response: unknown): void {
    const { throttleTimeMs } = response as { throttleTimeMs?: number }
    if (throttleTimeMs !== undefined && throttleTimeMs > 0) {
      this.#quietUntil = this.#options.clock.monotonic() + throttleTimeMs
    }
  }

  /** Makes sure that the timer fires at `at` or before. */
  #watch(at: number): void {
    if (at >= this.#timerAt || this.#closed !== null) return
    this.#timer?.cancel()
    this.#timerAt = at
    const delay = Math.max(0, at - this.#options.clock.monotonic())
    this.#timer = this.#options.clock.setTimer(Math.ceil(delay), () => this.#tick())
  }

  /** The timer is not moved when an answer comes, which is cheaper: it fires, finds nothing late, and is set anew. */
  #tick(): void {
    this.#timer = null
    this.#timerAt = Infinity
    const now = this.#options.clock.monotonic()
    const late = this.#inFlight.find((exchange) => exchange.deadline <= now)
    if (late !== undefined) {
      this.#inFlight = this.#inFlight.filter((exchange) => exchange !== late)
      this.#reject(late, this.#timedOut(late))
      this.close(
        new ConnectionLost(this.address, `it did not answer ${late.api.name} within ${late.timeoutMs} ms`),
      )
      return
    }
    this.#queue = this.#queue.filter((exchange) => {
      if (exchange.deadline > now) return true
      this.#reject(exchange, this.#timedOut(exchange))
      return false
    })
    for (const exchange of this.#inFlight) this.#watch(exchange.deadline)
    this.#pump()
  }

  #timedOut(exchange: Exchange): TimedOut {
    return new TimedOut(`${exchange.api.name} to broker ${this.address}`, exchange.timeoutMs)
  }

  #end(fault: Error | null): void {
    if (this.#closed !== null) return
    if (fault instanceof KafkaError) this.close(fault)
    else if (this.#frames.isMidFrame)
      this.close(new ConnectionLost(this.address, 'it ended inside a response'))
    else this.close(new ConnectionLost(this.address, fault?.message ?? 'the broker closed it'))
  }
}

function foreign(fault: FrameTooLarge, hasAnswered: boolean): string {
  if (hasAnswered) return fault.message
  const head = fault.head.toString('latin1')
  if (head.startsWith('HTTP')) return 'it is an HTTP server'
  if (head.startsWith('SSH')) return 'it is an SSH server'
  if (fault.head[0] === 0x15 || fault.head[0] === 0x16) return 'it speaks TLS'
  return `it answered ${fault.message}`
}
