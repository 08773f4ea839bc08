/** A static member that has lost its member id (its process started anew) takes its place again (KIP-345). */
import type { Token } from '../machine.ts'
import type { JoinCommand, JoinReply } from './commands.ts'
import type { Draft } from './draft.ts'
import { consumerProtocolType, electProtocol, type Group, topicsOf } from './group.ts'
import { type Member, metadataOf, offerOf } from './member.ts'
import { joined, parkJoin } from './rebalance.ts'

/**
 * The place gets a new member id, in any phase, and whoever uses the old one is fenced (KAFKA-8500). A Stable group that is not
 * affected goes on without a rebalance. One that completes a rebalance does not: its leader may be making an assignment for
 * the old id, which would find no owner.
 */
export function joinStaticAgain(draft: Draft, command: JoinCommand, before: Member, token: Token): void {
  const { group } = draft
  const leaderBefore = group.leader
  const member = replace(draft, command, before)
  if (group.phase !== 'Stable' || isAffected(group, before, member)) {
    parkJoin(draft, member, token)
    return
  }
  draft.store()
  draft.reply(token, settled(group, member, command.canSkipAssignment ? null : leaderBefore))
}

function replace(draft: Draft, command: JoinCommand, before: Member): Member {
  const { group } = draft
  const { assignment } = draft.refuseParked(
    before,
    'FENCED_INSTANCE_ID',
    `instance '${before.instanceId}' has joined with another member id`,
  )
  const member: Member = {
    id: command.freshMemberId,
    instanceId: before.instanceId,
    clientId: command.clientId,
    clientHost: command.clientHost,
    ...offerOf(command),
    assignment,
    waiting: null,
    isNew: false,
  }
  draft.put(member)
  draft.renew(member)
  if (group.leader === before.id) group.leader = member.id
  if (group.unsynced.has(before.id)) group.unsynced.add(member.id)
  draft.remove(before.id)
  return member
}

/**
 * Would the group decide otherwise with this member than with the one before? Metadata is not compared byte for byte: the
 * cooperative and sticky assignors put into it what a restarted process cannot know. (Kafka looks at the protocol alone, and
 * a static member whose topics have changed then joins again and again in vain.)
 */
function isAffected(group: Readonly<Group>, before: Member, member: Member): boolean {
  if (electProtocol(group) !== group.protocol) return true
  if (group.protocolType !== consumerProtocolType) return false
  const topicsBefore = topicsOf(metadataOf(before, group.protocol))
  const topics = topicsOf(metadataOf(member, group.protocol))
  if (topicsBefore === null || topics === null) return false
  const known = new Set(topicsBefore)
  return known.size !== new Set(topics).size || topics.some((topic) => !known.has(topic))
}

/**
 * A leader that comes back is told to skip the assignment (KIP-814). A client that does not know this is told the leader's old
 * id instead, or it would make an assignment that nobody asked for.
 */
function settled(group: Readonly<Group>, member: Member, leaderToTell: string | null): JoinReply {
  const reply = joined(group, member)
  if (reply.type !== 'joined') return reply
  if (leaderToTell === null) return { ...reply, skipAssignment: group.leader === member.id }
  return { ...reply, leader: leaderToTell, members: [] }
}
