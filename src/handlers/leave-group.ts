/** LeaveGroup: one member before version 3, then a list with a verdict for each. */
import { errorCode } from '../base/error-codes.ts'
import { LeaveGroup } from '../protocol/apis/leave-group.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { handler } from './handler.ts'

export const leaveGroup = handler(LeaveGroup, async (request, context) => {
  const { groupId } = request
  const isList = context.version >= 3
  const leaving = isList
    ? request.members
    : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
  for (const { memberId, groupInstanceId, reason } of leaving) {
    context.broker.event({
      level: 'debug',
      event: 'group.leave',
      message: `${memberId || groupInstanceId || 'a client'} leaves group '${groupId}'`,
      groupId,
      memberId,
      groupInstanceId,
      reason: reason ?? 'not provided',
    })
  }
  return await askCoordinator(
    context,
    groupId,
    async (coordinator): Promise<ResponseInput<typeof LeaveGroup>> => {
      checkGroupId(groupId)
      const { members } = await coordinator.execute({
        type: 'leave',
        groupId,
        members: leaving.map(({ memberId, groupInstanceId }) => ({ memberId, instanceId: groupInstanceId })),
      })
      if (!isList) return { errorCode: errorCode(members[0]?.error ?? 'NONE') }
      return {
        errorCode: 0,
        members: members.map(({ memberId, instanceId, error }) => ({
          memberId,
          groupInstanceId: instanceId,
          errorCode: errorCode(error),
        })),
      }
    },
    (errorCode) => ({ errorCode }),
  )
})
