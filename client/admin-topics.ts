/** Topics, their partitions and records. */
import { CreatePartitions } from '../src/protocol/apis/create-partitions.ts'
import { CreateTopics } from '../src/protocol/apis/create-topics.ts'
import { DeleteRecords } from '../src/protocol/apis/delete-records.ts'
import { DeleteTopics } from '../src/protocol/apis/delete-topics.ts'
import { outcomeOf, settleAll } from './admin-items.ts'
import type { Cluster } from './cluster.ts'
import { asKafkaError, BrokerRefused, type KafkaError, refused, throwFailures } from './errors.ts'
import type { TopicMetadata } from './metadata.ts'
import { byLeader } from './offsets.ts'
import { byTopic, nameOf, type TopicPartition } from './partition.ts'

export interface NewTopic {
  readonly name: string
  /** The cluster's default when absent. */
  readonly partitions?: number | undefined
  readonly replicationFactor?: number | undefined
  readonly configs?: { readonly [name: string]: string } | undefined
}

export interface CreatedTopic {
  readonly name: string
  /** The zero uuid when the broker gives none. */
  readonly topicId: string
  /** -1 when the broker does not tell. */
  readonly partitions: number
  readonly replicationFactor: number
}

export async function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
  options: { validateOnly?: boolean },
): Promise<CreatedTopic[]> {
  const timeoutMs = cluster.settings.requestTimeoutMs
  const created = new Map<string, CreatedTopic>()
  await settleAll(cluster, 'creation of topics', topics, async (left) => {
    const response = await cluster.request('controller', CreateTopics, (version) => ({
      topics: left.map((topic) => ({
        name: topic.name,
        numPartitions: topic.partitions ?? -1,
        replicationFactor: topic.replicationFactor ?? -1,
        assignments: [],
        configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
      })),
      timeoutMs,
      ...(version >= 1 && { validateOnly: options.validateOnly ?? false }),
    }))
    return left.map((topic) => {
      const row = response.topics.find(({ name }) => name === topic.name)
      const outcome = outcomeOf(topic, row, `topic ${topic.name}`)
      if (row !== undefined && outcome.error === null) {
        const { name, topicId, numPartitions: partitions, replicationFactor } = row
        created.set(name, { name, topicId, partitions, replicationFactor })
      }
      return outcome
    })
  })
  cluster.metadata.invalidate()
  if (options.validateOnly !== true) await awaitLeaders(cluster, [...created.keys()])
  return topics.flatMap(({ name }) => created.get(name) ?? [])
}

/** Kafka answers before its brokers have heard of the topic; who uses it at once would be told that it does not exist. */
async function awaitLeaders(cluster: Cluster, names: readonly string[]): Promise<void> {
  const { topicTimeoutMs, logger } = cluster.settings
  const look = async (): Promise<void> => {
    const { topics } = await cluster.metadata.fetch(names, false)
    for (const name of names) {
      if (topics.get(name)?.partitions.every(({ leader }) => leader >= 0) === true) continue
      throw new BrokerRefused('LEADER_NOT_AVAILABLE', `topic ${name}`)
    }
  }
  try {
    await cluster.retry('leaders of the new topics', look, { timeoutMs: topicTimeoutMs })
  } catch (cause) {
    cluster.lifetime.check()
    // They are created, which is what was asked for.
    logger.warn({ topics: names }, `created, but not ready yet: ${asKafkaError(cause).message}`)
  }
}

export async function deleteTopics(cluster: Cluster, names: readonly string[]): Promise<void> {
  const timeoutMs = cluster.settings.requestTimeoutMs
  await settleAll(cluster, 'deletion of topics', names, async (left) => {
    const response = await cluster.request('controller', DeleteTopics, (version) =>
      version >= 6
        ? { topics: left.map((name) => ({ name, topicId: zero })), timeoutMs }
        : { topicNames: left, timeoutMs },
    )
    return left.map((name) =>
      outcomeOf(
        name,
        response.responses.find((row) => row.name === name),
        `topic ${name}`,
      ),
    )
  })
  cluster.metadata.invalidate()
}

const zero = '00000000-0000-0000-0000-000000000000'

export async function listTopics(
  cluster: Cluster,
  options: { internal?: boolean },
): Promise<TopicMetadata[]> {
  const { topics } = await cluster.retry('list of topics', () => cluster.metadata.fetch(null, false))
  return [...topics.values()]
    .filter((topic) => options.internal === true || !topic.isInternal)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export async function describeTopics(cluster: Cluster, names: readonly string[]): Promise<TopicMetadata[]> {
  const { topics, errors } = await cluster.retry('topics', () => cluster.metadata.fetch(names, false))
  const failures: KafkaError[] = []
  const found: TopicMetadata[] = []
  for (const name of names) {
    const topic = topics.get(name)
    if (topic !== undefined) found.push(topic)
    else failures.push(new BrokerRefused(errors.get(name) ?? 'UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`))
  }
  throwFailures(failures)
  return found
}

/** `count` is the new total. */
export async function createPartitions(
  cluster: Cluster,
  topic: string,
  count: number,
  options: { validateOnly?: boolean },
): Promise<void> {
  await settleAll(cluster, `partitions of topic ${topic}`, [topic], async () => {
    const response = await cluster.request('controller', CreatePartitions, {
      topics: [{ name: topic, count, assignments: null }],
      timeoutMs: cluster.settings.requestTimeoutMs,
      validateOnly: options.validateOnly ?? false,
    })
    return [outcomeOf(topic, response.results[0], `topic ${topic}`)]
  })
  cluster.metadata.invalidate()
}

export interface RecordsToDelete extends TopicPartition {
  /** All below this offset go; 'end' for all. */
  readonly before: number | 'end'
}

export interface DeletedRecords extends TopicPartition {
  /** The first offset that is left. */
  readonly lowWatermark: number
}

export async function deleteRecords(
  cluster: Cluster,
  wanted: readonly RecordsToDelete[],
): Promise<DeletedRecords[]> {
  const done = new Map<string, DeletedRecords>()
  await settleAll(cluster, 'deletion of records', wanted, async (left) => {
    const leaders = await byLeader(cluster, left)
    const outcomes = await Promise.all(
      [...leaders].map(([leader, items]) => deleteOn(cluster, leader, items, done)),
    )
    return outcomes.flat()
  })
  return wanted.flatMap((item) => done.get(nameOf(item)) ?? [])
}

async function deleteOn(
  cluster: Cluster,
  leader: number,
  items: readonly RecordsToDelete[],
  done: Map<string, DeletedRecords>,
) {
  const response = await cluster.request(leader, DeleteRecords, {
    topics: [...byTopic(items)].map(([name, list]) => ({
      name,
      partitions: list.map(({ partition, before }) => ({
        partitionIndex: partition,
        offset: before === 'end' ? -1 : before,
      })),
    })),
    timeoutMs: cluster.settings.requestTimeoutMs,
  })
  return items.map((item) => {
    const row = response.topics
      .find(({ name }) => name === item.topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition)
    const what = `partition ${nameOf(item)}`
    if (row === undefined) return { item, error: refused(-1, what, 'the response left it out') }
    const { topic, partition } = item
    if (row.errorCode === 0) done.set(nameOf(item), { topic, partition, lowWatermark: row.lowWatermark })
    return outcomeOf(item, row, what)
  })
}
