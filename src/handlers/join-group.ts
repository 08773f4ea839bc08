/** JoinGroup: parked until the members of the next generation have joined. */
import { uuidOf } from '../base/uuid.ts'
import type { JoinCommand, JoinReply } from '../machines/groups/commands.ts'
import { JoinGroup } from '../protocol/apis/join-group.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'

type Request = RequestOf<typeof JoinGroup>
type Response = ResponseInput<typeof JoinGroup>

const noErrorCode = 0
const memberIdRequired = 79
/** Client and instance ids may be long; a member id that starts with one must still be a string of the protocol. */
const memberIdPrefixMax = 255

export const joinGroup = handler(JoinGroup, async (request, context) => {
  const { groupId, memberId, reason } = request
  context.broker.event({
    level: 'debug',
    event: 'group.join',
    message: `${memberId || context.clientId || 'a client'} joins group '${groupId}'`,
    groupId,
    memberId,
    reason: reason ?? 'not provided',
  })
  return await askCoordinator(
    context,
    groupId,
    async (coordinator) => {
      checkGroupId(groupId)
      return answer(await coordinator.execute(commandOf(request, context)), context)
    },
    (errorCode, error): Response => ({
      ...nothing(context),
      errorCode,
      memberId: error === 'GROUP_MAX_SIZE_REACHED' ? '' : memberId,
    }),
  )
})

function commandOf(request: Request, context: Context): JoinCommand {
  const { version, broker } = context
  const clientId = context.clientId ?? ''
  const prefix = (request.groupInstanceId ?? clientId).slice(0, memberIdPrefixMax)
  return {
    type: 'join',
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    clientId,
    clientHost: context.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    // Version 0 knows none: its -1, taken as it is, would rebalance for ever (brod #465).
    rebalanceTimeoutMs:
      request.rebalanceTimeoutMs <= 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    protocolType: request.protocolType,
    // The coordinator keeps the metadata: it must not hold on to the whole request.
    protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    freshMemberId: `${prefix}-${uuidOf(broker.world.random.bytes(16))}`,
    canBeSentBack: version >= 4,
    canSkipAssignment: version >= 9,
  }
}

function answer(reply: JoinReply, context: Context): Response {
  if (reply.type === 'memberIdRequired') {
    return { ...nothing(context), errorCode: memberIdRequired, memberId: reply.memberId }
  }
  return {
    errorCode: noErrorCode,
    generationId: reply.generation,
    protocolType: reply.protocolType,
    protocolName: reply.protocol ?? (context.version < 7 ? '' : null),
    leader: reply.leader,
    skipAssignment: reply.skipAssignment,
    memberId: reply.memberId,
    members: reply.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId,
      metadata,
    })),
  }
}

function nothing({ version }: Context) {
  return {
    generationId: -1,
    protocolType: null,
    protocolName: version < 7 ? '' : null,
    leader: '',
    members: [],
  }
}
