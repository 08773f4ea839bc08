import { api, array, bool, int16, int32, string } from '../notation.ts'

/**
 * Give topics more partitions. `count` is the new total.
 *
 * @source KIP-195, KIP-599
 */
export const CreatePartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexible: 2,
  request: {
    topics: array({
      name: string,
      count: int32,
      assignments: array({
        brokerIds: array(int32),
      }).nullable,
    }),
    timeoutMs: int32,
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      name: string,
      errorCode: int16,
      errorMessage: string.nullable.or(null),
    }),
  },
})
