/** The cluster's decisions as the handlers of this broker ask for them; see controller.ts. Each waits until it is in force here. */
import { Refused } from '../base/errors.ts'
import { uuidOf } from '../base/uuid.ts'
import type { Settings } from '../config/settings.ts'
import type { Random } from '../io/world.ts'
import type { ClusterReplies } from '../machines/cluster/commands.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { Commands } from './commands.ts'
import type { Controller } from './controller.ts'
import type { HostedTopics } from './hosted-topics.ts'
import { groupsTopicName, isInternalTopic } from './internal-topics.ts'

/** Ids that one block holds; Kafka's number. */
const producerIdsPerBlock = 1000

export interface ClusterControllerOptions {
  readonly commands: Commands
  readonly image: Readonly<ClusterState>
  readonly random: Random
  readonly settings: Settings
  readonly topics: Pick<HostedTopics, 'underWay' | 'beginning' | 'offline'>
  /** Brokers that cannot be reached: nothing new is placed there, as long as there are others. */
  readonly away: () => readonly number[]
  /** The controllers that the cluster began with. */
  readonly controllers: number
  readonly handOver: (topicId: string, index: number, to: number, timeoutMs: number) => Promise<void>
  readonly unregister: (id: number) => Promise<void>
}

export class ClusterController implements Controller {
  readonly #options: ClusterControllerOptions
  #groupsTopic: Promise<void> | null = null

  constructor(options: ClusterControllerOptions) {
    this.#options = options
  }

  async createTopic(topic: Parameters<Controller['createTopic']>[0]): Promise<ClusterReplies['createTopic']> {
    const { commands, random, topics } = this.#options
    try {
      const created = await commands.execute({
        type: 'createTopic',
        ...topic,
        freshId: uuidOf(random.bytes(16)),
        away: this.#options.away(),
        partitionsMax: this.#partitionsMax(),
      })
      if (topic.validateOnly) return created
      await this.#inForce(topic.name)
      const failed = topics.offline(created.id)
      if (failed === undefined) return created
      throw new Refused(
        'KAFKA_STORAGE_ERROR',
        `topic '${topic.name}' exists, but partition ${failed.index} is offline: ${failed.fault.message}`,
      )
    } catch (error) {
      // Somebody else has just made it: whoever hears so may use it at once.
      if (error instanceof Refused && error.code === 'TOPIC_ALREADY_EXISTS') await this.#inForce(topic.name)
      throw error
    }
  }

  async deleteTopic(id: string): Promise<ClusterReplies['deleteTopic']> {
    const { commands, image } = this.#options
    const topic = image.topics.byId(id)
    if (topic !== undefined && isInternalTopic(topic.name)) {
      throw new Refused('INVALID_TOPIC_EXCEPTION', `topic '${topic.name}' is internal and cannot be deleted`)
    }
    const deleted = await commands.execute({ type: 'deleteTopic', id })
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
    const reply = await this.#options.commands.execute({
      type: 'createPartitions',
      ...partitions,
      partitionsMax: this.#partitionsMax(),
      away: this.#options.away(),
    })
    if (!partitions.validateOnly) await this.#inForce(partitions.topic)
    return reply
  }

  async alterTopicConfigs(change: Parameters<Controller['alterTopicConfigs']>[0]): Promise<void> {
    await this.#options.commands.execute({ type: 'alterTopicConfigs', ...change })
  }

  async alterBrokerConfigs(change: Parameters<Controller['alterBrokerConfigs']>[0]): Promise<void> {
    await this.#options.commands.execute({ type: 'alterBrokerConfigs', ...change })
  }

  beginning(topic: string): Promise<void> | undefined {
    return this.#options.topics.beginning(topic)
  }

  async #inForce(topic: string): Promise<void> {
    await this.underWay(topic)
    await this.beginning(topic)
  }

  underWay(topic: string): Promise<void> | undefined {
    return this.#options.topics.underWay(topic)
  }

  async allocateProducerIds(): Promise<ClusterReplies['allocateProducerIds']> {
    return await this.#options.commands.execute({ type: 'allocateProducerIds', count: producerIdsPerBlock })
  }

  async reassign(move: Parameters<Controller['reassign']>[0]): Promise<void> {
    await this.#options.commands.execute({ type: 'reassignPartition', ...move })
  }

  async transferLeadership(topicId: string, index: number, to: number, timeoutMs: number): Promise<void> {
    await this.#options.handOver(topicId, index, to, timeoutMs)
  }

  async unregisterBroker(id: number): Promise<void> {
    await this.#options.unregister(id)
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
    const { image, settings, controllers } = this.#options
    // From the image: groups go on when the controller cannot decide any more.
    if (image.topics.byName(groupsTopicName) !== undefined) {
      await this.#inForce(groupsTopicName)
      return
    }
    await this.createTopic({
      name: groupsTopicName,
      partitions: settings.get('offsets.topic.num.partitions'),
      // Not fewer than there are controllers: the others are about to come, and this is the topic's number for ever.
      replicationFactor: Math.min(3, Math.max(controllers, image.brokers.size)),
      assignment: null,
      // Small segments: what lies below the newest image goes with them.
      configs: new Map([
        ['segment.bytes', '1048576'],
        ['retention.ms', '-1'],
        ['retention.bytes', '-1'],
        ['flush.messages', '1'],
        ['min.insync.replicas', '1'],
      ]),
      validateOnly: false,
    })
  }

  #partitionsMax(): number {
    return this.#options.settings.get('lograft.partitions.max')
  }
}
