import { api, array, bool, bytes, int16, int32, string } from '../notation.ts'

/**
 * State and members of groups. Metadata and assignments are the members' own bytes.
 *
 * Versions: 3 authorized operations; 4 static members.
 * @source KIP-430, KIP-345
 */
export const DescribeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 5],
  flexible: 5,
  request: {
    groups: array(string),
    includeAuthorizedOperations: bool.since(3),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    groups: array({
      errorCode: int16,
      groupId: string,
      groupState: string,
      protocolType: string,
      protocolData: string,
      members: array({
        memberId: string,
        groupInstanceId: string.nullable.since(4).ignorable,
        clientId: string,
        clientHost: string,
        memberMetadata: bytes,
        memberAssignment: bytes,
      }),
      authorizedOperations: int32.since(3).or(-2147483648),
    }),
  },
})
