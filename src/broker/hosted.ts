/**
 * The partitions that live on this node: opens a log and its quorum member for each, closes and removes them, follows their
 * settings. What should be here comes from the cluster's image; this file makes it so.
 */
import { assert } from '../base/assert.ts'
import { Faulted } from '../base/errors.ts'
import type { Settings } from '../config/settings.ts'
import { type TopicSettings, topicSettings } from '../config/topic-settings.ts'
import type { World } from '../io/world.ts'
import type { FilePool } from '../log/file-pool.ts'
import type { LogSettings } from '../log/log.ts'
import { openLog } from '../log/segmented-log.ts'
import type { Topic } from '../machines/cluster/state.ts'
import type { Replica, ReplicaSettings } from '../replica/replica.ts'
import type { ReplicaHost } from '../replica/replica-host.ts'
import type { BrokerEvent } from './broker.ts'
import type { DataFolder } from './data-folder.ts'
import { Partition } from './partition.ts'

export interface HostedOptions {
  readonly nodeId: number
  readonly world: World
  readonly folder: DataFolder
  readonly files: FilePool
  readonly host: ReplicaHost
  readonly settings: Settings
  readonly onEvent: (event: BrokerEvent) => void
}

/** Opening one partition is a few file operations and one or two syncs; more at once than this gains nothing. */
const openingsInFlightMax = 16

export class HostedPartitions {
  readonly #options: HostedOptions
  readonly #serving = new Map<string, Partition>()
  /** Every opening under way or done, so that nobody opens a partition twice. */
  readonly #openings = new Map<string, Promise<Partition | null>>()
  /** Why a partition that should be here is not: its disk failed, or its log is damaged. */
  readonly #faults = new Map<string, Faulted>()
  #openingsInFlight = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: HostedOptions) {
    this.#options = options
  }

  get(topicId: string, index: number): Partition | undefined {
    return this.#serving.get(keyOf(topicId, index))
  }

  all(): IterableIterator<Partition> {
    return this.#serving.values()
  }

  /** Set while a partition is offline here. */
  fault(topicId: string, index: number): Faulted | undefined {
    return this.#faults.get(keyOf(topicId, index))
  }

  /**
   * Opens every partition of a topic that is placed here; resolves with those that serve. Harmless when they are open. One that
   * cannot be opened stays offline and is reported; the others do not suffer.
   */
  async open(topic: Topic): Promise<Partition[]> {
    const here = topic.placements.flatMap((replicas, index) =>
      replicas.includes(this.#options.nodeId) ? [index] : [],
    )
    const opened = await Promise.all(here.map((index) => this.#openOnce(topic, index)))
    return opened.flatMap((partition) => partition ?? [])
  }

  #openOnce(topic: Topic, index: number): Promise<Partition | null> {
    const key = keyOf(topic.id, index)
    let opening = this.#openings.get(key)
    if (opening === undefined) {
      opening = this.#open(topic, index).catch((error: unknown) => this.#offline(topic, index, error))
      this.#openings.set(key, opening)
    }
    return opening
  }

  async #open(topic: Topic, index: number): Promise<Partition> {
    await this.#turn()
    try {
      const { folder, settings, onEvent } = this.#options
      const effective = topicSettings(settings, topic.configs)
      const voters = topic.placements[index]
      assert(voters !== undefined, 'a partition that is opened has a placement')
      const key = keyOf(topic.id, index)
      const replica = await this.openReplica(key, folder.partitionFolder(topic.id, index), voters, effective)
      const partition = new Partition({ topic, index, replica, settings: effective, onEvent })
      await replica.whenReady()
      this.#serving.set(key, partition)
      return partition
    } finally {
      this.#openingsInFlight--
      this.#waiting.shift()?.()
    }
  }

  #offline(topic: Topic, index: number, error: unknown): null {
    if (!(error instanceof Faulted)) throw error
    const key = keyOf(topic.id, index)
    this.#faults.set(key, error)
    this.#options.onEvent({
      level: 'error',
      event: 'partition.offline',
      message: `${topic.name}-${index} is offline until it is repaired and the broker restarted: ${error.message}`,
      partition: `${topic.name}-${index}`,
      folder: this.#options.folder.partitionFolder(topic.id, index),
    })
    return null
  }

  /** A log and its member of a quorum, in a folder. @throws Faulted when the log is damaged below its durable end */
  async openReplica(
    name: string,
    folder: string,
    voters: readonly number[],
    settings: TopicSettings,
  ): Promise<Replica> {
    const { world, files, host, onEvent } = this.#options
    const log = await openLog({
      world,
      folder,
      files,
      settings: logSettings(settings, this.#options.settings),
      onEvent: (event) => onEvent({ partition: name, ...event }),
    })
    return await host.open({
      name,
      folder,
      log,
      voters,
      settings: replicaSettings(settings, this.#options.settings),
    })
  }

  async #turn(): Promise<void> {
    if (this.#openingsInFlight >= openingsInFlightMax)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#openingsInFlight++
  }

  /** Settings of the topic, or of the broker, have changed. */
  configure(topic: Topic): void {
    const effective = topicSettings(this.#options.settings, topic.configs)
    for (const index of topic.placements.keys()) {
      const partition = this.get(topic.id, index)
      if (partition === undefined) continue
      partition.configure(effective)
      partition.replica.configure(replicaSettings(effective, this.#options.settings))
      partition.replica.log.configure(logSettings(effective, this.#options.settings))
    }
  }

  /** Closes the partitions of a deleted topic and removes their files. */
  async remove(topic: Topic): Promise<void> {
    for (const index of topic.placements.keys()) {
      const key = keyOf(topic.id, index)
      const opening = this.#openings.get(key)
      if (opening === undefined) continue
      this.#serving.get(key)?.close()
      this.#serving.delete(key)
      const partition = await opening
      await partition?.replica.close()
      this.#openings.delete(key)
      this.#faults.delete(key)
      await this.#options.folder.removePartition(topic.id, index)
    }
  }

  /** Flushes and closes everything. */
  async close(): Promise<void> {
    const partitions = [...this.#serving.values()]
    this.#serving.clear()
    for (const partition of partitions) partition.close()
    for (let at = 0; at < partitions.length; at += openingsInFlightMax) {
      const some = partitions.slice(at, at + openingsInFlightMax)
      await Promise.all(some.map((partition) => partition.replica.close()))
    }
  }
}

export function keyOf(topicId: string, index: number): string {
  return `${topicId}-${index}`
}

function logSettings(topic: TopicSettings, settings: Settings): LogSettings {
  return {
    segmentBytesMax: topic.segmentBytes,
    segmentMs: topic.segmentMs,
    indexIntervalBytes: topic.indexIntervalBytes,
    indexBytesMax: topic.indexBytesMax,
    expandedBytesMax: settings.get('lograft.batch.expanded.bytes.max'),
    producerExpirationMs: settings.get('producer.id.expiration.ms'),
    producersMax: settings.get('lograft.producers.max'),
  }
}

function replicaSettings(topic: TopicSettings, settings: Settings): ReplicaSettings {
  return {
    flushMessages: topic.flushMessages,
    flushMs: topic.flushMs,
    uncommittedBytesMax: settings.get('lograft.uncommitted.bytes.max'),
  }
}
