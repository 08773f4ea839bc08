import { api, int16, int32, string } from '../notation.ts'

/**
 * Take a broker that is gone for good out of the cluster.
 *
 * @source KIP-631, KIP-919
 */
export const UnregisterBroker = api({
  key: 64,
  name: 'UnregisterBroker',
  versions: [0, 0],
  flexible: 0,
  request: {
    brokerId: int32,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable.or(''),
  },
})
