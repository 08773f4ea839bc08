/** The controller as seen from the broker that hosts it: decisions go to the executor, and wait until they are in force. */
import { Refused } from '../base/errors.ts'
import { uuidOf } from '../base/uuid.ts'
import type { Settings } from '../config/settings.ts'
import type { Random } from '../io/world.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import type { ClusterCommand, ClusterReplies } from '../machines/cluster/commands.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { Executor } from '../replica/executor.ts'
import type { Controller } from './controller.ts'
import type { HostedTopics } from './hosted-topics.ts'
import { groupsTopicName, isInternalTopic } from './internal-topics.ts'

export type ClusterExecutor = Executor<ClusterState, ClusterCommand, ClusterChange, never, ClusterReplies>

/** Ids that one block holds; Kafka's number. */
const producerIdsPerBlock = 1000

export interface LocalControllerOptions {
  readonly executor: ClusterExecutor
  readonly image: Readonly<ClusterState>
  readonly random: Random
  readonly settings: Settings
  readonly topics: Pick<HostedTopics, 'underWay' | 'offline'>
}

export class LocalController implements Controller {
  readonly #options: LocalControllerOptions
  #groupsTopic: Promise<void> | null = null

  constructor(options: LocalControllerOptions) {
    this.#options = options
  }

  async createTopic(topic: Parameters<Controller['createTopic']>[0]): Promise<ClusterReplies['createTopic']> {
    const { executor, random, topics } = this.#options
    try {
      const created = await executor.execute({
        type: 'createTopic',
        ...topic,
        freshId: uuidOf(random.bytes(16)),
        partitionsMax: this.#partitionsMax(),
      })
      if (topic.validateOnly) return created
      await this.underWay(topic.name)
      const failed = topics.offline(created.id)
      if (failed === undefined) return created
      throw new Refused(
        'KAFKA_STORAGE_ERROR',
        `topic '${topic.name}' exists, but partition ${failed.index} is offline: ${failed.fault.message}`,
      )
    } catch (error) {
      // Somebody else has just made it: whoever hears so may use it at once.
      if (error instanceof Refused && error.code === 'TOPIC_ALREADY_EXISTS') await this.underWay(topic.name)
      throw error
    }
  }

  async deleteTopic(id: string): Promise<ClusterReplies['deleteTopic']> {
    const { executor, image } = this.#options
    const topic = image.topics.byId(id)
    if (topic !== undefined && isInternalTopic(topic.name)) {
      throw new Refused('INVALID_TOPIC_EXCEPTION', `topic '${topic.name}' is internal and cannot be deleted`)
    }
    const deleted = await executor.execute({ type: 'deleteTopic', id })
    await this.underWay(deleted.name)
    return deleted
  }

  async createPartitions(partitions: Parameters<Controller['createPartitions']>[0]) {
    if (isInternalTopic(partitions.topic)) {
      throw new Refused(
        'INVALID_TOPIC_EXCEPTION',
        `topic '${partitions.topic}' is internal: its partitions are fixed`,
      )
    }
    const reply = await this.#options.executor.execute({
      type: 'createPartitions',
      ...partitions,
      partitionsMax: this.#partitionsMax(),
    })
    if (!partitions.validateOnly) await this.underWay(partitions.topic)
    return reply
  }

  async alterTopicConfigs(change: Parameters<Controller['alterTopicConfigs']>[0]): Promise<void> {
    await this.#options.executor.execute({ type: 'alterTopicConfigs', ...change })
  }

  async alterBrokerConfigs(change: Parameters<Controller['alterBrokerConfigs']>[0]): Promise<void> {
    await this.#options.executor.execute({ type: 'alterBrokerConfigs', ...change })
  }

  underWay(topic: string): Promise<void> | undefined {
    return this.#options.topics.underWay(topic)
  }

  async allocateProducerIds(): Promise<ClusterReplies['allocateProducerIds']> {
    return await this.#options.executor.execute({ type: 'allocateProducerIds', count: producerIdsPerBlock })
  }

  /** Makes the groups' topic when there is none; resolves when it serves. */
  async ensureGroupsTopic(): Promise<void> {
    this.#groupsTopic ??= this.#createGroupsTopic().catch((error: unknown) => {
      this.#groupsTopic = null
      throw error
    })
    await this.#groupsTopic
  }

  async #createGroupsTopic(): Promise<void> {
    const { image, settings } = this.#options
    // From the image: groups go on when the controller cannot decide any more.
    if (image.topics.byName(groupsTopicName) !== undefined) {
      await this.underWay(groupsTopicName)
      return
    }
    await this.createTopic({
      name: groupsTopicName,
      partitions: settings.get('offsets.topic.num.partitions'),
      replicationFactor: Math.min(3, image.brokers.size),
      assignment: null,
      // Small segments: what lies below the newest image goes with them.
      configs: new Map([
        ['segment.bytes', '1048576'],
        ['retention.ms', '-1'],
        ['retention.bytes', '-1'],
        ['flush.messages', '1'],
      ]),
      validateOnly: false,
    })
  }

  #partitionsMax(): number {
    return this.#options.settings.get('lograft.partitions.max')
  }
}
