/** FindCoordinator: one key before version 4, then a list. The first group makes the groups' topic. */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import { coordinatorError } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'

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
    broker.coordinators.forGroup(key)
    const address = broker.endpoint(broker.nodeId)
    if (address === undefined) throw new Refused('COORDINATOR_NOT_AVAILABLE', 'the address is not known yet')
    return { errorCode: 0, errorMessage: '', nodeId: broker.nodeId, ...address }
  } catch (error) {
    // The client asks this very question when it hears NOT_COORDINATOR.
    const name =
      coordinatorError(error) === 'NOT_COORDINATOR' ? 'COORDINATOR_NOT_AVAILABLE' : coordinatorError(error)
    const detail = error instanceof Refused ? error.detail : ''
    return { errorCode: errorCode(name), errorMessage: detail || name, nodeId: -1, host: '', port: -1 }
  }
}
