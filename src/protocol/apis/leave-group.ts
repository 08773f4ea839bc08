import { api, array, int16, int32, string } from '../notation.ts'

/**
 * Leave a group: one member in versions 0-2, a list of them since.
 *
 * Versions: 3 lists and static members; 5 a reason.
 * @source KIP-345, KIP-800
 */
export const LeaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexible: 4,
  request: {
    groupId: string,
    memberId: string.until(3),
    members: array({
      memberId: string,
      groupInstanceId: string.nullable.or(null),
      reason: string.nullable.since(5).ignorable,
    }).since(3),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable,
      errorCode: int16,
    }).since(3),
  },
})
