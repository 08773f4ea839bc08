import { api, array, int8, int16, int32, string } from '../notation.ts'

/**
 * Who coordinates a group (`keyType` 0) or a transactional id (1).
 *
 * Versions: 1 transactional ids; 4 several keys, in `coordinatorKeys` and `coordinators`.
 * @source KIP-98, KIP-699
 */
export const FindCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 4],
  flexible: 3,
  request: {
    key: string.until(4),
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable,
    errorCode: int16.until(4),
    errorMessage: string.nullable.since(1).until(4).ignorable,
    nodeId: int32.until(4),
    host: string.until(4),
    port: int32.until(4),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable,
    }).since(4),
  },
})
