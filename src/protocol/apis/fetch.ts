import {
  api,
  array,
  int8,
  int16,
  int32,
  int64,
  nearest64,
  records,
  string,
  struct,
  uuid,
} from '../notation.ts'

/**
 * Read record batches, waiting up to `maxWaitMs` for `minBytes`. The order of the partitions matters: the
 * first batch of the first partition that has any is answered whatever the limits.
 *
 * Versions: 4 transactions; 5 log start; 7 sessions; 9 fencing; 10 zstd; 11 racks; 12 diverging epochs; 13
 * topic ids; 15 replica state; 16 the new leader.
 * @source KIP-74, KIP-98, KIP-227, KIP-320, KIP-392, KIP-516, KIP-903, KIP-951
 */
export const Fetch = api({
  key: 1,
  name: 'Fetch',
  versions: [4, 16],
  flexible: 12,
  request: {
    clusterId: string.nullable.since(12).tag(0).ignorable,
    replicaId: int32.until(15).or(-1),
    replicaState: struct({
      replicaId: int32.or(-1),
      replicaEpoch: int64.or(-1),
    })
      .since(15)
      .tag(1),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.or(2147483647),
    isolationLevel: int8.or(0),
    sessionId: int32.since(7).ignorable,
    sessionEpoch: int32.since(7).or(-1).ignorable,
    topics: array({
      topic: string.until(13).ignorable,
      topicId: uuid.since(13).ignorable,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.since(9).or(-1).ignorable,
        fetchOffset: nearest64,
        lastFetchedEpoch: int32.since(12).or(-1),
        logStartOffset: nearest64.since(5).or(-1).ignorable,
        partitionMaxBytes: int32,
      }),
    }),
    forgottenTopicsData: array({
      topic: string.until(13).ignorable,
      topicId: uuid.since(13).ignorable,
      partitions: array(int32),
    }).since(7),
    rackId: string.since(11).ignorable,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.since(7).ignorable,
    sessionId: int32.since(7),
    responses: array({
      topic: string.until(13).ignorable,
      topicId: uuid.since(13).ignorable,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: int64,
        lastStableOffset: int64.or(-1),
        logStartOffset: int64.since(5).or(-1).ignorable,
        divergingEpoch: struct({
          epoch: int32.or(-1),
          endOffset: int64.or(-1),
        })
          .since(12)
          .tag(0),
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        })
          .since(12)
          .tag(1),
        snapshotId: struct({
          endOffset: int64.or(-1),
          epoch: int32.or(-1),
        })
          .since(12)
          .tag(2),
        abortedTransactions: array({
          producerId: int64,
          firstOffset: int64,
        }).nullable,
        preferredReadReplica: int32.since(11).or(-1),
        records,
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable.or(null),
    })
      .since(16)
      .tag(0),
  },
})
