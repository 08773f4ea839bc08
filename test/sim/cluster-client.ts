/**
 * A client of bytes that finds its way: asks any broker who leads, goes there, and asks again when it was misled. As real clients
 * do it believes no older leader epoch than it knows, and says the one that it believes in. It never retries.
 */
import { FindCoordinator } from '../../src/protocol/apis/find-coordinator.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { type ResponseOf, zeroUuid } from '../../src/protocol/notation.ts'
import { hostOf, port } from './machine.ts'
import { keyOf, type Place, pick, type Stage } from './stage.ts'
import { WireClient } from './wire-client.ts'

export interface Leader {
  readonly client: WireClient
  readonly nodeId: number
  readonly epoch: number
}

type Row = ResponseOf<typeof Metadata>['topics'][number]['partitions'][number]

export class ClusterClient {
  readonly #stage: Stage
  readonly #timeoutMs: number
  readonly #random: Stage['random']
  readonly #net: ReturnType<Stage['netOf']>
  readonly #clients = new Map<number, WireClient>()
  readonly #leaders = new Map<string, Leader>()
  readonly #coordinators = new Map<string, number>()
  /** The newest leader epoch that was heard of, by key; and by connection, which must not go back. */
  readonly #epochs = new Map<string, number>()
  readonly #told = new WeakMap<object, Map<string, number>>()

  constructor(stage: Stage, name: string, timeoutMs = 1000) {
    this.#stage = stage
    this.#timeoutMs = timeoutMs
    this.#random = stage.random.fork(`${name} ways`)
    this.#net = stage.netOf(name)
  }

  /** Who leads the partition, as far as anybody says; null when nobody does. */
  async leader(place: Place): Promise<Leader | null> {
    const key = keyOf(place)
    const known = this.#leaders.get(key)
    if (known !== undefined) return known
    const row = await this.#describe(place)
    if (row === null || row.leaderId < 0 || row.leaderEpoch < (this.#epochs.get(key) ?? -1)) return null
    this.#epochs.set(key, row.leaderEpoch)
    const leader = { client: this.at(row.leaderId), nodeId: row.leaderId, epoch: row.leaderEpoch }
    this.#leaders.set(key, leader)
    return leader
  }

  /** Only asks, whatever is known: some broker says who leads. */
  async look(place: Place): Promise<void> {
    await this.#describe(place)
  }

  /** The coordinator of a group, or null. */
  async coordinator(group: string): Promise<WireClient | null> {
    const known = this.#coordinators.get(group)
    if (known !== undefined) return this.at(known)
    const answer = await this.any().ask(FindCoordinator, { keyType: 0, coordinatorKeys: [group] })
    const row = answer?.coordinators[0]
    if (row === undefined || row.errorCode !== 0 || row.nodeId < 0) return null
    this.#coordinators.set(group, row.nodeId)
    return this.at(row.nodeId)
  }

  /** What was known of a partition or a group did not help. */
  misled(of: Place | string): void {
    if (typeof of === 'string') this.#coordinators.delete(of)
    else this.#leaders.delete(keyOf(of))
  }

  any(): WireClient {
    return this.at(pick(this.#stage.plan.brokers, this.#random))
  }

  at(nodeId: number): WireClient {
    let client = this.#clients.get(nodeId)
    if (client === undefined) {
      const where = { host: hostOf(nodeId), port, timeoutMs: this.#timeoutMs }
      client = new WireClient({ net: this.#net, clock: this.#stage.clock, ...where })
      this.#clients.set(nodeId, client)
    }
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
  }

  async #describe(place: Place): Promise<Row | null> {
    const client = this.any()
    const answer = await client.ask(Metadata, {
      topics: [{ topicId: zeroUuid, name: place.topic }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    })
    const row = answer?.topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === place.partition)
    if (row === undefined) return null
    this.#checkMonotone(client, keyOf(place), row)
    return row
  }

  /** What one broker says of leaders never goes back, as long as it is the same process. */
  #checkMonotone(client: WireClient, key: string, { leaderId, leaderEpoch }: Row): void {
    if (client.connection === null) return
    const told = this.#told.get(client.connection) ?? new Map<string, number>()
    this.#told.set(client.connection, told)
    const before = told.get(key) ?? -1
    if (leaderEpoch < before)
      this.#stage.recorder.violate(`${key}: a broker speaks of leader epoch ${leaderEpoch} after ${before}`)
    // Of an election that is under way nobody has to know.
    if (leaderId >= 0) told.set(key, leaderEpoch)
  }
}
