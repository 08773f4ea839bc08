/**
 * The state of the cluster as the controller replicates it: brokers, topics with their placements, configs, producer ids.
 * Every broker keeps this state (its *image* of the cluster) and answers Metadata from it.
 */
export interface ClusterState {
  clusterId: string
  readonly brokers: Map<number, RegisteredBroker>
  readonly topics: Topics
  /** Dynamic settings of brokers: '' is the default of all, else the node id. */
  readonly brokerConfigs: Map<string, ReadonlyMap<string, string>>
  /** The first producer id that no block holds yet. */
  nextProducerId: number
}

export interface RegisteredBroker {
  readonly id: number
  /** Minted when the data folder was made: a broker whose disk was wiped is another one. */
  readonly diskId: string
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface Topic {
  readonly name: string
  /** Canonical uuid, never reused. */
  readonly id: string
  /** By partition index: the brokers that hold it, the preferred leader first. Changed by `Topics.widen` alone. */
  placements: readonly (readonly number[])[]
  /** What was set on the topic, as given (Kafka's names). */
  configs: ReadonlyMap<string, string>
}

/** Topics by name and by id. What a decision asks costs the same with ten topics and with ten thousand. */
export class Topics {
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()
  readonly #byMetricName = new Map<string, Topic>()
  #partitions = 0

  byName(name: string): Topic | undefined {
    return this.#byName.get(name)
  }
  byId(id: string): Topic | undefined {
    return this.#byId.get(id)
  }
  all(): IterableIterator<Topic> {
    return this.#byName.values()
  }
  get size(): number {
    return this.#byName.size
  }
  /** Of all topics together. */
  get partitions(): number {
    return this.#partitions
  }
  /** The topic that metrics could not tell from one of this name. */
  alike(name: string): Topic | undefined {
    return this.#byMetricName.get(metricName(name))
  }
  add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
    this.#byMetricName.set(metricName(topic.name), topic)
    this.#partitions += topic.placements.length
  }
  widen(topic: Topic, added: Topic['placements']): void {
    topic.placements = [...topic.placements, ...added]
    this.#partitions += added.length
  }
  remove(topic: Topic): void {
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
    this.#byMetricName.delete(metricName(topic.name))
    this.#partitions -= topic.placements.length
  }
}

/** Dots become underscores in the names of metrics. */
function metricName(topic: string): string {
  return topic.replaceAll('.', '_')
}

export function emptyClusterState(): ClusterState {
  return {
    clusterId: '',
    brokers: new Map(),
    topics: new Topics(),
    brokerConfigs: new Map(),
    nextProducerId: 0,
  }
}
