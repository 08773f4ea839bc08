/** LeaveGroup: members go on their own, or are removed by an administrator. */
import type { ErrorName } from '../../base/error-codes.ts'
import { Refused } from '../../base/errors.ts'
import type { Now, Token } from '../machine.ts'
import type { LeaveCommand } from './commands.ts'
import { Draft, type GroupDecision } from './draft.ts'
import { type Group, memberOf, staticMember } from './group.ts'
import { completeWhenAllJoined, rebalanceOrComplete } from './rebalance.ts'
import type { GroupSettings } from './settings.ts'

/** Every member gets its own verdict; all that go cause one rebalance. */
export function leave(
  group: Readonly<Group>,
  command: LeaveCommand,
  now: Now,
  token: Token,
  settings: GroupSettings,
): GroupDecision {
  const draft = new Draft(group, now, settings)
  const members = command.members.map((member) => ({ ...member, error: goes(draft, member) }))
  draft.reply(token, { members })
  if (draft.group.members.size < group.members.size) rebalanceOrComplete(draft)
  else completeWhenAllJoined(draft)
  return draft.decision
}

function goes(draft: Draft, { memberId, instanceId }: LeaveCommand['members'][number]): ErrorName {
  const { group } = draft
  if (group.pending.has(memberId)) {
    draft.remove(memberId)
    return 'NONE'
  }
  try {
    const isByInstance = memberId === '' && instanceId !== null
    const member = isByInstance ? staticMember(group, instanceId) : memberOf(group, memberId, instanceId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    draft.refuseParked(member, 'UNKNOWN_MEMBER_ID', 'the member has left the group')
    draft.remove(member.id)
    return 'NONE'
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
}
