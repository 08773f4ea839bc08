/** DescribeGroups. A group that is not there is 'Dead', without an error: so it is until version 6 of the API. */
import type { GroupDescription } from '../machines/groups/commands.ts'
import { DescribeGroups } from '../protocol/apis/describe-groups.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { groupOperations, operationsOmitted } from './authorized-operations.ts'
import { askCoordinator } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'

type Described = ResponseInput<typeof DescribeGroups>['groups'][number]

export const describeGroups = handler(DescribeGroups, async (request, context) => {
  const authorizedOperations = request.includeAuthorizedOperations ? groupOperations : operationsOmitted
  const groups = request.groups.map((groupId) => describe(groupId, authorizedOperations, context))
  return { groups: await Promise.all(groups) }
})

async function describe(groupId: string, authorizedOperations: number, context: Context): Promise<Described> {
  const nothing = { groupId, protocolType: '', protocolData: '', members: [] }
  // Before version 3 the field is not there, and only its default may be left out.
  const operations = context.version >= 3 ? { authorizedOperations } : {}
  return await askCoordinator(
    context,
    groupId,
    async (coordinator): Promise<Described> => {
      const group = await coordinator.execute({ type: 'describeGroup', groupId })
      if (group === null) return { ...nothing, errorCode: 0, groupState: 'Dead', ...operations }
      return { ...described(group), ...operations }
    },
    (errorCode) => ({ ...nothing, errorCode, groupState: '' }),
  )
}

function described(group: GroupDescription): Described {
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: group.phase,
    protocolType: group.protocolType,
    protocolData: group.protocol,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: member.metadata,
      memberAssignment: member.assignment,
    })),
  }
}
