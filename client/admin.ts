/**
 * Looks after a cluster: topics, settings, groups, records. Every call retries what may pass and rejects with a KafkaError;
 * where several items are given and some fail, the error says which, and the others are done.
 */
import { DescribeLogDirs } from '../src/protocol/apis/describe-log-dirs.ts'
import { alterConfigs, type ConfigEntry, type ConfigResource, describeConfigs } from './admin-configs.ts'
import * as groups from './admin-groups.ts'
import { type ElectionType, electLeaders, transferLeadership } from './admin-leaders.ts'
import { describeQuorum, type QuorumDescription, unregisterBroker } from './admin-quorum.ts'
import * as moves from './admin-reassignments.ts'
import * as topics from './admin-topics.ts'
import type { Cluster } from './cluster.ts'
import { type DecommissionOptions, decommission } from './decommission.ts'
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
import type { WaitOptions } from './progress.ts'
import type { LeaderTransfer } from './transfer-plan.ts'

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

/** For all calls of an `Admin`; a call with a time of its own: `client.admin({ timeoutMs: 500 }).listTopics()`. */
export interface AdminOptions {
  /** Ends calls with an `Aborted`. What was asked may yet happen. */
  readonly signal?: AbortSignal
  /** Until a call, with all its retries, must have succeeded; the client's `callTimeoutMs` when absent. */
  readonly timeoutMs?: number
}

export class Admin {
  readonly #cluster: Cluster
  readonly #options: AdminOptions

  /** Made by `client.admin()`. */
  constructor(cluster: Cluster, options: AdminOptions = {}) {
    this.#cluster = cluster
    this.#options = options
  }

  #run<T>(what: string, call: (cluster: Cluster) => Promise<T>): Promise<T> {
    return this.#cluster.scoped(what, this.#options, call)
  }

  createTopics(
    list: readonly topics.NewTopic[],
    options: { validateOnly?: boolean } = {},
  ): Promise<topics.CreatedTopic[]> {
    return this.#run('createTopics', (cluster) => topics.createTopics(cluster, list, options))
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return this.#run('deleteTopics', (cluster) => topics.deleteTopics(cluster, names))
  }

  /** By name; internal ones when asked. */
  listTopics(options: { internal?: boolean } = {}): Promise<TopicMetadata[]> {
    return this.#run('listTopics', (cluster) => topics.listTopics(cluster, options))
  }

  /** @throws UNKNOWN_TOPIC_OR_PARTITION for a topic that is not there; none is created */
  describeTopics(names: readonly string[]): Promise<TopicMetadata[]> {
    return this.#run('describeTopics', (cluster) => topics.describeTopics(cluster, names))
  }

  /** `count` is the new total. */
  createPartitions(topic: string, count: number, options: { validateOnly?: boolean } = {}): Promise<void> {
    return this.#run('createPartitions', (cluster) => topics.createPartitions(cluster, topic, count, options))
  }

  deleteRecords(list: readonly topics.RecordsToDelete[]): Promise<topics.DeletedRecords[]> {
    return this.#run('deleteRecords', (cluster) => topics.deleteRecords(cluster, list))
  }

  /** All settings, or those of `names`. */
  describeConfigs(resource: ConfigResource, names: readonly string[] | null = null): Promise<ConfigEntry[]> {
    return this.#run('describeConfigs', (cluster) => describeConfigs(cluster, resource, names))
  }

  /** Changes what is named, null back to its default; what is not named stays. */
  alterConfigs(
    resource: ConfigResource,
    changes: { readonly [name: string]: string | null },
    options: { validateOnly?: boolean } = {},
  ): Promise<void> {
    return this.#run('alterConfigs', (cluster) => alterConfigs(cluster, resource, changes, options))
  }

  /** Offsets by place or time. */
  findOffsets(wanted: readonly (TopicPartition & { at: Position })[]): Promise<FoundOffset[]> {
    return this.#run('findOffsets', (cluster) => findOffsets(cluster, wanted))
  }

  listGroups(): Promise<groups.GroupListing[]> {
    return this.#run('listGroups', (cluster) => groups.listGroups(cluster))
  }

  describeGroup(groupId: string): Promise<groups.GroupDescription> {
    return this.#run('describeGroup', (cluster) => groups.describeGroup(cluster, groupId))
  }

  /** How far a group is in every partition. */
  groupOffsets(group: Pick<groups.GroupDescription, 'groupId' | 'members'>): Promise<groups.GroupOffset[]> {
    return this.#run('groupOffsets', (cluster) => groups.groupOffsets(cluster, group))
  }

  committedOffsets(groupId: string): Promise<CommittedOffset[]> {
    return this.#run('committedOffsets', (cluster) => committedOffsets(cluster, groupId, null))
  }

  resetOffsets(
    groupId: string,
    options: Parameters<typeof groups.resetOffsets>[2],
  ): Promise<groups.OffsetReset[]> {
    return this.#run('resetOffsets', (cluster) => groups.resetOffsets(cluster, groupId, options))
  }

  deleteGroups(groupIds: readonly string[]): Promise<void> {
    return this.#run('deleteGroups', (cluster) => groups.deleteGroups(cluster, groupIds))
  }

  deleteOffsets(groupId: string, places: readonly TopicPartition[]): Promise<void> {
    return this.#run('deleteOffsets', (cluster) => groups.deleteOffsets(cluster, groupId, places))
  }

  async describeCluster(): Promise<ClusterDescription> {
    const { clusterId, controllerId, brokers } = await this.#run('describeCluster', (cluster) =>
      cluster.retry('the cluster', () => cluster.metadata.fetch([], false)),
    )
    return { clusterId, controllerId, brokers }
  }

  /** What partitions take on the disks of the brokers; of those brokers when ids are given. */
  async describeLogDirs(nodeIds?: readonly number[]): Promise<LogDir[]> {
    const ids = nodeIds ?? (await this.describeCluster()).brokers.map(({ nodeId }) => nodeId)
    const perBroker = await this.#run('describeLogDirs', (cluster) =>
      Promise.all(ids.map((nodeId) => logDirsOf(cluster, nodeId))),
    )
    return perBroker.flat()
  }

  /** The quorum of the controllers, as their leader sees it. */
  describeQuorum(): Promise<QuorumDescription> {
    return this.#run('describeQuorum', (cluster) => describeQuorum(cluster))
  }

  /** Begins to move partitions to other brokers, or takes moves back; `awaitReassignments` waits for the end. */
  alterPartitionReassignments(list: readonly moves.Reassignment[]): Promise<void> {
    return this.#run('alterPartitionReassignments', (cluster) =>
      moves.alterPartitionReassignments(cluster, list),
    )
  }

  /** Moves that are under way; only those of `partitions` when they are given. */
  listPartitionReassignments(
    partitions: readonly TopicPartition[] | null = null,
  ): Promise<moves.OngoingReassignment[]> {
    return this.#run('listPartitionReassignments', (cluster) =>
      moves.listPartitionReassignments(cluster, partitions),
    )
  }

  /** Resolves when none of these partitions moves any more. */
  awaitReassignments(partitions: readonly TopicPartition[], options: WaitOptions = {}): Promise<void> {
    return this.#run('awaitReassignments', (cluster) =>
      moves.awaitReassignments(cluster, partitions, { ...this.#patience, ...options }),
    )
  }

  /** Answers those partitions that have a new leader now. */
  electLeaders(
    partitions: readonly TopicPartition[],
    type: ElectionType = 'preferred',
  ): Promise<TopicPartition[]> {
    return this.#run('electLeaders', (cluster) => electLeaders(cluster, partitions, type))
  }

  /** Hands the leadership of partitions over to replicas in sync, and makes these the preferred leaders. */
  transferLeadership(transfers: readonly LeaderTransfer[]): Promise<void> {
    return this.#run('transferLeadership', (cluster) => transferLeadership(cluster, transfers))
  }

  /** Takes a broker out of the cluster that holds nothing any more. */
  unregisterBroker(nodeId: number): Promise<void> {
    return this.#run('unregisterBroker', (cluster) => unregisterBroker(cluster, nodeId))
  }

  /** Moves all replicas off a broker, then takes it out of the cluster. Said again after an interruption, it goes on. */
  decommission(nodeId: number, options: DecommissionOptions = {}): Promise<void> {
    return this.#run('decommission', (cluster) =>
      decommission(cluster, nodeId, { ...this.#patience, ...options }),
    )
  }

  get #patience(): { timeoutMs: number | undefined } {
    return { timeoutMs: this.#options.timeoutMs }
  }
}

function logDirsOf(cluster: Cluster, nodeId: number): Promise<LogDir[]> {
  return cluster.retry(`log dirs of broker ${nodeId}`, async () => {
    const response = await cluster.request(nodeId, DescribeLogDirs, { topics: null })
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
