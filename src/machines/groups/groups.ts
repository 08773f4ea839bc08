/**
 * The group coordinator as a replicated machine: the classic consumer group protocol (KIP-62, 134, 211, 345, 394, 496, 559, 814)
 * and committed offsets. One machine coordinates the groups of one internal partition.
 *
 * Replicated: the members and assignments of a generation once its leader has synced, that a group has become Empty, offsets.
 * The leading member's memory: who is joining, parked requests, sessions. After an election the last replicated generation goes
 * on, each member with a whole session; one that was being formed starts over (its members hear ILLEGAL_GENERATION or
 * UNKNOWN_MEMBER_ID and join again).
 *
 * Every question goes through `decide` too, not past it: its answer leaves when all that it saw is committed.
 */
import { Refused } from '../../base/errors.ts'
import type { Machine, Now, Token } from '../machine.ts'
import { applyGroupChange, type GroupVolatile, hold, touchGroups } from './apply.ts'
import { type GroupChange, groupChanges } from './changes.ts'
import type { GroupCommand, GroupReplies } from './commands.ts'
import { deleteGroup, describeGroup, listGroups } from './describe.ts'
import { Draft, type GroupDecision, type GroupReply } from './draft.ts'
import { sweep } from './expiry.ts'
import { emptyGroup, type Group, stableGroup } from './group.ts'
import { heartbeat } from './heartbeat.ts'
import { groupsImage } from './image.ts'
import { join } from './join.ts'
import { leave } from './leave.ts'
import { commitOffsets, deleteOffsets, fetchOffsets } from './offsets.ts'
import { openJoinPhase } from './rebalance.ts'
import { elapse } from './sessions.ts'
import type { GroupSettings } from './settings.ts'
import { emptyGroupsState, type GroupsState, noSweep, simpleMembership } from './state.ts'
import { sync } from './sync.ts'

export type GroupsMachine = Machine<GroupsState, GroupCommand, GroupChange, GroupVolatile, GroupReplies>

/** Groups that one tick looks at: after a pause all may be due at once. */
const groupsPerTick = 100

export function groupsMachine(settings: GroupSettings): GroupsMachine {
  return {
    name: 'groups',
    empty: emptyGroupsState,
    decide(state, command, now, token) {
      try {
        return decide(state, command, now, token, settings)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const refused = { to: token, refused: error.code, detail: error.detail }
        return { changes: [], volatile: [], replies: [refused] }
      }
    },
    apply: applyGroupChange,
    touch: touchGroups,
    deadline: (state) => Math.min(state.alarms.min?.priority ?? Number.POSITIVE_INFINITY, state.sweep.nextMs),
    onDeadline: () => ({ type: 'tick' }),
    onLead: (state, now) => lead(state, now, settings),
    onResign: resign,
    changes: groupChanges,
    image: groupsImage,
  }
}

function decide(
  state: Readonly<GroupsState>,
  command: GroupCommand,
  now: Now,
  token: Token,
  settings: GroupSettings,
): GroupDecision {
  switch (command.type) {
    case 'join': {
      const group =
        command.memberId === '' ? groupOrNew(state, command.groupId, settings) : memberGroup(state, command)
      return join(group, command, now, token, settings)
    }
    case 'sync':
      return sync(memberGroup(state, command), command, now, token, settings)
    case 'heartbeat':
      return heartbeat(memberGroup(state, command), command, now, token)
    case 'leave':
      return leave(groupOf(state, command.groupId) ?? noGroup(command.groupId), command, now, token, settings)
    case 'commitOffsets': {
      const isMember = command.generation >= 0
      const group = isMember ? existing(state, command.groupId) : groupOrNew(state, command.groupId, settings)
      return commitOffsets(group, command, now, token, settings)
    }
    case 'fetchOffsets':
      return answer(token, fetchOffsets(state.groups.get(command.groupId), command.topics))
    case 'deleteOffsets': {
      const { groupId, topics } = command
      return deleteOffsets(existing(state, groupId), state.groups.get(groupId), topics, token)
    }
    case 'describeGroup': {
      const group = groupOf(state, command.groupId)
      return answer(token, group === undefined ? null : describeGroup(group))
    }
    case 'listGroups':
      return answer(token, listGroups(state))
    case 'deleteGroup':
      return deleteGroup(existing(state, command.groupId), token)
    case 'forgetTopics':
      return forgetTopics(state, command.names, token)
    case 'tick':
      return tick(state, now, token, settings)
  }
}

function groupOf(state: Readonly<GroupsState>, groupId: string): Readonly<Group> | undefined {
  const live = state.live.get(groupId)
  if (live !== undefined) return live
  const record = state.groups.get(groupId)
  return record === undefined ? undefined : emptyGroup(groupId, record.membership)
}

const noGroup = (groupId: string): Group => emptyGroup(groupId, simpleMembership)

function existing(state: Readonly<GroupsState>, groupId: string): Readonly<Group> {
  const group = groupOf(state, groupId)
  if (group === undefined) throw new Refused('GROUP_ID_NOT_FOUND', `there is no group '${groupId}'`)
  return group
}

/** The group of somebody who says to be its member. */
function memberGroup(state: Readonly<GroupsState>, { groupId }: { groupId: string }): Readonly<Group> {
  const group = groupOf(state, groupId)
  if (group === undefined) throw new Refused('UNKNOWN_MEMBER_ID', `there is no group '${groupId}'`)
  return group
}

function groupOrNew(state: Readonly<GroupsState>, groupId: string, settings: GroupSettings): Readonly<Group> {
  const group = groupOf(state, groupId)
  if (group !== undefined) return group
  if (state.groups.size >= settings.groupsMax || state.live.size >= settings.groupsMax) {
    throw new Refused(
      'POLICY_VIOLATION',
      `there are ${settings.groupsMax} groups here, as many as are allowed`,
    )
  }
  return noGroup(groupId)
}

function answer(token: Token, reply: GroupReply): GroupDecision {
  return { changes: [], volatile: [], replies: [{ to: token, reply }] }
}

function forgetTopics(state: Readonly<GroupsState>, names: readonly string[], token: Token): GroupDecision {
  const known = new Set<string>()
  for (const { offsets } of state.groups.values()) {
    for (const name of names) if (offsets.has(name)) known.add(name)
  }
  const changes: GroupChange[] = known.size > 0 ? [{ type: 'topicsForgotten', names: [...known] }] : []
  return { ...answer(token, null), changes }
}

function tick(state: Readonly<GroupsState>, now: Now, token: Token, settings: GroupSettings): GroupDecision {
  const decisions: GroupDecision[] = state.alarms
    .upTo(now.monotonicMs, groupsPerTick)
    .flatMap((groupId) => state.live.get(groupId) ?? [])
    .map((group) => elapse(group, now, settings))
  if (state.sweep.nextMs <= now.monotonicMs) decisions.push(sweep(state, now, settings))
  return {
    changes: decisions.flatMap(({ changes }) => changes),
    volatile: decisions.flatMap(({ volatile }) => volatile),
    replies: [...decisions.flatMap(({ replies }) => replies), { to: token, reply: null }],
  }
}

function lead(state: GroupsState, now: Now, settings: GroupSettings): void {
  for (const [groupId, record] of state.groups) {
    if (record.membership.members.length === 0) continue
    const group = stableGroup(groupId, record, now.monotonicMs)
    // The limit was lowered: all join again, and the last to come are turned away.
    if (group.members.size > settings.groupMaxSize) {
      const draft = new Draft(group, now, settings)
      openJoinPhase(draft)
      hold(state, draft.group)
    } else {
      hold(state, group)
    }
  }
  state.sweep = { ...noSweep, nextMs: now.monotonicMs + settings.offsetsRetentionCheckIntervalMs }
}

function resign(state: GroupsState): Token[] {
  const tokens: Token[] = []
  for (const { members } of state.live.values()) {
    for (const { waiting } of members.values()) if (waiting !== null) tokens.push(waiting)
  }
  state.live.clear()
  state.alarms.clear()
  state.sweep = noSweep
  return tokens
}
