/** ListGroups: all groups that this broker coordinates, filtered by state and type whatever their case. */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import type { GroupExecutor } from '../broker/coordinators.ts'
import type { GroupListing } from '../machines/groups/commands.ts'
import { ListGroups } from '../protocol/apis/list-groups.ts'
import { coordinatorError } from './group-refusals.ts'
import { handler } from './handler.ts'

/** The only type there is: groups of KIP-848 and share groups are not served. */
const groupType = 'classic'

export const listGroups = handler(ListGroups, async (request, context) => {
  const found = await Promise.all(context.broker.coordinators.all().map(listed))
  const failed = found.find((part): part is ErrorName => typeof part === 'string')
  if (failed !== undefined) return { errorCode: errorCode(failed), groups: [] }
  const isWanted = (value: string, filter: readonly string[]) =>
    filter.length === 0 || filter.some((wanted) => wanted.toLowerCase() === value.toLowerCase())
  const groups = (found as readonly (readonly GroupListing[])[])
    .flat()
    .filter(({ phase }) => isWanted(phase, request.statesFilter) && isWanted(groupType, request.typesFilter))
    .map(({ groupId, protocolType, phase }) => ({ groupId, protocolType, groupState: phase, groupType }))
  return { errorCode: 0, groups }
})

/** A coordinator that has just moved away has no groups here: whoever has them now lists them. */
async function listed(coordinator: GroupExecutor): Promise<readonly GroupListing[] | ErrorName> {
  try {
    return await coordinator.execute({ type: 'listGroups' })
  } catch (error) {
    const name = coordinatorError(error)
    return name === 'NOT_COORDINATOR' ? [] : name
  }
}
