import { api, array, bool, int8, int16, int32, string, uuid } from '../notation.ts'

/**
 * Create topics. -1 for `numPartitions` or `replicationFactor` asks for the broker's default.
 *
 * Versions: 1 a dry run; 5 answers with the topic's settings; 7 with its id.
 * @source KIP-4, KIP-464, KIP-525, KIP-516
 */
export const CreateTopics = api({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexible: 5,
  request: {
    topics: array({
      name: string,
      numPartitions: int32,
      replicationFactor: int16,
      assignments: array({
        partitionIndex: int32,
        brokerIds: array(int32),
      }),
      configs: array({
        name: string,
        value: string.nullable,
      }),
    }),
    timeoutMs: int32.or(60000),
    validateOnly: bool.since(1),
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable,
    topics: array({
      name: string,
      topicId: uuid.since(7).ignorable,
      errorCode: int16,
      errorMessage: string.nullable.since(1).ignorable,
      topicConfigErrorCode: int16.since(5).tag(0).ignorable,
      numPartitions: int32.since(5).or(-1).ignorable,
      replicationFactor: int16.since(5).or(-1).ignorable,
      configs: array({
        name: string,
        value: string.nullable,
        readOnly: bool,
        configSource: int8.or(-1),
        isSensitive: bool,
      })
        .nullable.since(5)
        .or([]).ignorable,
    }),
  },
})
