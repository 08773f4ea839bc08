/** FindCoordinator: one key before version 4, then a list. The first group makes the groups' topic. */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import type { Broker } from '../broker/broker.ts'
import { groupsTopicName } from '../broker/internal-topics.ts'
import { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import { coordinatorError } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'
import { leaderOf } from './partition-state.ts'

/** The kinds of key: a group, a transactional id. */
const groupKey = 0
const transactionKey = 1

interface Found {
  readonly errorCode: number
  readonly errorMessage: string
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export const findCoordinator = handler(FindCoordinator, async (request, context) => {
  if (context.version < 4) return await find(request.keyType, request.key, context)
  const coordinators = request.coordinatorKeys.map(async (key) => ({
    key,
    ...(await find(request.keyType, key, context)),
  }))
  return { coordinators: await Promise.all(coordinators) }
})

async function find(keyType: number, key: string, { broker }: Context): Promise<Found> {
  try {
    if (keyType === transactionKey) {
      throw new Refused('INVALID_REQUEST', 'this broker does not serve transactions yet')
    }
    if (keyType !== groupKey)
      throw new Refused('INVALID_REQUEST', `there are no coordinators of kind ${keyType}`)
    await broker.coordinators.ensure()
    const { nodeId, ...address } = coordinatorOf(key, broker)
    return { errorCode: 0, errorMessage: '', nodeId, ...address }
  } catch (error) {
    // The client asks this very question when it hears NOT_COORDINATOR.
    const name =
      coordinatorError(error) === 'NOT_COORDINATOR' ? 'COORDINATOR_NOT_AVAILABLE' : coordinatorError(error)
    const detail = error instanceof Refused ? error.detail : ''
    return { errorCode: errorCode(name), errorMessage: detail || name, nodeId: -1, host: '', port: -1 }
  }
}

/** The leader of the group's partition. @throws Refused COORDINATOR_NOT_AVAILABLE while there is none */
function coordinatorOf(group: string, broker: Broker): { nodeId: number; host: string; port: number } {
  const topic = broker.image.topics.byName(groupsTopicName)
  const index = broker.coordinators.partitionOf(group)
  const leaderId = topic === undefined ? -1 : leaderOf(broker, topic.id, index).leaderId
  // Here it may lead and yet not coordinate: what it has to begin with could not be read.
  if (leaderId === broker.nodeId) broker.coordinators.forGroup(group)
  const address = leaderId < 0 ? undefined : broker.endpoint(leaderId)
  if (address !== undefined) return { nodeId: leaderId, ...address }
  throw new Refused('COORDINATOR_NOT_AVAILABLE', `nobody leads partition ${index} of ${groupsTopicName} now`)
}
