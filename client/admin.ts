/**
 * Looks after a cluster: topics, settings, groups, records. Every call retries what may pass and rejects with a KafkaError;
 * where several items are given and some fail, the error says which, and the others are done.
 */
import { DescribeLogDirs } from '../src/protocol/apis/describe-log-dirs.ts'
import { alterConfigs, type ConfigEntry, type ConfigResource, describeConfigs } from './admin-configs.ts'
import * as groups from './admin-groups.ts'
import * as topics from './admin-topics.ts'
import type { Cluster } from './cluster.ts'
import { expectNone } from './errors.ts'
import type { BrokerMetadata, TopicMetadata } from './metadata.ts'
import {
  type CommittedOffset,
  committedOffsets,
  type FoundOffset,
  findOffsets,
  type Position,
} from './offsets.ts'
import type { TopicPartition } from './partition.ts'

export interface ClusterDescription {
  readonly clusterId: string | null
  /** -1 when unknown. */
  readonly controllerId: number
  readonly brokers: readonly BrokerMetadata[]
}

export interface LogDir {
  readonly nodeId: number
  readonly path: string
  readonly partitions: readonly (TopicPartition & { readonly bytes: number })[]
  /** Of the volume; -1 when the broker does not tell. */
  readonly totalBytes: number
  readonly usableBytes: number
}

export class Admin {
  readonly #cluster: Cluster

  /** Made by `client.admin()`. */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  createTopics(
    list: readonly topics.NewTopic[],
    options: { validateOnly?: boolean } = {},
  ): Promise<topics.CreatedTopic[]> {
    return topics.createTopics(this.#cluster, list, options)
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return topics.deleteTopics(this.#cluster, names)
  }

  /** By name; internal ones when asked. */
  listTopics(options: { internal?: boolean } = {}): Promise<TopicMetadata[]> {
    return topics.listTopics(this.#cluster, options)
  }

  /** @throws UNKNOWN_TOPIC_OR_PARTITION for a topic that is not there; none is created */
  describeTopics(names: readonly string[]): Promise<TopicMetadata[]> {
    return topics.describeTopics(this.#cluster, names)
  }

  /** `count` is the new total. */
  createPartitions(topic: string, count: number, options: { validateOnly?: boolean } = {}): Promise<void> {
    return topics.createPartitions(this.#cluster, topic, count, options)
  }

  deleteRecords(list: readonly topics.RecordsToDelete[]): Promise<topics.DeletedRecords[]> {
    return topics.deleteRecords(this.#cluster, list)
  }

  /** All settings, or those of `names`. */
  describeConfigs(resource: ConfigResource, names: readonly string[] | null = null): Promise<ConfigEntry[]> {
    return describeConfigs(this.#cluster, resource, names)
  }

  /** Changes what is named, null back to its default; what is not named stays. */
  alterConfigs(
    resource: ConfigResource,
    changes: { readonly [name: string]: string | null },
    options: { validateOnly?: boolean } = {},
  ): Promise<void> {
    return alterConfigs(this.#cluster, resource, changes, options)
  }

  /** Offsets by place or time. */
  findOffsets(wanted: readonly (TopicPartition & { at: Position })[]): Promise<FoundOffset[]> {
    return findOffsets(this.#cluster, wanted)
  }

  listGroups(): Promise<groups.GroupListing[]> {
    return groups.listGroups(this.#cluster)
  }

  describeGroup(groupId: string): Promise<groups.GroupDescription> {
    return groups.describeGroup(this.#cluster, groupId)
  }

  /** How far a group is in every partition. */
  groupOffsets(group: Pick<groups.GroupDescription, 'groupId' | 'members'>): Promise<groups.GroupOffset[]> {
    return groups.groupOffsets(this.#cluster, group)
  }

  committedOffsets(groupId: string): Promise<CommittedOffset[]> {
    return committedOffsets(this.#cluster, groupId, null)
  }

  resetOffsets(
    groupId: string,
    options: Parameters<typeof groups.resetOffsets>[2],
  ): Promise<groups.OffsetReset[]> {
    return groups.resetOffsets(this.#cluster, groupId, options)
  }

  deleteGroups(groupIds: readonly string[]): Promise<void> {
    return groups.deleteGroups(this.#cluster, groupIds)
  }

  deleteOffsets(groupId: string, places: readonly TopicPartition[]): Promise<void> {
    return groups.deleteOffsets(this.#cluster, groupId, places)
  }

  async describeCluster(): Promise<ClusterDescription> {
    const { clusterId, controllerId, brokers } = await this.#cluster.retry('the cluster', () =>
      this.#cluster.metadata.fetch([], false),
    )
    return { clusterId, controllerId, brokers }
  }

  /** What partitions take on the disks of the brokers; of those brokers when ids are given. */
  async describeLogDirs(nodeIds?: readonly number[]): Promise<LogDir[]> {
    const ids = nodeIds ?? (await this.describeCluster()).brokers.map(({ nodeId }) => nodeId)
    const perBroker = await Promise.all(ids.map((nodeId) => this.#logDirsOf(nodeId)))
    return perBroker.flat()
  }

  #logDirsOf(nodeId: number): Promise<LogDir[]> {
    return this.#cluster.retry(`log dirs of broker ${nodeId}`, async () => {
      const response = await this.#cluster.request(nodeId, DescribeLogDirs, { topics: null })
      expectNone(response.errorCode, `log dirs of broker ${nodeId}`)
      return response.results.map((row) => {
        expectNone(row.errorCode, `log dir ${row.logDir} of broker ${nodeId}`)
        return {
          nodeId,
          path: row.logDir,
          partitions: row.topics.flatMap(({ name, partitions }) =>
            partitions
              .filter(({ isFutureKey }) => !isFutureKey)
              .map((p) => ({ topic: name, partition: p.partitionIndex, bytes: p.partitionSize })),
          ),
          totalBytes: row.totalBytes,
          usableBytes: row.usableBytes,
        }
      })
    })
  }
}
