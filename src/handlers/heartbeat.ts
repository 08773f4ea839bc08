/** Heartbeat of a group member. */
import { Heartbeat } from '../protocol/apis/heartbeat.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { handler } from './handler.ts'

export const heartbeat = handler(Heartbeat, async (request, context) => {
  const { groupId, memberId, groupInstanceId, generationId } = request
  return await askCoordinator(
    context,
    groupId,
    async (coordinator) => {
      checkGroupId(groupId)
      await coordinator.execute({
        type: 'heartbeat',
        groupId,
        memberId,
        instanceId: groupInstanceId,
        generation: generationId,
      })
      return { errorCode: 0 }
    },
    (errorCode) => ({ errorCode }),
  )
})
