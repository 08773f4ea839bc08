import { api, array, bytes, int16, int32, string } from '../notation.ts'

/**
 * Hand out the assignments that the leader of a generation has made, and wait for one's own.
 *
 * Versions: 3 static members; 5 the protocol type and name.
 * @source KIP-345, KIP-559
 */
export const SyncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable.since(3),
    protocolType: string.nullable.since(5).ignorable,
    protocolName: string.nullable.since(5).ignorable,
    assignments: array({
      memberId: string,
      assignment: bytes,
    }),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    errorCode: int16,
    protocolType: string.nullable.since(5).ignorable,
    protocolName: string.nullable.since(5).ignorable,
    assignment: bytes,
  },
})
