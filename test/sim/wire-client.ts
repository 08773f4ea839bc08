/** A client of bytes: one request at a time, over a connection that is made again when it broke. It never retries. */
import { Reader } from '../../src/base/bytes.ts'
import type { Clock, Connection, Net } from '../../src/io/world.ts'
import { decodeResponseHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { frameOf } from '../server/fixture.ts'

export interface WireClientOptions {
  readonly net: Net
  readonly clock: Clock
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
}

export class WireClient {
  readonly #options: WireClientOptions
  #connection: Connection | null = null
  #received: Buffer = Buffer.alloc(0)
  #answered: ((frame: Buffer | null) => void) | null = null
  #correlationId = 0

  constructor(options: WireClientOptions) {
    this.#options = options
  }

  /** The one that was used last, if it still stands. */
  get connection(): object | null {
    return this.#connection
  }

  /** null when there is no answer: nobody knows what became of it. */
  async ask<A extends AnyApi>(
    api: A,
    request: RequestInput<A>,
    version = api.max,
  ): Promise<ResponseOf<A> | null> {
    const connection = await this.#connected()
    if (connection === null) return null
    const correlationId = ++this.#correlationId
    const frame = await this.#exchange(connection, frameOf(api, version, request, correlationId))
    if (frame === null) return null
    const reader = new Reader(frame)
    const header = decodeResponseHeader(reader, api.responseHeaderVersion(version))
    if (header.correlationId !== correlationId) throw new Error(`${api.name}: an answer to another question`)
    return api.decodeResponse(reader, version) as ResponseOf<A>
  }

  /** Without an answer to come. False when it could not be sent. */
  async tell<A extends AnyApi>(api: A, request: RequestInput<A>, version = api.max): Promise<boolean> {
    const connection = await this.#connected()
    connection?.write([frameOf(api, version, request, ++this.#correlationId)])
    return connection !== null
  }

  close(): void {
    this.#connection?.destroy()
    this.#lost(this.#connection)
  }

  async #connected(): Promise<Connection | null> {
    if (this.#connection !== null) return this.#connection
    const { net, host, port, timeoutMs } = this.#options
    const connection = await net.connect({ host, port, timeoutMs }).catch(() => null)
    if (connection === null) return null
    this.#connection = connection
    this.#received = Buffer.alloc(0)
    connection.onData = (chunk) => this.#take(chunk)
    connection.onClose = () => this.#lost(connection)
    return connection
  }

  #exchange(connection: Connection, request: Buffer): Promise<Buffer | null> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(this.#options.timeoutMs, () => this.close())
      this.#answered = (frame) => {
        timer.cancel()
        this.#answered = null
        resolve(frame)
      }
      connection.write([request])
    })
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    if (this.#received.length < 4) return
    const end = 4 + this.#received.readInt32BE(0)
    if (this.#received.length < end) return
    const frame = this.#received.subarray(4, end)
    this.#received = this.#received.subarray(end)
    this.#answered?.(frame)
  }

  #lost(connection: Connection | null): void {
    if (connection !== this.#connection) return
    this.#connection = null
    this.#answered?.(null)
  }
}
