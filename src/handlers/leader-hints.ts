/**
 * Tells a client that came to the wrong broker where the leader is, and the leader's address, so that it need not ask for
 * metadata first.  @source KIP-951
 */
import type { Broker } from '../broker/broker.ts'
import type { Partition } from '../broker/partition.ts'

export interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** Of one response: the hints of its partitions share the list of addresses. */
export class LeaderHints {
  readonly #broker: Broker
  readonly #endpoints = new Map<number, NodeEndpoint>()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** undefined when no leader is known, or its address is not. */
  of(partition: Partition): { leaderId: number; leaderEpoch: number } | undefined {
    const { leaderId, epoch } = partition.replica
    const address = leaderId < 0 ? undefined : this.#broker.endpoint(leaderId)
    if (address === undefined) return undefined
    const rack = this.#broker.image.brokers.get(leaderId)?.rack ?? null
    this.#endpoints.set(leaderId, { nodeId: leaderId, host: address.host, port: address.port, rack })
    return { leaderId, leaderEpoch: epoch }
  }

  get endpoints(): NodeEndpoint[] {
    return [...this.#endpoints.values()]
  }
}
