/** The resources that have settings. */
import { Refused } from '../base/errors.ts'
import type { Broker } from '../broker/broker.ts'

/** Kafka's ConfigResource.Type. */
export const resourceType = { topic: 2, broker: 4 } as const

/**
 * '' for the defaults of all brokers, else this node's id as text.
 * @throws Refused INVALID_REQUEST for another kind of resource or another broker
 */
export function brokerOf(asked: { resourceType: number; resourceName: string }, broker: Broker): string {
  if (asked.resourceType !== resourceType.broker) {
    throw new Refused('INVALID_REQUEST', `resources of type ${asked.resourceType} have no settings here`)
  }
  if (!/^\d*$/.test(asked.resourceName)) {
    throw new Refused('INVALID_REQUEST', `a broker is named by its id, a number, not '${asked.resourceName}'`)
  }
  if (asked.resourceName !== '' && asked.resourceName !== String(broker.nodeId)) {
    throw new Refused(
      'INVALID_REQUEST',
      `this is broker ${broker.nodeId}: ask broker ${asked.resourceName} itself`,
    )
  }
  return asked.resourceName
}
