import { api, array, bool, int16, int32, string } from '../notation.ts'

/**
 * Move partitions to other brokers. `replicas` is where a partition shall lie, the preferred leader first; null takes back a
 * move that is under way. The answer says that the move has begun, not that it is done.
 *
 * Versions: 1 may forbid that the number of replicas changes.
 * @source KIP-455, KIP-860
 */
export const AlterPartitionReassignments = api({
  key: 45,
  name: 'AlterPartitionReassignments',
  versions: [0, 1],
  flexible: 0,
  request: {
    timeoutMs: int32.or(60000),
    allowReplicationFactorChange: bool.since(1).or(true),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32).nullable.or(null),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32.or(0),
    allowReplicationFactorChange: bool.since(1).or(true).ignorable,
    errorCode: int16,
    errorMessage: string.nullable.or(''),
    responses: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable.or(''),
      }),
    }),
  },
})
