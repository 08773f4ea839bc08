import { api, array, int16, int32, int64, nearest64, string } from '../notation.ts'

/**
 * Store the offsets of a group. `generationIdOrMemberEpoch` -1 with an empty member id: a consumer without
 * membership.
 *
 * Versions: 2-4 carry a retention time; 6 leader epochs; 7 static members; 9 errors of the newer group
 * protocol.
 * @source KIP-211, KIP-320, KIP-345, KIP-848
 */
export const OffsetCommit = api({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 9],
  flexible: 8,
  request: {
    groupId: string,
    generationIdOrMemberEpoch: int32.or(-1),
    memberId: string,
    groupInstanceId: string.nullable.since(7),
    retentionTimeMs: nearest64.until(5).or(-1).ignorable,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(6).or(-1).ignorable,
        committedMetadata: string.nullable,
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
})
