import { api, array, bool, int16, int32, int64, string } from '../notation.ts'

/**
 * Read the offsets of groups; a partition without one answers -1 and no error. `topics`: null asks for all
 * partitions.
 *
 * Versions: 2 all topics and an error of the group; 5 leader epochs; 7 waits for open transactions; 8 several
 * groups; 9 members of the newer group protocol.
 * @source KIP-211, KIP-320, KIP-447, KIP-709, KIP-848
 */
export const OffsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 9],
  flexible: 6,
  request: {
    groupId: string.until(8),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    })
      .nullableSince(2)
      .until(8)
      .or([]),
    groups: array({
      groupId: string,
      memberId: string.nullable.since(9).ignorable,
      memberEpoch: int32.since(9).or(-1).ignorable,
      topics: array({
        name: string,
        partitionIndexes: array(int32),
      }).nullable,
    }).since(8),
    requireStable: bool.since(7),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32.since(5).or(-1).ignorable,
        metadata: string.nullable,
        errorCode: int16,
      }),
    }).until(8),
    errorCode: int16.since(2).until(8).ignorable,
    groups: array({
      groupId: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          committedOffset: int64,
          committedLeaderEpoch: int32.or(-1),
          metadata: string.nullable,
          errorCode: int16,
        }),
      }),
      errorCode: int16.or(0),
    }).since(8),
  },
})
