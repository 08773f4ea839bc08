/** DescribeTopicPartitions: topics in the order of their names, a page at a time. */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { zeroUuid } from '../base/uuid.ts'
import type { Broker } from '../broker/broker.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { topicNameFault } from '../machines/cluster/topic-name.ts'
import { DescribeTopicPartitions } from '../protocol/apis/describe-topic-partitions.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { operationsOmitted, topicOperations } from './authorized-operations.ts'
import { handler } from './handler.ts'
import { partitionState } from './partition-state.ts'
import { topicsInForce } from './topics-in-force.ts'

type Request = RequestOf<typeof DescribeTopicPartitions>
type Row = ResponseInput<typeof DescribeTopicPartitions>['topics'][number]

/** Kafka's max.request.partition.size.limit. */
const partitionsMax = 2000

export const describeTopicPartitions = handler(DescribeTopicPartitions, async (request, { broker }) => {
  const { cursor, topics } = request
  if (cursor !== null && topics.length > 0 && topics.every(({ name }) => name !== cursor.topicName)) {
    return { topics: topics.map(({ name }) => missing(name, 'INVALID_REQUEST', operationsOmitted)) }
  }
  await topicsInForce(broker, topics.length === 0 ? null : topics.map(({ name }) => name))
  return page(broker, request, namesFrom(broker, request))
})

function namesFrom(broker: Broker, { cursor, topics }: Request): string[] {
  const asked = topics.length === 0 ? [...broker.image.topics.all()] : topics
  const names = [...new Set(asked.map(({ name }) => name))].sort()
  return cursor === null ? names : names.filter((name) => name >= cursor.topicName)
}

function page(broker: Broker, { cursor, responsePartitionLimit }: Request, names: readonly string[]) {
  let left = Math.min(Math.max(responsePartitionLimit, 1), partitionsMax)
  const topics: Row[] = []
  for (const name of names) {
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = broker.image.topics.byName(name)
    if (topic === undefined) {
      topics.push(
        missing(
          name,
          topicNameFault(name) === null ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'INVALID_TOPIC_EXCEPTION',
        ),
      )
      continue
    }
    const first = cursor?.topicName === name ? Math.max(cursor.partitionIndex, 0) : 0
    const end = Math.min(first + left, topic.placements.length)
    topics.push(describe(broker, topic, first, end))
    left -= Math.max(0, end - first)
    if (end < topic.placements.length) return { topics, nextCursor: { topicName: name, partitionIndex: end } }
  }
  return { topics, nextCursor: null }
}

function describe(broker: Broker, topic: Topic, first: number, end: number): Row {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from({ length: Math.max(0, end - first) }, (_, at) => {
      const { leaderId, epoch, replicas, isr, offline } = partitionState(broker, topic, first + at)
      return {
        errorCode: leaderId < 0 ? errorCode('LEADER_NOT_AVAILABLE') : 0,
        partitionIndex: first + at,
        leaderId,
        leaderEpoch: epoch,
        replicaNodes: replicas,
        isrNodes: isr,
        // A majority decides who can lead: nobody is kept in mind beside the replicas in sync (KIP-966).
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        offlineReplicas: offline,
      }
    }),
    topicAuthorizedOperations: topicOperations,
  }
}

function missing(name: string, error: ErrorName, operations = topicOperations): Row {
  return {
    errorCode: errorCode(error),
    name,
    topicId: zeroUuid,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: operations,
  }
}
