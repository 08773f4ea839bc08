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
  /** Of the next reassignment. */
  nextMoveId: number
  /** Ids of brokers that were taken out. They do not come back: what they promised with another disk is not theirs. */
  readonly retired: Set<number>
}

export interface RegisteredBroker {
  readonly id: number
  /** Minted when the data folder was made: a broker whose disk was wiped is another one. */
  readonly diskId: string
  readonly host: string
  readonly port: number
  readonly rack: string | null
  /** Where other brokers reach it; null when it has no port for them. */
  readonly peerHost: string | null
  readonly peerPort: number
}

/** A partition is being reassigned. To give it up is to move back. */
export interface Move {
  /** Never reused: a report about an earlier move says nothing about this one. */
  readonly id: number
  /** The replicas before. */
  readonly from: readonly number[]
  /** Those that are wanted, the preferred leader first. */
  readonly to: readonly number[]
}

/** Of a partition that was reassigned once: with which voters its quorum began, and who of them has held it ever since. */
export interface Origin {
  readonly voters: readonly number[]
  readonly kept: readonly number[]
}

export interface Topic {
  readonly name: string
  /** Canonical uuid, never reused. */
  readonly id: string
  /**
   * By partition index: the brokers that hold it, the preferred leader first; while it moves, the old ones and the new ones.
   * Changed by `Topics` alone.
   */
  placements: readonly (readonly number[])[]
  /** By partition index: reassignments under way. */
  moves: ReadonlyMap<number, Move>
  /** By partition index; those that never moved are missing. */
  origins: ReadonlyMap<number, Origin>
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
  startMove(topic: Topic, index: number, move: Move): void {
    const holders = topic.placements[index] ?? []
    if (!topic.origins.has(index)) {
      topic.origins = new Map(topic.origins).set(index, { voters: holders, kept: holders })
    }
    topic.moves = new Map(topic.moves).set(index, move)
    topic.placements = topic.placements.with(index, [...new Set([...move.to, ...holders])])
  }
  finishMove(topic: Topic, index: number): void {
    const moves = new Map(topic.moves)
    const to = moves.get(index)?.to ?? []
    moves.delete(index)
    topic.moves = moves
    const { voters, kept } = topic.origins.get(index) ?? { voters: to, kept: to }
    topic.origins = new Map(topic.origins).set(index, { voters, kept: kept.filter((id) => to.includes(id)) })
    topic.placements = topic.placements.with(index, to)
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
    nextMoveId: 1,
    retired: new Set(),
  }
}

/**
 * The voters that a replica on `broker` is opened with: those that the quorum began with, or none for one that came later. Who
 * left and came back has come later: its log is a new one, and must not pass for that of the voter that it was.
 */
export function votersAtOpen(topic: Topic, index: number, broker: number): readonly number[] {
  const origin = topic.origins.get(index)
  if (origin === undefined) return topic.placements[index] ?? []
  return origin.kept.includes(broker) ? origin.voters : []
}

/** Makes `target` what `source` is. Topics that both have stay the same objects: partitions hold on to them. */
export function replaceClusterState(target: ClusterState, source: ClusterState): void {
  target.clusterId = source.clusterId
  target.nextProducerId = source.nextProducerId
  target.nextMoveId = source.nextMoveId
  target.brokers.clear()
  for (const [id, broker] of source.brokers) target.brokers.set(id, broker)
  target.brokerConfigs.clear()
  for (const [broker, configs] of source.brokerConfigs) target.brokerConfigs.set(broker, configs)
  target.retired.clear()
  for (const id of source.retired) target.retired.add(id)
  const before = [...target.topics.all()]
  for (const topic of before) target.topics.remove(topic)
  for (const topic of source.topics.all()) {
    const known = before.find(({ id }) => id === topic.id)
    target.topics.add(known === undefined ? topic : Object.assign(known, topic))
  }
}
