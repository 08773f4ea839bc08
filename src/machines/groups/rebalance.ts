/** From one generation to the next. */
import type { Token } from '../machine.ts'
import type { JoinedMember, JoinReply } from './commands.ts'
import type { Draft } from './draft.ts'
import { electProtocol, type Group, haveAllJoined, rebalanceTimeoutMs, subscribedTopics } from './group.ts'
import { type Member, metadataOf } from './member.ts'

/** A group whose members stay away asks again no sooner, whatever rebalance time-out they named. */
const postponeMsMin = 1000

/** A member joins: the join phase opens if it is not open yet, and closes if this was the last it waited for. */
export function parkJoin(draft: Draft, member: Member, token: Token): void {
  // In the group first: its time-out counts for the phase that opens.
  draft.put(member)
  openJoinPhase(draft)
  draft.park(draft.group.members.get(member.id) ?? member, token)
  completeWhenAllJoined(draft)
}

/** Members are gone: the others share anew, or the join phase no longer waits for them. */
export function rebalanceOrComplete(draft: Draft): void {
  openJoinPhase(draft)
  completeWhenAllJoined(draft)
}

/** Members hear of it by heartbeats, commits and syncs. Nothing happens when it is open. */
export function openJoinPhase(draft: Draft): void {
  const { group, settings, now } = draft
  if (group.phase === 'PreparingRebalance') return
  if (group.phase === 'CompletingRebalance') {
    for (const member of group.members.values()) {
      draft.refuseParked(member, 'REBALANCE_IN_PROGRESS', 'the group rebalances again')
    }
  }
  group.unsynced.clear()
  group.syncDeadlineMs = Number.POSITIVE_INFINITY
  const timeoutMs = rebalanceTimeoutMs(group)
  if (group.phase === 'Empty') {
    const delayMs = settings.groupInitialRebalanceDelayMs
    const initial = { delayMs, remainingMs: Math.max(timeoutMs - delayMs, 0), hasGrown: false }
    group.joining = { deadlineMs: now.monotonicMs + delayMs, initial }
  } else {
    group.joining = { deadlineMs: now.monotonicMs + timeoutMs, initial: null }
  }
  draft.become('PreparingRebalance')
}

/** The first generation waits for its delay even when all that are known have joined. */
export function completeWhenAllJoined(draft: Draft): void {
  const { joining } = draft.group
  if (joining !== null && joining.initial === null && haveAllJoined(draft.group)) completeJoin(draft)
}

/** The join phase has run out of time. */
export function endJoinPhase(draft: Draft): void {
  const { group, settings, now } = draft
  const initial = group.joining?.initial ?? null
  if (initial === null || !initial.hasGrown || initial.remainingMs === 0) {
    completeJoin(draft)
    return
  }
  const delayMs = Math.min(settings.groupInitialRebalanceDelayMs, initial.remainingMs)
  const remainingMs = Math.max(initial.remainingMs - initial.delayMs, 0)
  group.joining = {
    deadlineMs: now.monotonicMs + delayMs,
    initial: { delayMs, remainingMs, hasGrown: false },
  }
}

/**
 * Closes the join phase: those who have not joined are out (static members stay until their session is over), a new
 * generation begins, all joins are answered.
 */
function completeJoin(draft: Draft): void {
  const { group, now } = draft
  for (const member of group.members.values()) {
    if (member.waiting === null && member.instanceId === null) draft.remove(member.id)
  }
  if (group.members.size > 0 && !electLeader(group)) {
    const delayMs = Math.max(rebalanceTimeoutMs(group), postponeMsMin)
    group.joining = { deadlineMs: now.monotonicMs + delayMs, initial: null }
    return
  }
  group.joining = null
  group.generation++
  group.protocol = group.members.size > 0 ? electProtocol(group) : null
  group.subscribedTopics = subscribedTopics(group)
  if (group.members.size === 0) {
    draft.become('Empty')
    draft.store()
    return
  }
  draft.become('CompletingRebalance')
  group.syncDeadlineMs = now.monotonicMs + rebalanceTimeoutMs(group)
  for (const member of group.members.values()) {
    const answered = { ...draft.answer(member, joined(group, member)), isNew: false }
    draft.put(answered)
    draft.renew(answered)
    group.unsynced.add(member.id)
  }
}

/** The leader stays when it has joined, else the first who has takes over. False when nobody has joined. */
function electLeader(group: Group): boolean {
  const leader = group.leader === null ? undefined : group.members.get(group.leader)
  if (leader !== undefined && leader.waiting !== null) return true
  for (const member of group.members.values()) {
    if (member.waiting === null) continue
    group.leader = member.id
    return true
  }
  return false
}

/** The current generation in the words of a join's answer: the roster is for the leader alone. */
export function joined(group: Readonly<Group>, member: Member): JoinReply {
  return {
    type: 'joined',
    memberId: member.id,
    generation: group.generation,
    protocolType: group.protocolType,
    protocol: group.protocol,
    leader: group.leader ?? '',
    skipAssignment: false,
    members: group.leader === member.id ? roster(group) : [],
  }
}

function roster(group: Readonly<Group>): JoinedMember[] {
  return [...group.members.values()].map((member) => ({
    memberId: member.id,
    instanceId: member.instanceId,
    metadata: metadataOf(member, group.protocol),
  }))
}
