import { api, array, bool, int16, int32, string, uuid } from '../notation.ts'

/**
 * Who leads what. `topics`: null asks for all (in version 0: the empty list), the empty list for none.
 *
 * Versions: 4 may say whether topics are created; 5 offline replicas; 7 leader epochs; 8 authorized
 * operations; 10 topic ids in answers, 12 in questions; 11 leaves the cluster's authorized operations to
 * DescribeCluster.
 *
 * librdkafka asks for all topics (its metadata call, which list_topics and node-rdkafka's connect make) with three bytes too
 * many from version 9 on: it keeps four bytes for a count that takes one (seen in 2.12, rd_kafka_MetadataRequest0).
 * @source KIP-4, KIP-112, KIP-320, KIP-430, KIP-516, KIP-700
 */
export const Metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 12],
  flexible: 9,
  toleratesTail: true,
  request: {
    topics: array({
      topicId: uuid.since(10).ignorable,
      name: string.nullableSince(10),
    }).nullableSince(1),
    allowAutoTopicCreation: bool.since(4).or(true),
    includeClusterAuthorizedOperations: bool.since(8).until(11),
    includeTopicAuthorizedOperations: bool.since(8),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable,
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable.since(1).ignorable,
    }),
    clusterId: string.nullable.since(2).ignorable,
    controllerId: int32.since(1).or(-1).ignorable,
    topics: array({
      errorCode: int16,
      name: string.nullableSince(12),
      topicId: uuid.since(10).ignorable,
      isInternal: bool.since(1).ignorable,
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.since(7).or(-1).ignorable,
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5).ignorable,
      }),
      topicAuthorizedOperations: int32.since(8).or(-2147483648),
    }),
    clusterAuthorizedOperations: int32.since(8).until(11).or(-2147483648),
  },
})
