/** A server with handlers of the test's choice, and clients that speak frames. */
import { Reader, Writer } from '../../src/base/bytes.ts'
import type { Broker, BrokerEvent } from '../../src/broker/broker.ts'
import { Purgatory } from '../../src/broker/purgatory.ts'
import { Settings } from '../../src/config/settings.ts'
import type { Handler } from '../../src/handlers/handler.ts'
import type { Clock, Connection, Net } from '../../src/io/world.ts'
import { decodeResponseHeader, encodeRequestHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { Server } from '../../src/server/server.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'
import { ManualClock, MemoryNet } from './world.ts'

export interface Fixture<N extends Net = MemoryNet, C extends Clock = ManualClock> {
  readonly server: Server
  readonly net: N
  readonly clock: C
  readonly events: BrokerEvent[]
  client(): Promise<Client>
}

export async function startServer(
  handlers: readonly Handler[],
  settings?: Record<string, string>,
): Promise<Fixture>
export async function startServer<N extends Net, C extends Clock>(
  handlers: readonly Handler[],
  settings: Record<string, string>,
  world: { net: N; clock: C },
): Promise<Fixture<N, C>>
export async function startServer(
  handlers: readonly Handler[],
  settings: Record<string, string> = {},
  world: { net: Net; clock: Clock } = { net: new MemoryNet(), clock: new ManualClock() },
): Promise<Fixture<Net, Clock>> {
  const held = new Settings()
  for (const [name, value] of Object.entries(settings)) held.set(name, value, 'flag')
  const events: BrokerEvent[] = []
  // What a listener asks of a broker; the rest is its handlers' affair.
  const broker = {
    settings: held,
    world: { ...world, buffers: new PoisonedBuffers() },
    purgatory: new Purgatory({ clock: world.clock, parkedMax: 100, wokenMax: 64 }),
    event: (event: BrokerEvent) => void events.push(event),
  } as unknown as Broker
  const server = await Server.listen(broker, { host: '127.0.0.1', port: 0, handlers })
  const { net, clock } = world
  const client = async () =>
    new Client(await net.connect({ host: '127.0.0.1', port: server.port, timeoutMs: 5000 }))
  return { server, net, clock, events, client }
}

/** Frames out, frames in, in the order they come. */
export class Client {
  readonly closed: Promise<void>
  isClosed = false
  readonly #connection: Connection
  #received: Buffer = Buffer.alloc(0)
  readonly #frames: Buffer[] = []
  readonly #waiting: ((frame: Buffer | null) => void)[] = []

  constructor(connection: Connection) {
    this.#connection = connection
    connection.onData = (chunk) => this.#take(chunk)
    this.closed = new Promise((resolve) => {
      connection.onClose = () => {
        this.isClosed = true
        for (const waiting of this.#waiting.splice(0)) waiting(null)
        resolve()
      }
    })
  }

  write(bytes: Buffer): void {
    this.#connection.write([bytes])
  }
  ask<A extends AnyApi>(api: A, version: number, request: RequestInput<A>, correlationId = 0): void {
    this.write(frameOf(api, version, request, correlationId))
  }
  /** The next frame that comes, without its size; null when the connection closes first. */
  frame(): Promise<Buffer | null> {
    const frame = this.#frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    return this.isClosed ? Promise.resolve(null) : new Promise((resolve) => this.#waiting.push(resolve))
  }
  async answer<A extends AnyApi>(
    api: A,
    version: number,
  ): Promise<{ correlationId: number; response: ResponseOf<A> } | null> {
    const frame = await this.frame()
    if (frame === null) return null
    const reader = new Reader(frame)
    const { correlationId } = decodeResponseHeader(reader, api.responseHeaderVersion(version))
    return { correlationId, response: api.decodeResponse(reader, version) as ResponseOf<A> }
  }
  get unread(): number {
    return this.#frames.length
  }
  pause(): void {
    this.#connection.pause()
  }
  resume(): void {
    this.#connection.resume()
  }
  end(): void {
    this.#connection.end()
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4 && this.#received.length >= 4 + this.#received.readInt32BE(0)) {
      const end = 4 + this.#received.readInt32BE(0)
      const frame = this.#received.subarray(4, end)
      this.#received = this.#received.subarray(end)
      const waiting = this.#waiting.shift()
      if (waiting === undefined) this.#frames.push(frame)
      else waiting(frame)
    }
  }
}

export function frameOf<A extends AnyApi>(
  api: A,
  version: number,
  request: RequestInput<A>,
  correlationId = 0,
): Buffer {
  const writer = new Writer()
  writer.int32(0)
  const header = { apiKey: api.key, apiVersion: version, correlationId, clientId: 'test' }
  encodeRequestHeader(writer, header, api.requestHeaderVersion(version))
  api.encodeRequest(writer, request as never, version)
  writer.patchInt32(0, writer.size - 4)
  return writer.toBuffer()
}
