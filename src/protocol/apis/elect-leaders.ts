import { api, array, int8, int16, int32, string } from '../notation.ts'

/**
 * Give partitions back to their first replica (`electionType` 0), or to any replica that lives, at the price of records (1). A
 * null for `topicPartitions` stands for all.
 *
 * Versions: 1 with a type; before it the first replica is meant.
 * @source KIP-183, KIP-460
 */
export const ElectLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: [0, 2],
  flexible: 2,
  request: {
    electionType: int8.since(1),
    topicPartitions: array({
      topic: string,
      partitions: array(int32),
    }).nullable,
    timeoutMs: int32.or(60000),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.since(1),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({
        partitionId: int32,
        errorCode: int16,
        errorMessage: string.nullable.or(''),
      }),
    }),
  },
})
