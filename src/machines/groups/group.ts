/**
 * A group as its coordinator holds it in memory.
 *
 *     Empty -> PreparingRebalance   the first member joins: the group waits for others, then goes on
 *     PreparingRebalance            joins are parked until every member has joined, or the rebalance time-out is over
 *       -> CompletingRebalance      a new generation: joins are answered, the leader makes the assignment
 *       -> Empty                    nobody is left
 *     CompletingRebalance -> Stable the leader's assignment is there: syncs are answered
 *     CompletingRebalance, Stable -> PreparingRebalance    somebody joins, leaves, is lost or speaks differently
 *
 * (Kafka's fifth state, Dead, is a group that does not exist.)
 */
import { assert } from '../../base/assert.ts'
import { Malformed } from '../../base/bytes.ts'
import { Refused } from '../../base/errors.ts'
import { decodeSubscription } from '../../protocol/consumer-protocol.ts'
import { isExcusedFromHeartbeats, type Member, metadataOf, type Protocol } from './member.ts'
import type { GroupRecord, Membership } from './state.ts'

export type Phase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export interface Group {
  readonly id: string
  phase: Phase
  generation: number
  protocolType: string | null
  /** The protocol that the members of this generation share. */
  protocol: string | null
  /** The member that makes the assignment. */
  leader: string | null
  /** In the order in which they came. */
  readonly members: Map<string, Member>
  /** Ids that were given out and have not joined yet (KIP-394). */
  readonly pending: Set<string>
  /** Members of this generation that have not sent their sync. */
  readonly unsynced: Set<string>
  /** When each member or pending id is given up, in monotonic ms. Renewed by heartbeats, hence no part of `Member`. */
  readonly sessions: Map<string, number>
  /** While PreparingRebalance. */
  joining: Joining | null
  /** When members that have not synced are given up, in monotonic ms. */
  syncDeadlineMs: number
  /** Of this generation, when its members' metadata says so; null: not known. */
  subscribedTopics: ReadonlySet<string> | null
  /** Wall clock of the last transition. */
  changedMs: number
}

interface Joining {
  /** When the join phase is closed, in monotonic ms. */
  readonly deadlineMs: number
  /** Set when the group was Empty: the phase lasts for the delay, and longer as long as members keep coming. */
  readonly initial: {
    readonly delayMs: number
    readonly remainingMs: number
    readonly hasGrown: boolean
  } | null
}

export const consumerProtocolType = 'consumer'

export function emptyGroup(id: string, membership: Membership): Group {
  assert(membership.members.length === 0, 'a group that is not live has no members')
  return {
    id,
    phase: 'Empty',
    generation: membership.generation,
    protocolType: membership.protocolType,
    protocol: null,
    leader: null,
    members: new Map(),
    pending: new Set(),
    unsynced: new Set(),
    sessions: new Map(),
    joining: null,
    syncDeadlineMs: Number.POSITIVE_INFINITY,
    subscribedTopics: membership.protocolType === consumerProtocolType ? new Set() : null,
    changedMs: membership.changedMs,
  }
}

/** The group of a record with members, all of whom get a whole session to show up (after a restart or an election). */
export function stableGroup(id: string, { membership }: GroupRecord, nowMs: number): Group {
  const { members, protocol, ...rest } = membership
  const group: Group = {
    ...emptyGroup(id, { ...rest, protocol, members: [] }),
    phase: 'Stable',
    protocol,
    leader: membership.leader,
  }
  for (const { metadata, ...member } of members) {
    const protocols = [{ name: protocol ?? '', metadata }]
    group.members.set(member.id, { ...member, protocols, waiting: null, isNew: false })
    group.sessions.set(member.id, nowMs + member.sessionTimeoutMs)
  }
  group.subscribedTopics = subscribedTopics(group)
  return group
}

/** A copy that can be changed while the original is read. Members are values, so the copies of the maps suffice. */
export function copyOf(group: Readonly<Group>): Group {
  return {
    ...group,
    members: new Map(group.members),
    pending: new Set(group.pending),
    unsynced: new Set(group.unsynced),
    sessions: new Map(group.sessions),
  }
}

/** What of the group is replicated: the members with their assignments, when there are any. */
export function membershipOf(group: Readonly<Group>): Membership {
  const { generation, protocolType, protocol, leader, changedMs } = group
  const members = [...group.members.values()].map((member) => ({
    id: member.id,
    instanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    sessionTimeoutMs: member.sessionTimeoutMs,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    metadata: metadataOf(member, protocol),
    assignment: member.assignment,
  }))
  return { generation, protocolType, protocol, leader, changedMs, members }
}

/**
 * The member that a request speaks for.
 * @throws Refused UNKNOWN_MEMBER_ID; FENCED_INSTANCE_ID when another member holds its instance id by now
 */
export function memberOf(group: Readonly<Group>, memberId: string, instanceId: string | null): Member {
  const member = group.members.get(memberId)
  if (instanceId !== null && member?.instanceId !== instanceId) {
    const holder = staticMember(group, instanceId)
    if (holder !== undefined) {
      throw new Refused('FENCED_INSTANCE_ID', `instance '${instanceId}' is member '${holder.id}' now`)
    }
    throw new Refused('UNKNOWN_MEMBER_ID', `group '${group.id}' has no instance '${instanceId}'`)
  }
  if (member === undefined) throw new Refused('UNKNOWN_MEMBER_ID', `group '${group.id}' has no such member`)
  return member
}

export function staticMember(group: Readonly<Group>, instanceId: string): Member | undefined {
  for (const member of group.members.values()) if (member.instanceId === instanceId) return member
  return undefined
}

/** Pending members count: somebody who was sent back with an id is expected (KAFKA-7909). */
export function haveAllJoined(group: Readonly<Group>): boolean {
  if (group.pending.size > 0) return false
  for (const member of group.members.values()) if (member.waiting === null) return false
  return true
}

/** The longest of its members'; 0 when there are none. */
export function rebalanceTimeoutMs(group: Readonly<Group>): number {
  let longest = 0
  for (const member of group.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs)
  return longest
}

/** True when a member that offers these protocols could be one of the group. */
export function canSpeak(group: Readonly<Group>, type: string, protocols: readonly Protocol[]): boolean {
  if (group.phase === 'Empty') return type !== '' && protocols.length > 0
  return type === group.protocolType && protocols.some(({ name }) => isShared(group, name))
}

/** Every member votes for the first of its protocols that all share; the most votes win, the earlier voter on a tie. */
export function electProtocol(group: Readonly<Group>): string {
  const [first] = group.members.values()
  assert(first !== undefined, 'a group that elects has members')
  const candidates = first.protocols.filter(({ name }) => isShared(group, name)).map(({ name }) => name)
  const votes = new Map<string, number>()
  for (const { protocols } of group.members.values()) {
    const vote = protocols.find(({ name }) => candidates.includes(name))?.name
    assert(vote !== undefined, 'the members of a group share a protocol')
    votes.set(vote, (votes.get(vote) ?? 0) + 1)
  }
  const [winner] = [...votes].reduce((best, next) => (next[1] > best[1] ? next : best))
  return winner
}

function isShared(group: Readonly<Group>, protocol: string): boolean {
  for (const { protocols } of group.members.values()) {
    if (!protocols.some(({ name }) => name === protocol)) return false
  }
  return true
}

/**
 * The topics that the members of this generation subscribe to. null when that is not known: no protocol yet, not the consumer
 * protocol, or metadata that does not follow it (which is the clients' right).
 */
export function subscribedTopics(group: Readonly<Group>): ReadonlySet<string> | null {
  if (group.protocolType !== consumerProtocolType) return null
  const topics = new Set<string>()
  for (const member of group.members.values()) {
    const subscription = topicsOf(metadataOf(member, group.protocol))
    if (subscription === null) return null
    for (const topic of subscription) topics.add(topic)
  }
  return topics
}

/** The topics that the consumer protocol's metadata names; null when the bytes are something else. */
export function topicsOf(metadata: Buffer): readonly string[] | null {
  try {
    return decodeSubscription(metadata).topics
  } catch (error) {
    if (error instanceof Malformed) return null
    throw error
  }
}

/** As far as is known: a group of consumers whose topics are not known may want them all. */
export function isSubscribedTo(group: Readonly<Group>, topic: string): boolean {
  return group.subscribedTopics?.has(topic) ?? group.protocolType === consumerProtocolType
}

/** When the group wants attention, in monotonic ms; Infinity for never. */
export function deadlineOf(group: Readonly<Group>): number {
  let deadline = Math.min(group.joining?.deadlineMs ?? Number.POSITIVE_INFINITY, group.syncDeadlineMs)
  for (const [id, sessionMs] of group.sessions) {
    const member = group.members.get(id)
    if (sessionMs < deadline && (member === undefined || !isExcusedFromHeartbeats(member)))
      deadline = sessionMs
  }
  return deadline
}
