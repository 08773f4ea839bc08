/** DeleteGroups: groups without members, with their offsets. */
import { DeleteGroups } from '../protocol/apis/delete-groups.ts'
import { askCoordinator } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'

export const deleteGroups = handler(DeleteGroups, async (request, context) => {
  return { results: await Promise.all(request.groupsNames.map((groupId) => remove(groupId, context))) }
})

async function remove(groupId: string, context: Context) {
  return await askCoordinator(
    context,
    groupId,
    async (coordinator) => {
      await coordinator.execute({ type: 'deleteGroup', groupId })
      return { groupId, errorCode: 0 }
    },
    (errorCode) => ({ groupId, errorCode }),
  )
}
