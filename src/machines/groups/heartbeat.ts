/** Heartbeat: the member is alive, and hears whether it must join again. */
import { Refused } from '../../base/errors.ts'
import type { Now, Token } from '../machine.ts'
import type { GroupVolatile } from './apply.ts'
import type { HeartbeatCommand } from './commands.ts'
import type { GroupDecision } from './draft.ts'
import { type Group, memberOf } from './group.ts'
import type { Member } from './member.ts'

/** @throws Refused UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION */
export function heartbeat(
  group: Readonly<Group>,
  command: HeartbeatCommand,
  now: Now,
  token: Token,
): GroupDecision {
  const member = memberOf(group, command.memberId, command.instanceId)
  if (command.generation !== group.generation) {
    throw new Refused('ILLEGAL_GENERATION', `group '${group.id}' is in generation ${group.generation}`)
  }
  const volatile = [renewal(group, member, now)]
  if (group.phase === 'PreparingRebalance') {
    const detail = `group '${group.id}' rebalances: join again`
    return { changes: [], volatile, replies: [{ to: token, refused: 'REBALANCE_IN_PROGRESS', detail }] }
  }
  return { changes: [], volatile, replies: [{ to: token, reply: null }] }
}

/** The one change of a member that costs no copy of its group: every member sends it every few seconds. */
export function renewal(group: Readonly<Group>, member: Member, now: Now): GroupVolatile {
  return {
    type: 'sessionRenewed',
    groupId: group.id,
    memberId: member.id,
    deadlineMs: now.monotonicMs + member.sessionTimeoutMs,
  }
}
