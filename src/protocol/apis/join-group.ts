import { api, array, bool, bytes, int16, int32, string } from '../notation.ts'

/**
 * Enter a group, or a new generation of it: answered when all members have joined. Only the leader gets
 * `members`.
 *
 * Versions: 1 a time-out for rebalances; 4 MEMBER_ID_REQUIRED; 5 static members; 7 the protocol type; 8 a
 * reason; 9 `skipAssignment`.
 * @source KIP-62, KIP-394, KIP-345, KIP-559, KIP-800, KIP-814
 */
export const JoinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexible: 6,
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.since(1).or(-1).ignorable,
    memberId: string,
    groupInstanceId: string.nullable.since(5),
    protocolType: string,
    protocols: array({
      name: string,
      metadata: bytes,
    }),
    reason: string.nullable.since(8).ignorable,
  },
  response: {
    throttleTimeMs: int32.since(2).ignorable,
    errorCode: int16,
    generationId: int32.or(-1),
    protocolType: string.nullable.since(7).ignorable,
    protocolName: string.nullableSince(7),
    leader: string,
    skipAssignment: bool.since(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable.since(5).ignorable,
      metadata: bytes,
    }),
  },
})
