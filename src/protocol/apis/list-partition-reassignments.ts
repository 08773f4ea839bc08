import { api, array, int16, int32, string } from '../notation.ts'

/**
 * Moves of partitions that are under way; of all topics when `topics` is null. While a move lasts, `replicas` holds the brokers
 * that the partition comes from as well as those it goes to.
 *
 * @source KIP-455
 */
export const ListPartitionReassignments = api({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: [0, 0],
  flexible: 0,
  request: {
    timeoutMs: int32.or(60000),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }).nullable.or(null),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable.or(''),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
})
