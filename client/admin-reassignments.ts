/** Partitions on their way to other brokers. */
import { AlterPartitionReassignments } from '../src/protocol/apis/alter-partition-reassignments.ts'
import { ListPartitionReassignments } from '../src/protocol/apis/list-partition-reassignments.ts'
import { outcomeOf, settleAll } from './admin-items.ts'
import type { Cluster } from './cluster.ts'
import { expectNone } from './errors.ts'
import { byTopic, nameOf, type TopicPartition } from './partition.ts'
import { untilNone, type WaitOptions } from './progress.ts'

export interface Reassignment extends TopicPartition {
  /** Where it shall lie, the preferred leader first. null takes back a move that is under way. */
  readonly replicas: readonly number[] | null
}

/** A move that is under way. */
export interface OngoingReassignment extends TopicPartition {
  /** All that hold it at present: those that it leaves as well as those that it goes to. */
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/** Begins the moves; `awaitReassignments` waits for their end. */
export async function alterPartitionReassignments(
  cluster: Cluster,
  moves: readonly Reassignment[],
): Promise<void> {
  await settleAll(cluster, 'reassignment of partitions', moves, async (left) => {
    const response = await cluster.request('controller', AlterPartitionReassignments, {
      timeoutMs: cluster.settings.requestTimeoutMs,
      topics: [...byTopic(left)].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition, replicas }) => ({ partitionIndex: partition, replicas })),
      })),
    })
    expectNone(response.errorCode, 'reassignment of partitions', response.errorMessage)
    const rows = new Map(
      response.responses.flatMap(({ name, partitions }) =>
        partitions.map((row) => [nameOf({ topic: name, partition: row.partitionIndex }), row] as const),
      ),
    )
    return left.map((move) => outcomeOf(move, rows.get(nameOf(move)), `partition ${nameOf(move)}`))
  })
  cluster.metadata.invalidate()
}

/** Of all partitions, or of those alone that are named. */
export async function listPartitionReassignments(
  cluster: Cluster,
  partitions: readonly TopicPartition[] | null,
): Promise<OngoingReassignment[]> {
  const what = 'reassignments under way'
  return await cluster.retry(what, async () => {
    // The same broker that takes the moves: another may not have heard of them yet.
    const response = await cluster.request('controller', ListPartitionReassignments, {
      timeoutMs: cluster.settings.requestTimeoutMs,
      topics:
        partitions === null
          ? null
          : [...byTopic(partitions)].map(([name, list]) => ({
              name,
              partitionIndexes: list.map(({ partition }) => partition),
            })),
    })
    expectNone(response.errorCode, what, response.errorMessage)
    return response.topics.flatMap(({ name: topic, partitions: rows }) =>
      rows.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => ({
        topic,
        partition: partitionIndex,
        replicas,
        adding: addingReplicas,
        removing: removingReplicas,
      })),
    )
  })
}

/** Resolves when none of the partitions moves any more. */
export async function awaitReassignments(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  options: WaitOptions,
): Promise<void> {
  if (partitions.length === 0) return
  await untilNone(cluster, 'reassignment of partitions', options, () =>
    listPartitionReassignments(cluster, partitions),
  )
}
