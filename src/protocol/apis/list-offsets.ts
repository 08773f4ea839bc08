import { api, array, int8, int16, int32, int64, nearest64, string } from '../notation.ts'

/**
 * Find the offset of a time, or with a negative `timestamp` that of a place: -1 the end, -2 the log start, -3
 * the record with the largest timestamp, -4 the first that lies on this broker's own disk, -5 the last that was moved to
 * other storage.
 *
 * Versions: 2 isolation; 4 leader epochs; 7 to 9 one more place each (-3, -4, -5).
 * @source KIP-79, KIP-98, KIP-320, KIP-734, KIP-405, KIP-1005
 */
export const ListOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 9],
  flexible: 6,
  request: {
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).or(-1).ignorable,
        timestamp: nearest64,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        timestamp: nearest64.or(-1),
        offset: int64.or(-1),
        leaderEpoch: int32.since(4).or(-1),
      }),
    }),
  },
})
