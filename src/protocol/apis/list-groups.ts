import { api, array, int16, int32, string } from '../notation.ts'

/**
 * The groups that this broker coordinates.
 *
 * Versions: 4 states; 5 types.
 * @source KIP-518, KIP-848
 */
export const ListGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexible: 3,
  request: {
    statesFilter: array(string).since(4),
    typesFilter: array(string).since(5),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.since(4).ignorable,
      groupType: string.since(5).ignorable,
    }),
  },
})
