/** SyncGroup: the leader hands out the assignments of a generation, every member gets its own. */
import { Refused } from '../../base/errors.ts'
import type { Now, Token } from '../machine.ts'
import type { SyncCommand, SyncReply } from './commands.ts'
import { Draft, type GroupDecision } from './draft.ts'
import { type Group, memberOf } from './group.ts'
import { type Member, noAssignment } from './member.ts'
import type { GroupSettings } from './settings.ts'

/** @throws Refused UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS */
export function sync(
  group: Readonly<Group>,
  command: SyncCommand,
  now: Now,
  token: Token,
  settings: GroupSettings,
): GroupDecision {
  const member = memberOf(group, command.memberId, command.instanceId)
  check(group, command)
  const draft = new Draft(group, now, settings)
  draft.group.unsynced.delete(member.id)
  if (draft.group.unsynced.size === 0) draft.group.syncDeadlineMs = Number.POSITIVE_INFINITY
  if (group.phase === 'Stable') {
    draft.reply(token, assigned(group, member))
  } else {
    draft.park(member, token)
    if (group.leader === member.id) assign(draft, command)
  }
  return draft.decision
}

function check(group: Readonly<Group>, { generation, protocolType, protocol }: SyncCommand): void {
  if (generation !== group.generation) {
    throw new Refused('ILLEGAL_GENERATION', `group '${group.id}' is in generation ${group.generation}`)
  }
  const isOther = (said: string | null, held: string | null) => said !== null && said !== held
  if (isOther(protocolType, group.protocolType) || isOther(protocol, group.protocol)) {
    throw new Refused(
      'INCONSISTENT_GROUP_PROTOCOL',
      `group '${group.id}' speaks '${group.protocol}' of type '${group.protocolType}'`,
    )
  }
  if (group.phase === 'PreparingRebalance') {
    throw new Refused('REBALANCE_IN_PROGRESS', `group '${group.id}' rebalances again`)
  }
}

/** Whom the leader has left out gets nothing. What is for others than the members is ignored. */
function assign(draft: Draft, { assignments }: SyncCommand): void {
  const { group } = draft
  const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
  draft.become('Stable')
  for (const member of group.members.values()) {
    const assignment = byMember.get(member.id) ?? noAssignment
    const withAssignment = { ...member, assignment }
    draft.put(withAssignment)
    draft.answer(withAssignment, assigned(group, withAssignment))
  }
  draft.store()
}

function assigned({ protocolType, protocol }: Readonly<Group>, { assignment }: Member): SyncReply {
  return { protocolType, protocol, assignment }
}
