/** Groups as tools see them. */
import { Refused } from '../../base/errors.ts'
import type { Token } from '../machine.ts'
import type { GroupDescription, GroupListing } from './commands.ts'
import type { GroupDecision } from './draft.ts'
import type { Group } from './group.ts'
import { metadataOf, noAssignment } from './member.ts'
import type { GroupsState } from './state.ts'

/** Metadata belongs to a protocol that all have agreed on: only a Stable group has that. Assignments are the last ones. */
export function describeGroup(group: Readonly<Group>): GroupDescription {
  const isStable = group.phase === 'Stable'
  return {
    groupId: group.id,
    phase: group.phase,
    protocolType: group.protocolType ?? '',
    protocol: isStable ? (group.protocol ?? '') : '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      metadata: isStable ? metadataOf(member, group.protocol) : noAssignment,
      assignment: member.assignment,
    })),
  }
}

export function listGroups(state: Readonly<GroupsState>): GroupListing[] {
  const listed: GroupListing[] = []
  for (const [groupId, { membership }] of state.groups) {
    if (state.live.has(groupId)) continue
    listed.push({ groupId, protocolType: membership.protocolType ?? '', phase: 'Empty' })
  }
  for (const { id, protocolType, phase } of state.live.values()) {
    listed.push({ groupId: id, protocolType: protocolType ?? '', phase })
  }
  return listed
}

/** @throws Refused NON_EMPTY_GROUP */
export function deleteGroup(group: Readonly<Group>, token: Token): GroupDecision {
  if (group.phase !== 'Empty') {
    throw new Refused(
      'NON_EMPTY_GROUP',
      `group '${group.id}' is ${group.phase} with ${group.members.size} members`,
    )
  }
  const groupId = group.id
  return {
    changes: [{ type: 'groupDeleted', groupId }],
    volatile: [{ type: 'groupGone', groupId }],
    replies: [{ to: token, reply: null }],
  }
}
