/** SyncGroup: the leader hands out the assignments of a generation, every member gets its own. */
import { Refused } from '../../base/errors.ts'
import type { Now, ReplyTo, Token } from '../machine.ts'
import { markSynced } from './apply.ts'
import type { SyncCommand, SyncReply } from './commands.ts'
import { Draft, type GroupDecision, type GroupReply } from './draft.ts'
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
  if (group.phase === 'CompletingRebalance' && group.leader === member.id) {
    const draft = new Draft(group, now, settings)
    markSynced(draft.group, member.id)
    draft.park(member, token)
    assign(draft, command)
    return draft.decision
  }
  // No draft: a thousand followers would copy their group a thousand times.
  const waiting = group.phase === 'Stable' ? null : token
  const replies: ReplyTo<GroupReply>[] = []
  if (waiting === null) replies.push({ to: token, reply: assigned(group, member) })
  if (member.waiting !== null) {
    replies.push({
      to: member.waiting,
      refused: 'REBALANCE_IN_PROGRESS',
      detail: 'the member has synced again',
    })
  }
  const synced = { type: 'synced', groupId: group.id, memberId: member.id, waiting } as const
  return { changes: [], volatile: [synced], replies }
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
