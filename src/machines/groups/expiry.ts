/**
 * Offsets that nobody needs any more, and groups that hold nothing (KIP-211):
 *
 *     group                          its offsets expire            counted from
 *     without a protocol (simple)    each for itself               its commit
 *     Empty                          all                           the moment the group became Empty
 *     Stable, consumers              of topics not subscribed to   their commit
 *     otherwise                      none
 *
 * A client that named its own retention time (OffsetCommit 2 to 4) is taken at its word, under the same conditions.
 */
import type { Now } from '../machine.ts'
import type { GroupChange } from './changes.ts'
import type { TopicPartitions } from './commands.ts'
import type { GroupDecision } from './draft.ts'
import { consumerProtocolType, emptyGroup, type Group, isSubscribedTo } from './group.ts'
import type { GroupSettings } from './settings.ts'
import type { CommittedOffset, GroupRecord, GroupsState } from './state.ts'

/** Offsets that one step looks at, so that heartbeats do not wait for a long sweep. */
const offsetsPerStep = 10_000

/** The next step of the sweep. Every round starts one interval after the last has ended. */
export function sweep(state: Readonly<GroupsState>, now: Now, settings: GroupSettings): GroupDecision {
  const isBegun = state.sweep.position < state.sweep.groupIds.length
  const groupIds = isBegun ? state.sweep.groupIds : [...state.groups.keys()]
  const changes: GroupChange[] = []
  let position = isBegun ? state.sweep.position : 0
  let budget = offsetsPerStep
  for (; position < groupIds.length && budget > 0; position++) {
    const groupId = groupIds[position]
    const record = groupId === undefined ? undefined : state.groups.get(groupId)
    if (groupId === undefined || record === undefined) continue
    budget--
    for (const partitions of record.offsets.values()) budget -= partitions.size
    const change = expire(groupId, record, state.live.get(groupId), now, settings)
    if (change !== null) changes.push(change)
  }
  const isOver = position === groupIds.length
  const moved = isOver
    ? { nextMs: now.monotonicMs + settings.offsetsRetentionCheckIntervalMs, groupIds: [], position: 0 }
    : { nextMs: now.monotonicMs, groupIds, position }
  return { changes, volatile: [{ type: 'sweepMoved', sweep: moved }], replies: [] }
}

function expire(
  groupId: string,
  record: GroupRecord,
  live: Group | undefined,
  now: Now,
  settings: GroupSettings,
): GroupChange | null {
  const group = live ?? emptyGroup(groupId, record.membership)
  const isExpired = expiryOf(group, now, settings)
  const topics: TopicPartitions = [...record.offsets]
    .filter(([name]) => isExpired !== null && !isSubscribedTo(group, name))
    .map(([name, partitions]) => ({
      name,
      partitions: [...partitions].filter(([, offset]) => isExpired?.(offset)).map(([index]) => index),
    }))
    .filter(({ partitions }) => partitions.length > 0)
  const isBare = [...record.offsets].every(
    ([name, all]) => topics.find((topic) => topic.name === name)?.partitions.length === all.size,
  )
  // A group with ids given out is live: somebody is about to join.
  if (isBare && live === undefined) return { type: 'groupDeleted', groupId }
  return topics.length > 0 ? { type: 'offsetsDeleted', groupId, topics } : null
}

/** Which offsets of topics that are not subscribed to are over; null: none, whatever their age. */
function expiryOf(
  group: Readonly<Group>,
  now: Now,
  { offsetsRetentionMs }: GroupSettings,
): ((offset: CommittedOffset) => boolean) | null {
  const isOver = (since: number, { expireMs }: CommittedOffset) =>
    expireMs === -1 ? now.wallMs - since >= offsetsRetentionMs : now.wallMs >= expireMs
  const byCommit = (offset: CommittedOffset) => isOver(offset.committedMs, offset)
  if (group.protocolType === null) return byCommit
  if (group.phase === 'Empty') return (offset) => isOver(group.changedMs, offset)
  const isKnown = group.protocolType === consumerProtocolType && group.subscribedTopics !== null
  return group.phase === 'Stable' && isKnown ? byCommit : null
}
