import { api, array, bool, int8, int16, int32, string } from '../notation.ts'

/**
 * Change single settings. `configOperation`: 0 set, 1 delete, 2 append to a list, 3 subtract from it.
 *
 * @source KIP-339
 */
export const IncrementalAlterConfigs = api({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: [0, 1],
  flexible: 1,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        configOperation: int8,
        value: string.nullable,
      }),
    }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.or(0),
    responses: array({
      errorCode: int16,
      errorMessage: string.nullable,
      resourceType: int8,
      resourceName: string,
    }),
  },
})
