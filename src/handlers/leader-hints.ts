/**
 * Tells a client that came to the wrong broker where the leader is, and the leader's address, so that it need not ask for
 * metadata first.  @source KIP-951
 */
import type { Broker } from '../broker/broker.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { leaderOf } from './partition-state.ts'

export interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** A partition, here or elsewhere. */
interface Place {
  readonly topic: Pick<Topic, 'id'>
  readonly index: number
}

/** Of one response: the hints of its partitions share the list of addresses. */
export class LeaderHints {
  readonly #broker: Broker
  readonly #endpoints = new Map<number, NodeEndpoint>()

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** undefined when no leader is known, or its address is not. */
  of({ topic, index }: Place): { leaderId: number; leaderEpoch: number } | undefined {
    const { leaderId, epoch } = leaderOf(this.#broker, topic.id, index)
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
