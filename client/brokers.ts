/**
 * The brokers that are known and the connections to them: opened when needed, shared, opened again with back-off.
 *
 * A broker may have several connections ("lanes"), because answers come in order: behind a request that waits, nothing else
 * moves.
 */
import { type Address, addressText } from './address.ts'
import { backoff } from './backoff.ts'
import type { Connection } from './connection.ts'
import { ConnectionLost, KafkaError } from './errors.ts'
import { open } from './handshake.ts'
import type { Lifetime } from './lifetime.ts'
import type { ClientSettings } from './settings.ts'

/**
 * 'main' is shared. Each consumer has two of its own: fetches wait for data, and a join waits for the other members, which
 * may be consumers of the same client.
 */
export type Lane = 'main' | `fetch-${number}` | `group-${number}`

/** One lane to one address. */
interface Link {
  connection: Connection | null
  opening: Promise<Connection> | null
  failures: number
  /** Not to be opened before, monotonic ms. */
  notBefore: number
}

export class Brokers {
  readonly #settings: ClientSettings
  readonly #lifetime: Lifetime
  #nodes = new Map<number, Address>()
  readonly #links = new Map<string, Link>()
  /** Whether any broker has ever completed a handshake. */
  hasConnected = false
  /** Whether, when it was last tried, no known broker and none of the given addresses let itself be connected to. */
  isUnreachable = false

  constructor(settings: ClientSettings, lifetime: Lifetime) {
    this.#settings = settings
    this.#lifetime = lifetime
    lifetime.onEnd((reason) => {
      for (const link of this.#links.values()) link.connection?.close(reason)
      this.#links.clear()
    })
  }

  get nodeIds(): readonly number[] {
    return [...this.#nodes.keys()]
  }

  address(nodeId: number): Address | undefined {
    return this.#nodes.get(nodeId)
  }

  /** Takes over what the metadata say; connections to addresses that nobody has any more are closed. */
  update(nodes: Iterable<{ nodeId: number; host: string; port: number }>): void {
    this.#nodes = new Map([...nodes].map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const current = new Set([...this.#nodes.values(), ...this.#settings.bootstrap].map(addressText))
    for (const [key, link] of this.#links) {
      if (current.has(key.slice(key.indexOf(' ') + 1))) continue
      this.#links.delete(key)
      link.connection?.close(new ConnectionLost(key, 'the broker has left the cluster'))
    }
  }

  /** Knows one more broker, such as a coordinator that was just found. */
  add(node: { nodeId: number; host: string; port: number }): void {
    this.#nodes.set(node.nodeId, { host: node.host, port: node.port })
  }

  /** @throws KafkaError, retriable when the broker is unknown or cannot be reached */
  async connection(nodeId: number, lane: Lane): Promise<Connection> {
    const address = this.#nodes.get(nodeId)
    if (address === undefined) {
      throw new KafkaError('BROKER_NOT_AVAILABLE', `broker ${nodeId} is not in the cluster`, {
        retriable: true,
      })
    }
    return this.#connect(address, lane)
  }

  /**
   * A connection to whichever broker answers: one that is open, else the known brokers in random order, else the addresses
   * that the client was given (all known brokers may have moved).
   */
  async any(): Promise<Connection> {
    const open = [...this.#links]
      .filter(([key, { connection }]) => key.startsWith('main ') && connection?.isOpen === true)
      .map(([, { connection }]) => connection as Connection)
      .sort((a, b) => a.pending - b.pending)
    if (open[0] !== undefined) return open[0]
    const candidates = new Map(
      [...this.#shuffled([...this.#nodes.values()]), ...this.#shuffled(this.#settings.bootstrap)].map(
        (address) => [addressText(address), address],
      ),
    )
    const failures: KafkaError[] = []
    for (const address of candidates.values()) {
      try {
        return await this.#connect(address, 'main')
      } catch (cause) {
        this.#lifetime.check()
        if (!(cause instanceof KafkaError)) throw cause
        failures.push(cause)
      }
    }
    this.isUnreachable = true
    const [first] = failures
    if (first !== undefined && failures.length === 1) throw first
    const why = failures.map((failure) => failure.message).join('; ')
    throw new KafkaError('NETWORK_EXCEPTION', `no broker can be reached: ${why}`, {
      retriable: failures.some((failure) => failure.retriable),
      advice: first?.advice ?? '',
      cause: first,
    })
  }

  /** Closes the connections of a lane that is used no more. */
  drop(lane: Lane, reason: KafkaError): void {
    for (const [key, link] of this.#links) {
      if (!key.startsWith(`${lane} `)) continue
      this.#links.delete(key)
      link.connection?.close(reason)
    }
  }

  async #connect(address: Address, lane: Lane): Promise<Connection> {
    this.#lifetime.check()
    const key = `${lane} ${addressText(address)}`
    let link = this.#links.get(key)
    if (link === undefined) {
      link = { connection: null, opening: null, failures: 0, notBefore: 0 }
      this.#links.set(key, link)
    }
    if (link.connection?.isOpen === true) return link.connection
    link.opening ??= this.#open(key, address, link).finally(() => {
      link.opening = null
    })
    return link.opening
  }

  async #open(key: string, address: Address, link: Link): Promise<Connection> {
    const { clock, random } = this.#settings.transport
    const pause = link.notBefore - clock.monotonic()
    if (pause > 0) await this.#lifetime.sleep(pause)
    try {
      const connection = await open(address, this.#settings, this.#lifetime, this.hasConnected)
      if (this.#links.get(key) !== link) {
        // Dropped meanwhile: nobody would ever close it.
        const reason = new ConnectionLost(connection.address, 'it is needed no more')
        connection.close(reason)
        throw reason
      }
      link.connection = connection
      link.failures = 0
      link.notBefore = 0
      this.hasConnected = true
      this.isUnreachable = false
      return connection
    } catch (cause) {
      link.notBefore = clock.monotonic() + backoff(link.failures++, this.#settings, random)
      throw cause
    }
  }

  #shuffled<T>(list: readonly T[]): T[] {
    const shuffled = [...list]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = Math.floor(this.#settings.transport.random.float() * (i + 1))
      const [a, b] = [shuffled[i] as T, shuffled[j] as T]
      shuffled[i] = b
      shuffled[j] = a
    }
    return shuffled
  }
}
