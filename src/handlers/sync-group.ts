/** SyncGroup: parked until the leader of the generation has made the assignments. */
import { Refused } from '../base/errors.ts'
import { SyncGroup } from '../protocol/apis/sync-group.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { handler } from './handler.ts'

const noAssignment = Buffer.alloc(0)

export const syncGroup = handler(SyncGroup, async (request, context) => {
  const { groupId, memberId, groupInstanceId, generationId, protocolType, protocolName } = request
  return await askCoordinator(
    context,
    groupId,
    async (coordinator): Promise<ResponseInput<typeof SyncGroup>> => {
      checkGroupId(groupId)
      if (context.version >= 5 && (protocolType === null || protocolName === null)) {
        throw new Refused('INCONSISTENT_GROUP_PROTOCOL', 'a sync names its protocol from version 5 on')
      }
      const reply = await coordinator.execute({
        type: 'sync',
        groupId,
        memberId,
        instanceId: groupInstanceId,
        generation: generationId,
        protocolType,
        protocol: protocolName,
        // The coordinator keeps them: they must not hold on to the whole request.
        assignments: request.assignments.map((assigned) => ({
          memberId: assigned.memberId,
          assignment: Buffer.from(assigned.assignment),
        })),
      })
      return {
        errorCode: 0,
        protocolType: reply.protocolType,
        protocolName: reply.protocol,
        assignment: reply.assignment,
      }
    },
    (errorCode) => ({ errorCode, assignment: noAssignment }),
  )
})
