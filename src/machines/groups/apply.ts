/** Writes the machine's changes into its state: the replicated ones, and those of the leader's memory. */
import type { Token } from '../machine.ts'
import type { GroupChange } from './changes.ts'
import { deadlineOf, type Group } from './group.ts'
import {
  type GroupRecord,
  type GroupsState,
  type Membership,
  type Offsets,
  type Sweep,
  simpleMembership,
} from './state.ts'

export function applyGroupChange(state: GroupsState, change: GroupChange): void {
  switch (change.type) {
    case 'groupStored':
      recordOf(state, change.groupId).membership = change.membership
      return
    case 'groupDeleted':
      state.groups.delete(change.groupId)
      return
    case 'offsetsCommitted':
      commitOffsets(recordOf(state, change.groupId).offsets, change)
      return
    case 'offsetsDeleted': {
      const offsets = state.groups.get(change.groupId)?.offsets
      if (offsets !== undefined) deleteOffsets(offsets, change)
      return
    }
    case 'topicsForgotten':
      for (const { offsets } of state.groups.values()) for (const name of change.names) offsets.delete(name)
      return
  }
}

/** A group that only has offsets is a simple one. */
function recordOf(state: GroupsState, groupId: string): GroupRecord {
  const known = state.groups.get(groupId)
  if (known !== undefined) return known
  const membership: Membership = simpleMembership
  const record: GroupRecord = { membership, offsets: new Map() }
  state.groups.set(groupId, record)
  return record
}

function commitOffsets(offsets: Offsets, change: Extract<GroupChange, { type: 'offsetsCommitted' }>): void {
  const { committedMs, expireMs } = change
  for (const { name, partitions } of change.topics) {
    const ofTopic = offsets.get(name) ?? new Map()
    for (const { index, offset, leaderEpoch, metadata } of partitions) {
      ofTopic.set(index, { offset, leaderEpoch, metadata, committedMs, expireMs })
    }
    if (ofTopic.size > 0) offsets.set(name, ofTopic)
  }
}

function deleteOffsets(offsets: Offsets, change: Extract<GroupChange, { type: 'offsetsDeleted' }>): void {
  for (const { name, partitions } of change.topics) {
    const ofTopic = offsets.get(name)
    for (const index of partitions) ofTopic?.delete(index)
    if (ofTopic?.size === 0) offsets.delete(name)
  }
}

/** What changes in the leader's memory. */
export type GroupVolatile =
  | { readonly type: 'groupBecame'; readonly group: Group }
  | {
      readonly type: 'sessionRenewed'
      readonly groupId: string
      readonly memberId: string
      /** Monotonic ms. */
      readonly deadlineMs: number
    }
  /** Its sync is there; `waiting` when the leader's is not. */
  | {
      readonly type: 'synced'
      readonly groupId: string
      readonly memberId: string
      readonly waiting: Token | null
    }
  /** Its alarm has gone off and nothing had run out: sessions were renewed meanwhile. */
  | { readonly type: 'alarmMoved'; readonly groupId: string }
  | { readonly type: 'groupGone'; readonly groupId: string }
  | { readonly type: 'sweepMoved'; readonly sweep: Sweep }

export function touchGroups(state: GroupsState, change: GroupVolatile): void {
  switch (change.type) {
    case 'groupBecame':
      hold(state, change.group)
      return
    case 'sessionRenewed': {
      const { groupId, memberId, deadlineMs } = change
      state.live.get(groupId)?.sessions.set(memberId, deadlineMs)
      if (deadlineMs < (state.alarms.priorityOf(groupId) ?? Number.POSITIVE_INFINITY)) {
        state.alarms.set(groupId, deadlineMs)
      }
      return
    }
    case 'synced': {
      const group = state.live.get(change.groupId)
      const member = group?.members.get(change.memberId)
      if (group === undefined || member === undefined) return
      markSynced(group, member.id)
      group.members.set(member.id, { ...member, waiting: change.waiting })
      return
    }
    case 'alarmMoved': {
      const group = state.live.get(change.groupId)
      if (group !== undefined) setAlarm(state, group)
      return
    }
    case 'groupGone':
      state.live.delete(change.groupId)
      state.alarms.delete(change.groupId)
      return
    case 'sweepMoved':
      state.sweep = change.sweep
      return
  }
}

/** Whom a generation still waits for is given up at a time; when that is nobody, there is none. */
export function markSynced(group: Group, memberId: string): void {
  group.unsynced.delete(memberId)
  if (group.unsynced.size === 0) group.syncDeadlineMs = Number.POSITIVE_INFINITY
}

/** Keeps a group in memory as long as it is more than its record. */
export function hold(state: GroupsState, group: Group): void {
  if (group.phase === 'Empty' && group.pending.size === 0) {
    state.live.delete(group.id)
    state.alarms.delete(group.id)
    return
  }
  state.live.set(group.id, group)
  setAlarm(state, group)
}

function setAlarm(state: GroupsState, group: Group): void {
  const deadlineMs = deadlineOf(group)
  if (deadlineMs === Number.POSITIVE_INFINITY) state.alarms.delete(group.id)
  else state.alarms.set(group.id, deadlineMs)
}
