/** JoinGroup: into a group, or into its next generation. */
import { Refused } from '../../base/errors.ts'
import type { Now, Token } from '../machine.ts'
import type { JoinCommand } from './commands.ts'
import { Draft, type GroupDecision } from './draft.ts'
import { canSpeak, type Group, memberOf, staticMember } from './group.ts'
import { type Member, noAssignment, offerOf, offersTheSame } from './member.ts'
import { completeWhenAllJoined, joined, parkJoin } from './rebalance.ts'
import type { GroupSettings } from './settings.ts'
import { joinStaticAgain } from './static-join.ts'
import { checkStorable } from './storable.ts'

/**
 * @param group an empty one when there is none and the member has no id
 * @throws Refused INVALID_SESSION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
 * GROUP_MAX_SIZE_REACHED, INVALID_REQUEST
 */
export function join(
  group: Readonly<Group>,
  command: JoinCommand,
  now: Now,
  token: Token,
  settings: GroupSettings,
): GroupDecision {
  checkSession(command, settings)
  checkStorable(command.groupId, command.clientId, command.clientHost, command.protocolType)
  if (command.instanceId !== null) checkStorable(command.instanceId)
  for (const { name } of command.protocols) checkStorable(name)
  const draft = new Draft(group, now, settings)
  if (!hasRoom(group, command, settings)) {
    turnAway(draft, command.memberId, token)
  } else if (!canSpeak(group, command.protocolType, command.protocols)) {
    throw new Refused(
      'INCONSISTENT_GROUP_PROTOCOL',
      `the members of group '${group.id}' share no protocol of type '${command.protocolType}' with this one`,
    )
  } else if (command.memberId === '') {
    joinWithoutId(draft, command, token)
  } else if (group.pending.has(command.memberId) && command.instanceId === null) {
    addMember(draft, command, command.memberId, token)
  } else {
    joinAgain(draft, command, memberOf(group, command.memberId, command.instanceId), token)
  }
  return draft.decision
}

function checkSession({ sessionTimeoutMs }: JoinCommand, settings: GroupSettings): void {
  const { groupMinSessionTimeoutMs: min, groupMaxSessionTimeoutMs: max } = settings
  if (sessionTimeoutMs >= min && sessionTimeoutMs <= max) return
  throw new Refused(
    'INVALID_SESSION_TIMEOUT',
    `a session of ${sessionTimeoutMs} ms is not within ${min} to ${max} ms`,
  )
}

/**
 * While members join again, those who have count, so that the last to come are turned away when the limit was lowered;
 * later all count.
 */
function hasRoom(group: Readonly<Group>, command: JoinCommand, { groupMaxSize }: GroupSettings): boolean {
  const { memberId, instanceId } = command
  // A static member that has lost its id takes no new place.
  const isReturning = memberId === '' && instanceId !== null
  const member = isReturning ? staticMember(group, instanceId) : group.members.get(memberId)
  switch (group.phase) {
    case 'Empty':
      return true
    case 'PreparingRebalance': {
      if (member !== undefined && member.waiting !== null) return true
      let waiting = 0
      for (const other of group.members.values()) if (other.waiting !== null) waiting++
      return waiting < groupMaxSize
    }
    case 'CompletingRebalance':
    case 'Stable':
      return member !== undefined || group.members.size < groupMaxSize
  }
}

function turnAway(draft: Draft, memberId: string, token: Token): void {
  draft.refuse(
    token,
    'GROUP_MAX_SIZE_REACHED',
    `group '${draft.group.id}' has ${draft.settings.groupMaxSize} members`,
  )
  draft.remove(memberId)
  completeWhenAllJoined(draft)
}

function joinWithoutId(draft: Draft, command: JoinCommand, token: Token): void {
  const { group, settings, now } = draft
  const { freshMemberId, instanceId } = command
  if (instanceId !== null) {
    const before = staticMember(group, instanceId)
    if (before === undefined) addMember(draft, command, freshMemberId, token)
    else joinStaticAgain(draft, command, before, token)
  } else if (!command.canBeSentBack) {
    addMember(draft, command, freshMemberId, token)
  } else if (group.pending.size >= settings.groupMaxSize) {
    draft.refuse(
      token,
      'GROUP_MAX_SIZE_REACHED',
      `${group.pending.size} members that were given an id are still expected`,
    )
  } else {
    group.pending.add(freshMemberId)
    group.sessions.set(freshMemberId, now.monotonicMs + command.sessionTimeoutMs)
    draft.reply(token, { type: 'memberIdRequired', memberId: freshMemberId })
  }
}

function addMember(draft: Draft, command: JoinCommand, id: string, token: Token): void {
  const { group, settings } = draft
  const member: Member = {
    id,
    instanceId: command.instanceId,
    clientId: command.clientId,
    clientHost: command.clientHost,
    ...offerOf(command),
    assignment: noAssignment,
    waiting: null,
    isNew: true,
  }
  if (group.members.size === 0) group.protocolType = command.protocolType
  group.leader ??= id
  if (group.joining !== null && group.joining.initial !== null) {
    group.joining = { ...group.joining, initial: { ...group.joining.initial, hasGrown: true } }
  }
  draft.renew(member, settings.groupNewMemberJoinTimeoutMs)
  parkJoin(draft, member, token)
}

/** A member that is known joins: it wants a rebalance, or has missed the answer to its last join. */
function joinAgain(draft: Draft, command: JoinCommand, member: Member, token: Token): void {
  const { group } = draft
  const isSettled = offersTheSame(member, command.protocols) && group.phase !== 'PreparingRebalance'
  // A leader that joins again wants a new assignment, for something that its metadata does not show.
  const wantsAssignment = group.phase === 'Stable' && group.leader === member.id
  if (isSettled && !wantsAssignment) draft.reply(token, joined(group, member))
  else parkJoin(draft, { ...member, ...offerOf(command) }, token)
}
