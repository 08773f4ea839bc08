import { AlterConfigs } from './apis/alter-configs.ts'
import { AlterPartitionReassignments } from './apis/alter-partition-reassignments.ts'
import { ApiVersions } from './apis/api-versions.ts'
import { CreatePartitions } from './apis/create-partitions.ts'
import { CreateTopics } from './apis/create-topics.ts'
import { DeleteGroups } from './apis/delete-groups.ts'
import { DeleteRecords } from './apis/delete-records.ts'
import { DeleteTopics } from './apis/delete-topics.ts'
import { DescribeCluster } from './apis/describe-cluster.ts'
import { DescribeConfigs } from './apis/describe-configs.ts'
import { DescribeGroups } from './apis/describe-groups.ts'
import { DescribeLogDirs } from './apis/describe-log-dirs.ts'
import { DescribeProducers } from './apis/describe-producers.ts'
import { DescribeQuorum } from './apis/describe-quorum.ts'
import { DescribeTopicPartitions } from './apis/describe-topic-partitions.ts'
import { ElectLeaders } from './apis/elect-leaders.ts'
import { Fetch } from './apis/fetch.ts'
import { FindCoordinator } from './apis/find-coordinator.ts'
import { Heartbeat } from './apis/heartbeat.ts'
import { IncrementalAlterConfigs } from './apis/incremental-alter-configs.ts'
import { InitProducerId } from './apis/init-producer-id.ts'
import { JoinGroup } from './apis/join-group.ts'
import { LeaveGroup } from './apis/leave-group.ts'
import { ListGroups } from './apis/list-groups.ts'
import { ListOffsets } from './apis/list-offsets.ts'
import { ListPartitionReassignments } from './apis/list-partition-reassignments.ts'
import { Metadata } from './apis/metadata.ts'
import { OffsetCommit } from './apis/offset-commit.ts'
import { OffsetDelete } from './apis/offset-delete.ts'
import { OffsetFetch } from './apis/offset-fetch.ts'
import { OffsetForLeaderEpoch } from './apis/offset-for-leader-epoch.ts'
import { Produce } from './apis/produce.ts'
import { SyncGroup } from './apis/sync-group.ts'
import { UnregisterBroker } from './apis/unregister-broker.ts'
import type { AnyApi } from './notation.ts'

const apis: readonly AnyApi[] = [
  Produce,
  Fetch,
  ListOffsets,
  Metadata,
  OffsetCommit,
  OffsetFetch,
  FindCoordinator,
  JoinGroup,
  Heartbeat,
  LeaveGroup,
  SyncGroup,
  DescribeGroups,
  ListGroups,
  ApiVersions,
  CreateTopics,
  DeleteTopics,
  DeleteRecords,
  InitProducerId,
  OffsetForLeaderEpoch,
  DescribeConfigs,
  AlterConfigs,
  DescribeLogDirs,
  CreatePartitions,
  DeleteGroups,
  ElectLeaders,
  IncrementalAlterConfigs,
  AlterPartitionReassignments,
  ListPartitionReassignments,
  OffsetDelete,
  DescribeQuorum,
  DescribeCluster,
  DescribeProducers,
  UnregisterBroker,
  DescribeTopicPartitions,
]

/** Every API that is spoken, by its key, in ascending order. */
export const apiByKey: ReadonlyMap<number, AnyApi> = new Map(apis.map((api) => [api.key, api]))
