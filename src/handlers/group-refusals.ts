/** How refusals of a group's coordinator reach the client. */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import type { GroupExecutor } from '../broker/coordinators.ts'
import type { Context } from './handler.ts'

/**
 * Consumers give up on errors of the log that they do not expect from a coordinator: in its name, "not now" is
 * COORDINATOR_NOT_AVAILABLE, and "not here" is NOT_COORDINATOR. Both make them look for the coordinator again.
 */
const inTheCoordinatorsName: { readonly [E in ErrorName]?: ErrorName } = {
  REQUEST_TIMED_OUT: 'COORDINATOR_NOT_AVAILABLE',
  NOT_ENOUGH_REPLICAS: 'COORDINATOR_NOT_AVAILABLE',
  UNKNOWN_TOPIC_OR_PARTITION: 'COORDINATOR_NOT_AVAILABLE',
  NOT_LEADER_OR_FOLLOWER: 'NOT_COORDINATOR',
  KAFKA_STORAGE_ERROR: 'NOT_COORDINATOR',
  MESSAGE_TOO_LARGE: 'UNKNOWN_SERVER_ERROR',
  RECORD_LIST_TOO_LARGE: 'UNKNOWN_SERVER_ERROR',
}

/** The error that the client gets. Anything but a refusal goes on. */
export function coordinatorError(error: unknown): ErrorName {
  if (!(error instanceof Refused)) throw error
  return inTheCoordinatorsName[error.code] ?? error.code
}

/** Asks the coordinator of a group; a refusal becomes the answer that `refused` makes of it. */
export async function askCoordinator<T>(
  { broker }: Context,
  groupId: string,
  ask: (coordinator: GroupExecutor) => Promise<T>,
  refused: (errorCode: number, error: ErrorName) => T,
): Promise<T> {
  try {
    return await ask(broker.coordinators.forGroup(groupId))
  } catch (error) {
    const name = coordinatorError(error)
    return refused(errorCode(name), name)
  }
}

/** Group members belong to a named group; offsets may be kept under the empty name. */
export function checkGroupId(groupId: string): void {
  if (groupId === '') throw new Refused('INVALID_GROUP_ID', 'the group id is empty')
}
