import { api, array, bool, int8, int16, int32, string } from '../notation.ts'

/**
 * The brokers of the cluster, or with `endpointType` 2 its controllers.
 *
 * @source KIP-700, KIP-919
 */
export const DescribeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 1],
  flexible: 0,
  request: {
    includeClusterAuthorizedOperations: bool,
    endpointType: int8.since(1).or(1),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    errorMessage: string.nullable.or(null),
    endpointType: int8.since(1).or(1),
    clusterId: string,
    controllerId: int32.or(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.nullable.or(null),
    }),
    clusterAuthorizedOperations: int32.or(-2147483648),
  },
})
