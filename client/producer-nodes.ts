/** The brokers as a producer sees them: the connection to each, and how much is under way there. */
import type { Brokers } from './brokers.ts'
import type { Connection } from './connection.ts'
import { asKafkaError, type KafkaError } from './errors.ts'

export interface ProducerNode {
  /** Requests that have no answer yet. */
  inFlight: number
  readonly connection: Connection | null
}

interface Node extends ProducerNode {
  connection: Connection | null
  isOpening: boolean
  /** Waits until its socket has room. */
  isDraining: boolean
}

export interface NodeEvents {
  /** A connection is open, or could not be opened, or has room again: look what can be sent. */
  changed(): void
  failed(error: KafkaError): void
}

export class ProducerNodes {
  readonly #brokers: Brokers
  readonly #events: NodeEvents
  readonly #nodes = new Map<number, Node>()

  constructor(brokers: Brokers, events: NodeEvents) {
    this.#brokers = brokers
    this.#events = events
  }

  get(nodeId: number): ProducerNode {
    return this.#node(nodeId)
  }

  /** Apart from sending, so that what is sent keeps its order: a request leaves in the turn in which it is taken. */
  open(nodeId: number): void {
    const node = this.#node(nodeId)
    if (node.isOpening) return
    node.isOpening = true
    const opened = this.#brokers.connection(nodeId, 'main').then(
      (connection) => {
        node.connection = connection
      },
      (cause: unknown) => this.#events.failed(asKafkaError(cause)),
    )
    void opened.finally(() => {
      node.isOpening = false
      this.#events.changed()
    })
  }

  awaitRoom(nodeId: number): void {
    const node = this.#node(nodeId)
    if (node.isDraining || node.connection === null) return
    node.isDraining = true
    node.connection.onceDrained(() => {
      node.isDraining = false
      this.#events.changed()
    })
  }

  #node(nodeId: number): Node {
    const known = this.#nodes.get(nodeId)
    if (known !== undefined) return known
    const node = { inFlight: 0, isOpening: false, isDraining: false, connection: null }
    this.#nodes.set(nodeId, node)
    return node
  }
}
