import { api, int16, int32, string } from '../notation.ts'

/**
 * Say that a member is alive, and hear that a rebalance has begun.
 *
 * Versions: 3 static members.
 * @source KIP-345
 */
export const Heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexible: 4,
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable.since(3),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    errorCode: int16,
  },
})
