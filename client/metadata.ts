/**
 * What is known of the cluster: brokers, controller, and the topics that somebody asked for. Refreshed when it is old, when
 * a topic is missing, and when a broker says that something has moved.
 */
import { type ErrorName, errorName } from '../src/base/error-codes.ts'
import { Metadata as MetadataApi } from '../src/protocol/apis/metadata.ts'
import type { ResponseOf } from '../src/protocol/notation.ts'
import type { Brokers } from './brokers.ts'
import { BrokerRefused, KafkaError } from './errors.ts'
import type { ClientSettings } from './settings.ts'

export interface TopicMetadata {
  readonly name: string
  /** The zero uuid when the broker gives none. */
  readonly topicId: string
  readonly isInternal: boolean
  /** By partition index. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface PartitionMetadata {
  readonly index: number
  /** -1 when there is none. */
  readonly leader: number
  /** -1 when the broker does not tell. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
  readonly offline: readonly number[]
}

export interface ClusterMetadata {
  readonly clusterId: string | null
  /** -1 when unknown. */
  readonly controllerId: number
  readonly brokers: readonly BrokerMetadata[]
  readonly topics: ReadonlyMap<string, TopicMetadata>
  /** Topics that were asked for and have an error instead. */
  readonly errors: ReadonlyMap<string, ErrorName>
}

export interface BrokerMetadata {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** What the answer to a request at the wrong broker says of the right one. */
export interface LeaderHint {
  /** -1: it does not know. */
  readonly leaderId: number
  readonly leaderEpoch: number
  /** Of the brokers that the answer names. */
  readonly endpoints: readonly { nodeId: number; host: string; port: number }[]
}

interface Held {
  readonly topic: TopicMetadata
  lastUsed: number
}

/** Names that one refresh asks for. */
interface Round {
  readonly names: Set<string>
  readonly create: Set<string>
  readonly done: Promise<ClusterMetadata>
}

export class Metadata {
  readonly #settings: ClientSettings
  readonly #brokers: Brokers
  readonly #topics = new Map<string, Held>()
  #controllerId = -1
  #fetchedAt = -Infinity
  #running: Promise<ClusterMetadata> | null = null
  #next: Round | null = null

  constructor(settings: ClientSettings, brokers: Brokers) {
    this.#settings = settings
    this.#brokers = brokers
  }

  /** -1 when unknown. */
  get controllerId(): number {
    return this.#controllerId
  }

  /** The topic as last heard; undefined when it was never seen, or when what was heard is no longer to be trusted. */
  known(name: string, now = this.#settings.transport.clock.monotonic()): TopicMetadata | undefined {
    if (now - this.#fetchedAt > this.#settings.metadataMaxAgeMs) return undefined
    const held = this.#topics.get(name)
    if (held === undefined) return undefined
    held.lastUsed = now
    return held.topic
  }

  /**
   * Broker `asked` does not lead, and said who does (KIP-951). True when that can be believed: no older than what is known, and
   * another broker; then there is nothing to wait for.
   */
  learn(name: string, index: number, asked: number, hint: LeaderHint): boolean {
    const { leaderId, leaderEpoch, endpoints } = hint
    const held = this.#topics.get(name)
    const partition = held?.topic.partitions[index]
    if (held === undefined || partition === undefined || leaderId < 0 || leaderId === asked) return false
    if (leaderEpoch <= partition.leaderEpoch) return leaderEpoch === partition.leaderEpoch
    for (const endpoint of endpoints) this.#brokers.add(endpoint)
    if (this.#brokers.address(leaderId) === undefined) return false
    const partitions = held.topic.partitions.with(index, { ...partition, leader: leaderId, leaderEpoch })
    this.#topics.set(name, { ...held, topic: { ...held.topic, partitions } })
    return true
  }

  /** Forgets how fresh it is: the next look-up asks a broker. */
  invalidate(): void {
    this.#fetchedAt = -Infinity
    // It may be the one that is gone.
    this.#controllerId = -1
  }

  /**
   * One attempt to know the topic.
   * @throws BrokerRefused with the topic's error
   */
  async topic(name: string, options: { create?: boolean } = {}): Promise<TopicMetadata> {
    const known = this.known(name)
    if (known !== undefined) return known
    const { topics, errors } = await this.refresh([name], options)
    const topic = topics.get(name)
    if (topic !== undefined) return topic
    throw new BrokerRefused(errors.get(name) ?? 'UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`)
  }

  /** The leader of a partition, in one attempt. @throws KafkaError, retriable where waiting may help */
  async leader(name: string, index: number): Promise<PartitionMetadata> {
    const topic = await this.topic(name)
    const partition = topic.partitions[index]
    if (partition === undefined) {
      const there = `it has ${topic.partitions.length}`
      throw new BrokerRefused(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `partition ${name}-${index}`,
        `no such partition, ${there}`,
      )
    }
    if (partition.leader < 0) {
      this.invalidate()
      throw new BrokerRefused('LEADER_NOT_AVAILABLE', `partition ${name}-${index}`)
    }
    return partition
  }

  /**
   * Asks a broker, at the earliest after this call: calls that come while an answer is under way share the next question.
   * Covers the topics in use as well as `names`.
   */
  refresh(names: Iterable<string> = [], options: { create?: boolean } = {}): Promise<ClusterMetadata> {
    if (this.#running === null)
      return this.#run(new Set(names), new Set(options.create === true ? names : []))
    this.#next ??= this.#after(this.#running)
    for (const name of names) {
      this.#next.names.add(name)
      if (options.create === true) this.#next.create.add(name)
    }
    return this.#next.done
  }

  /** Asks without keeping the answer: `null` for all topics. */
  async fetch(names: readonly string[] | null, create: boolean): Promise<ClusterMetadata> {
    const connection = await this.#brokers.any()
    const response = await connection.request(
      MetadataApi,
      // Version 0 takes the empty list for all topics, the others null.
      (version) => ({
        topics: names === null ? (version === 0 ? [] : null) : names.map((name) => ({ name })),
        ...(version >= 4 && { allowAutoTopicCreation: create }),
      }),
      this.#settings.requestTimeoutMs,
    )
    const metadata = read(response)
    this.#brokers.update(metadata.brokers)
    this.#controllerId = metadata.controllerId
    return metadata
  }

  #after(running: Promise<unknown>): Round {
    const names = new Set<string>()
    const create = new Set<string>()
    const start = (): Promise<ClusterMetadata> => {
      this.#next = null
      return this.#run(names, create)
    }
    return { names, create, done: running.then(start, start) }
  }

  #run(names: Set<string>, create: Set<string>): Promise<ClusterMetadata> {
    this.#dropUnused()
    for (const name of this.#topics.keys()) names.add(name)
    const running = this.#ask(names, create).finally(() => {
      if (this.#running === running) this.#running = null
    })
    this.#running = running
    return running
  }

  async #ask(names: Set<string>, create: Set<string>): Promise<ClusterMetadata> {
    // Only what a producer asked for may be created: a request has one flag for all its topics.
    if (create.size > 0) await this.fetch([...create], true)
    const metadata = await this.fetch([...names], false)
    const now = this.#settings.transport.clock.monotonic()
    for (const [name, topic] of metadata.topics) {
      const held = this.#topics.get(name)
      this.#topics.set(name, { topic: newest(held?.topic, topic), lastUsed: held?.lastUsed ?? now })
    }
    for (const name of metadata.errors.keys()) this.#topics.delete(name)
    this.#fetchedAt = now
    return metadata
  }

  #dropUnused(): void {
    const now = this.#settings.transport.clock.monotonic()
    for (const [name, held] of this.#topics) {
      if (now - held.lastUsed > this.#settings.metadataMaxAgeMs) this.#topics.delete(name)
    }
  }
}

/** Brokers may answer with what they knew a while ago; a leader epoch never goes back (KIP-320). */
function newest(held: TopicMetadata | undefined, heard: TopicMetadata): TopicMetadata {
  if (held === undefined || held.topicId !== heard.topicId) return heard
  const partitions = heard.partitions.map((partition) => {
    const before = held.partitions[partition.index]
    return before !== undefined && before.leaderEpoch > partition.leaderEpoch ? before : partition
  })
  return { ...heard, partitions }
}

function read(response: ResponseOf<typeof MetadataApi>): ClusterMetadata {
  const topics = new Map<string, TopicMetadata>()
  const errors = new Map<string, ErrorName>()
  for (const row of response.topics) {
    if (row.name === null) continue
    if (row.errorCode !== 0) {
      errors.set(row.name, errorName(row.errorCode))
      continue
    }
    const partitions: PartitionMetadata[] = []
    for (const p of row.partitions) {
      partitions[p.partitionIndex] = {
        index: p.partitionIndex,
        leader: p.leaderId,
        leaderEpoch: p.leaderEpoch,
        replicas: p.replicaNodes,
        inSync: p.isrNodes,
        offline: p.offlineReplicas,
      }
    }
    for (let i = 0; i < partitions.length; i++) {
      if (partitions[i] === undefined)
        throw new KafkaError('UNKNOWN_SERVER_ERROR', `topic ${row.name} lacks partition ${i}`)
    }
    topics.set(row.name, { name: row.name, topicId: row.topicId, isInternal: row.isInternal, partitions })
  }
  const { clusterId, controllerId, brokers } = response
  return { clusterId, controllerId, brokers, topics, errors }
}
