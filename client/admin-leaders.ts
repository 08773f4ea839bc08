/** Who leads: elections on demand, and leadership handed to a replica of one's choice. */
import { ElectLeaders } from '../src/protocol/apis/elect-leaders.ts'
import { type Outcome, outcomeOf, settleAll } from './admin-items.ts'
import {
  alterPartitionReassignments,
  awaitReassignments,
  listPartitionReassignments,
} from './admin-reassignments.ts'
import type { Cluster } from './cluster.ts'
import { BrokerRefused, expectNone, KafkaError } from './errors.ts'
import { byTopic, nameOf, type TopicPartition } from './partition.ts'
import type { LeaderTransfer } from './transfer-plan.ts'

/**
 * 'preferred': the first replica, when it is in sync. 'unclean': any replica that is up, where a partition has no leader; it
 * costs records, and brokers whose partitions are Raft quorums know no such thing.
 */
export type ElectionType = 'preferred' | 'unclean'
const typeNumbers = { preferred: 0, unclean: 1 } as const

/** Answers the partitions that have a new leader: where none was needed, none was elected. */
export async function electLeaders(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  type: ElectionType,
): Promise<TopicPartition[]> {
  const elected: TopicPartition[] = []
  await settleAll(cluster, 'election of leaders', partitions, async (left) => {
    const response = await cluster.request('controller', ElectLeaders, (version) => ({
      ...(version >= 1 && { electionType: typeNumbers[type] }),
      topicPartitions: [...byTopic(left)].map(([topic, list]) => ({
        topic,
        partitions: list.map(({ partition }) => partition),
      })),
      timeoutMs: cluster.settings.requestTimeoutMs,
    }))
    expectNone(response.errorCode, 'election of leaders')
    const rows = new Map(
      response.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map((row) => [nameOf({ topic, partition: row.partitionId }), row] as const),
      ),
    )
    return left.map((place): Outcome<TopicPartition> => {
      const outcome = outcomeOf(place, rows.get(nameOf(place)), `partition ${nameOf(place)}`)
      if (outcome.error?.code === 'ELECTION_NOT_NEEDED') return { item: place, error: null }
      if (outcome.error === null) elected.push(place)
      return outcome
    })
  })
  cluster.metadata.invalidate()
  return elected
}

/**
 * Makes the wanted replicas the preferred leaders, for that is what every Kafka can elect, elects them, and waits until they
 * lead. @throws KafkaError REASSIGNMENT_IN_PROGRESS for a partition that moves; PREFERRED_LEADER_NOT_AVAILABLE
 */
export async function transferLeadership(
  cluster: Cluster,
  transfers: readonly LeaderTransfer[],
): Promise<void> {
  if (transfers.length === 0) return
  const [moving] = await listPartitionReassignments(cluster, transfers)
  if (moving !== undefined) {
    const detail = 'it is being moved: wait for the end of that, or cancel it'
    throw new BrokerRefused('REASSIGNMENT_IN_PROGRESS', `partition ${nameOf(moving)}`, detail)
  }
  const reordered = transfers
    .filter(({ replicas, to }) => replicas[0] !== to)
    .map(({ topic, partition, replicas, to }) => ({
      topic,
      partition,
      replicas: [to, ...replicas.filter((id) => id !== to)],
    }))
  await alterPartitionReassignments(cluster, reordered)
  await awaitReassignments(cluster, reordered, { timeoutMs: cluster.settings.callTimeoutMs })
  await electLeaders(cluster, transfers, 'preferred')
  await awaitLeaders(cluster, transfers)
}

/** Brokers hear of an election one after the other: who asks any of them afterwards shall hear of the new leader. */
async function awaitLeaders(cluster: Cluster, transfers: readonly LeaderTransfer[]): Promise<void> {
  const names = [...byTopic(transfers).keys()]
  await cluster.retry('leaders', async () => {
    const { topics } = await cluster.metadata.fetch(names, false)
    for (const { topic, partition, to } of transfers) {
      const leader = topics.get(topic)?.partitions[partition]?.leader
      if (leader === to) continue
      const what = `partition ${nameOf({ topic, partition })}`
      throw new KafkaError('LEADER_NOT_AVAILABLE', `${what}: broker ${leader} leads, not ${to}`, {
        retriable: true,
        advice: 'look again in a moment: it may have been handed on already',
      })
    }
  })
}
