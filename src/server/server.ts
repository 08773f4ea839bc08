/**
 * The Kafka listener: accepts connections, cuts frames, keeps the order, dispatches, and bounds everything.
 *
 * | what                         | bound (setting)                                      | beyond it                          |
 * |------------------------------|------------------------------------------------------|------------------------------------|
 * | connections                  | max.connections, max.connections.per.ip              | refused, one log line              |
 * | a frame                      | socket.request.max.bytes; memory as bytes arrive     | closed                             |
 * | a half frame                 | lograft.frame.timeout.ms without 64 KiB more         | closed                             |
 * | an idle connection           | connections.max.idle.ms                              | ended in good order                |
 * | requests of one connection   | lograft.connection.requests.max                      | its socket is not read             |
 * | pipelined requests, all      | queued.max.requests beyond the first of each         | their sockets are not read         |
 * | a connection, in one turn    | lograft.connection.turn.requests.max, .bytes.max     | it goes on in the next, in line    |
 * | a turn of the event loop     | lograft.turn.ms.max                                  | requests start in the next         |
 * | bytes of requests, all       | lograft.requests.bytes.max, and one frame            | sockets are not read               |
 * | answers to one slow reader   | lograft.connection.outbound.bytes.max, and one       | its requests wait                  |
 * | answers, all                 | lograft.responses.bytes.max: waiting or being read   | one batch an answer, one answer    |
 * |                              |                                                      | waits for each slow reader         |
 * | a reader that takes nothing  | lograft.connection.stalled.ms                        | dropped                            |
 *
 * Events: connection.refused, connection.idle, connection.stalled, frame.foreign (TLS, HTTP or SSH on this port), frame.size,
 * frame.late, request.malformed, request.refused (an API or version that is not served; a refusal that has no answer, as with
 * acks=0), request.failed (our fault).
 *
 * Where TLS and SASL go: TLS is another Net, under the connection; authentication is a state of ClientConnection that
 * Dispatch.route asks before it looks at the table.
 */
import type { Broker } from '../broker/broker.ts'
import type { Handler } from '../handlers/handler.ts'
import { handlers as table } from '../handlers/table.ts'
import type { Connection, Listener, Timer } from '../io/world.ts'
import { ClientConnection, type Shared } from './client-connection.ts'
import { Dispatch } from './dispatch.ts'
import { limitsOf } from './limits.ts'
import { OutboundMemory } from './outbound.ts'
import { Reports } from './reports.ts'
import { RequestMemory } from './request-memory.ts'
import { Turns } from './turns.ts'

export interface ServerOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** What is served; all that there is unless said otherwise. */
  readonly handlers?: readonly Handler[]
}

/** How often connections are looked at for what has run out of time: often enough for the shortest time-out. */
const checkMsMax = 1000
const checkMsMin = 10

export class Server {
  readonly #broker: Broker
  readonly #shared: Shared
  readonly #connections = new Set<ClientConnection>()
  readonly #byAddress = new Map<string, number>()
  readonly #checkMs: number
  #listener: Listener | null = null
  #timer: Timer | null = null
  #serial = 0
  #isClosing = false
  #onEmpty: (() => void) | null = null

  /** Listens. @throws Faulted('net') when it cannot: the port is in use, the address is not ours */
  static async listen(broker: Broker, options: ServerOptions): Promise<Server> {
    const server = new Server(broker, options.handlers ?? table)
    server.#listener = await broker.world.net.listen(options, (connection) => server.#accept(connection))
    return server
  }

  private constructor(broker: Broker, handlers: readonly Handler[]) {
    const { clock } = broker.world
    const limits = limitsOf(broker.settings)
    const reports = new Reports(clock, (event) => broker.event(event))
    const shortestMs = Math.min(limits.frameTimeoutMs, limits.stalledMs, limits.idleMs)
    this.#checkMs = Math.min(checkMsMax, Math.max(checkMsMin, shortestMs / 4))
    this.#broker = broker
    this.#shared = {
      clock,
      limits,
      buffers: broker.world.buffers,
      dispatch: new Dispatch(broker, handlers),
      requestMemory: new RequestMemory(limits.requestBytesMax),
      outboundMemory: new OutboundMemory(limits.outboundBytesMax),
      pipelined: { count: 0 },
      turns: new Turns(clock, limits),
      report: (event) => reports.report(event),
      gone: (connection) => this.#gone(connection),
    }
  }

  get host(): string {
    return this.#listener?.host ?? ''
  }
  get port(): number {
    return this.#listener?.port ?? 0
  }
  /** Open connections. */
  get connections(): number {
    return this.#connections.size
  }
  /** Bytes of requests under way, and of answers that wait or are under way, for metrics. */
  get memory(): { requestBytes: number; outboundBytes: number } {
    return {
      requestBytes: this.#shared.requestMemory.used,
      outboundBytes: this.#shared.outboundMemory.used,
    }
  }

  /**
   * Stops accepting, answers what is under way (fetches that wait are answered with what there is), ends every connection;
   * those that are still there after `graceMs` are dropped.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    await this.#listener?.close()
    this.#broker.purgatory.close()
    for (const connection of this.#connections) connection.finish()
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#shared.clock.setTimer(graceMs, () => {
          for (const connection of this.#connections) connection.destroy()
        })
        this.#onEmpty = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.#timer?.cancel()
  }

  #accept(connection: Connection): void {
    const address = addressOf(connection.remote)
    const refusal = this.#refusal(address)
    if (refusal !== null) {
      this.#shared.report({
        level: 'warn',
        event: 'connection.refused',
        message: `${address}: ${refusal}`,
        remote: connection.remote,
      })
      connection.destroy()
      return
    }
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    const id = `${connection.remote}-${++this.#serial}`
    this.#connections.add(new ClientConnection(connection, { id, address }, this.#shared))
    this.#timer ??= this.#arm()
  }

  #refusal(address: string): string | null {
    const { connectionsMax, connectionsPerAddressMax } = this.#shared.limits
    if (this.#isClosing) return 'the broker is stopping'
    if (this.#connections.size >= connectionsMax)
      return `${connectionsMax} connections are open (max.connections)`
    if ((this.#byAddress.get(address) ?? 0) >= connectionsPerAddressMax) {
      return `${connectionsPerAddressMax} connections are open from this address (max.connections.per.ip)`
    }
    return null
  }

  #gone(connection: ClientConnection): void {
    this.#connections.delete(connection)
    const left = (this.#byAddress.get(connection.address) ?? 1) - 1
    if (left === 0) this.#byAddress.delete(connection.address)
    else this.#byAddress.set(connection.address, left)
    this.#broker.purgatory.abandon(connection.id)
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  /** One timer for all connections, while there are any. */
  #arm(): Timer {
    return this.#shared.clock.setTimer(this.#checkMs, () => {
      const nowMs = this.#shared.clock.monotonic()
      for (const connection of this.#connections) connection.check(nowMs)
      this.#timer = this.#connections.size > 0 ? this.#arm() : null
    })
  }
}

/** 'address:port' without the port; IPv4 that came through an IPv6 socket as itself. */
function addressOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '')
}
