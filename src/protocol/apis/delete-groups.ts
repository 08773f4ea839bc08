import { api, array, int16, int32, string } from '../notation.ts'

/**
 * Delete groups that have no members, with their offsets.
 *
 * @source KIP-229
 */
export const DeleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexible: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32.or(0),
    results: array({
      groupId: string,
      errorCode: int16,
    }),
  },
})
