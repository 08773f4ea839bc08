import { api, array, bool, int16, int32, string, struct, uuid } from '../notation.ts'

const cursor = struct({ topicName: string, partitionIndex: int32 }).nullable.or(null)

/**
 * Topics with their partitions, in the order of names, a page at a time: `nextCursor` is where the next page begins. No topics
 * named stands for all.
 *
 * @source KIP-966
 */
export const DescribeTopicPartitions = api({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: [0, 0],
  flexible: 0,
  request: {
    topics: array({ name: string }),
    responsePartitionLimit: int32.or(2000),
    cursor,
  },
  response: {
    throttleTimeMs: int32.or(0).ignorable,
    topics: array({
      errorCode: int16,
      name: string.nullable,
      topicId: uuid.ignorable,
      isInternal: bool.or(false).ignorable,
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.or(-1).ignorable,
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32).nullable.or(null),
        lastKnownElr: array(int32).nullable.or(null),
        offlineReplicas: array(int32).ignorable,
      }),
      topicAuthorizedOperations: int32.or(-2147483648),
    }),
    nextCursor: cursor,
  },
})
