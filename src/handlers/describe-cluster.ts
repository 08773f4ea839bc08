/** DescribeCluster: the brokers, and who decides. */
import { errorCode } from '../base/error-codes.ts'
import { DescribeCluster } from '../protocol/apis/describe-cluster.ts'
import { clusterOperations, operationsOmitted } from './authorized-operations.ts'
import { handler } from './handler.ts'
import { brokersOf, controllerOf } from './metadata.ts'

const endpointType = { brokers: 1, controllers: 2 } as const

export const describeCluster = handler(DescribeCluster, (request, { broker }) => {
  const asked = request.endpointType
  if (asked !== endpointType.brokers) {
    // Controllers have no endpoints of their own for clients: any broker takes what is meant for them.
    const isKnown = asked === endpointType.controllers
    return {
      errorCode: errorCode(isKnown ? 'MISMATCHED_ENDPOINT_TYPE' : 'UNSUPPORTED_ENDPOINT_TYPE'),
      errorMessage: `this is an endpoint of brokers: ask for endpoint type 1, not ${asked}`,
      endpointType: endpointType.brokers,
      clusterId: '',
      brokers: [],
    }
  }
  return {
    errorCode: 0,
    clusterId: broker.clusterId,
    controllerId: controllerOf(broker),
    brokers: brokersOf(broker).map(({ nodeId, host, port, rack }) => ({
      brokerId: nodeId,
      host,
      port,
      rack,
    })),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  }
})
