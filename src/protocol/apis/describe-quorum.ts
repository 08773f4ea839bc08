import { api, array, int16, int32, int64, string, uint16, uuid } from '../notation.ts'

const replicaState = array({
  replicaId: int32,
  replicaDirectoryId: uuid.since(2),
  logEndOffset: int64,
  lastFetchTimestamp: int64.since(1).or(-1).ignorable,
  lastCaughtUpTimestamp: int64.since(1).or(-1).ignorable,
})

/**
 * The quorum of a partition, as its leader sees it. In Kafka only the cluster's own log, `__cluster_metadata` partition 0, is one.
 *
 * Versions: 1 tells when replicas fetched last and were up to date last; 2 tells their addresses.
 * @source KIP-595, KIP-836, KIP-853
 */
export const DescribeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: [0, 2],
  flexible: 0,
  request: {
    topics: array({
      topicName: string,
      partitions: array({ partitionIndex: int32 }),
    }),
  },
  response: {
    errorCode: int16,
    errorMessage: string.nullable.since(2).or('').ignorable,
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable.since(2).or('').ignorable,
        leaderId: int32,
        leaderEpoch: int32,
        highWatermark: int64,
        currentVoters: replicaState,
        observers: replicaState,
      }),
    }),
    nodes: array({
      nodeId: int32,
      listeners: array({
        name: string,
        host: string,
        port: uint16,
      }),
    }).since(2),
  },
})
