import { api, array, int16, int32, string, uuid } from '../notation.ts'

/**
 * Delete topics: by name in `topicNames` up to version 5, by name or id in `topics` since.
 *
 * @source KIP-4, KIP-516
 */
export const DeleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexible: 4,
  request: {
    topics: array({
      name: string.nullable.or(null),
      topicId: uuid,
    }).since(6),
    topicNames: array(string).until(6).ignorable,
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    responses: array({
      name: string.nullableSince(6),
      topicId: uuid.since(6).ignorable,
      errorCode: int16,
      errorMessage: string.nullable.since(5).ignorable,
    }),
  },
})
