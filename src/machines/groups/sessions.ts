/** What runs out: sessions, the sync phase, the join phase. */
import type { Now } from '../machine.ts'
import { Draft, type GroupDecision } from './draft.ts'
import { deadlineOf, type Group } from './group.ts'
import { isExcusedFromHeartbeats } from './member.ts'
import { completeWhenAllJoined, endJoinPhase, rebalanceOrComplete } from './rebalance.ts'
import type { GroupSettings } from './settings.ts'

/** What the passing of time means for a group whose alarm has gone off. */
export function elapse(group: Readonly<Group>, now: Now, settings: GroupSettings): GroupDecision {
  if (deadlineOf(group) > now.monotonicMs) {
    return { changes: [], volatile: [{ type: 'alarmMoved', groupId: group.id }], replies: [] }
  }
  const draft = new Draft(group, now, settings)
  expireSessions(draft)
  expireSyncs(draft)
  const { joining } = draft.group
  if (joining !== null && joining.deadlineMs <= now.monotonicMs) endJoinPhase(draft)
  return draft.decision
}

function expireSessions(draft: Draft): void {
  const { group, now } = draft
  const sizeBefore = group.members.size
  for (const [id, deadlineMs] of group.sessions) {
    if (deadlineMs > now.monotonicMs) continue
    const member = group.members.get(id)
    if (member !== undefined && isExcusedFromHeartbeats(member)) continue
    // A new member's client may be there yet: it is to start over.
    if (member !== undefined) draft.refuseParked(member, 'UNKNOWN_MEMBER_ID', 'the join has waited too long')
    draft.remove(id)
  }
  if (group.members.size < sizeBefore) rebalanceOrComplete(draft)
  else completeWhenAllJoined(draft)
}

/** Members that took part in the generation and never asked for their assignment, be it the leader. */
function expireSyncs(draft: Draft): void {
  const { group, now } = draft
  if (group.syncDeadlineMs > now.monotonicMs) return
  for (const id of group.unsynced) draft.remove(id)
  rebalanceOrComplete(draft)
}
