/** Committed offsets: stored, read, deleted. */
import { Refused } from '../../base/errors.ts'
import type { Now, Token } from '../machine.ts'
import type {
  CommitOffsetsCommand,
  FetchedOffsets,
  GroupReplies,
  PartitionErrors,
  TopicPartitions,
} from './commands.ts'
import type { GroupDecision } from './draft.ts'
import { consumerProtocolType, type Group, isSubscribedTo, memberOf } from './group.ts'
import { renewal } from './heartbeat.ts'
import type { GroupSettings } from './settings.ts'
import type { GroupRecord, Offsets } from './state.ts'
import { checkStorable, isStorable } from './storable.ts'

/**
 * Fenced by member and generation. Without them, only while the group has no members.
 * @param group an empty one when there is none
 * @throws Refused UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, INVALID_REQUEST
 */
export function commitOffsets(
  group: Readonly<Group>,
  command: CommitOffsetsCommand,
  now: Now,
  token: Token,
  settings: GroupSettings,
): GroupDecision {
  checkCommit(group, command)
  checkStorable(group.id, ...command.topics.map(({ name }) => name))
  const isFine = ({ metadata }: { metadata: string }) =>
    metadata.length <= settings.offsetMetadataMaxBytes && isStorable(metadata)
  const reply: PartitionErrors = {
    topics: command.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partition) => ({
        index: partition.index,
        error: isFine(partition) ? 'NONE' : 'OFFSET_METADATA_TOO_LARGE',
      })),
    })),
  }
  const topics = command.topics
    .map(({ name, partitions }) => ({ name, partitions: partitions.filter(isFine) }))
    .filter(({ partitions }) => partitions.length > 0)
  const { retentionMs } = command
  const committed = {
    type: 'offsetsCommitted',
    groupId: group.id,
    committedMs: now.wallMs,
    // Clients may name any int64.
    expireMs: retentionMs === null ? -1 : Math.min(now.wallMs + retentionMs, Number.MAX_SAFE_INTEGER),
    topics,
  } as const
  const member = group.members.get(command.memberId)
  // Whoever commits is alive (in CompletingRebalance commits are refused).
  const volatile = member === undefined ? [] : [renewal(group, member, now)]
  return { changes: topics.length > 0 ? [committed] : [], volatile, replies: [{ to: token, reply }] }
}

function checkCommit(group: Readonly<Group>, command: CommitOffsetsCommand): void {
  const { generation, memberId, instanceId } = command
  if (generation < 0 && group.phase === 'Empty') return
  if (generation < 0 && memberId === '' && instanceId === null) {
    throw new Refused('UNKNOWN_MEMBER_ID', `group '${group.id}' has members: only they may commit`)
  }
  memberOf(group, memberId, instanceId)
  if (generation !== group.generation) {
    throw new Refused('ILLEGAL_GENERATION', `group '${group.id}' is in generation ${group.generation}`)
  }
  // The member has joined the new generation and does not know yet whether the partition is still its own.
  if (group.phase === 'CompletingRebalance') {
    throw new Refused('REBALANCE_IN_PROGRESS', `group '${group.id}' completes a rebalance`)
  }
}

/** What is not committed answers -1, an explicit "none". */
export function fetchOffsets(
  record: GroupRecord | undefined,
  topics: TopicPartitions | null,
): GroupReplies['fetchOffsets'] {
  const offsets: Offsets = record?.offsets ?? new Map()
  const asked = topics ?? [...offsets].map(([name, all]) => ({ name, partitions: [...all.keys()] }))
  return {
    topics: asked.map(({ name, partitions }) => {
      const ofTopic = offsets.get(name)
      return { name, partitions: partitions.map((index) => fetched(index, ofTopic?.get(index))) }
    }),
  }
}

function fetched(
  index: number,
  committed: { offset: number; leaderEpoch: number; metadata: string } | undefined,
): FetchedOffsets['topics'][number]['partitions'][number] {
  if (committed === undefined) return { index, offset: -1, leaderEpoch: -1, metadata: '' }
  const { offset, leaderEpoch, metadata } = committed
  return { index, offset, leaderEpoch, metadata }
}

/**
 * Offsets of topics that nobody in the group subscribes to (KIP-496). Those that are not there count as deleted.
 * @throws Refused NON_EMPTY_GROUP when what its members subscribe to cannot be known
 */
export function deleteOffsets(
  group: Readonly<Group>,
  record: GroupRecord | undefined,
  topics: TopicPartitions,
  token: Token,
): GroupDecision {
  if (group.phase !== 'Empty' && group.protocolType !== consumerProtocolType) {
    throw new Refused('NON_EMPTY_GROUP', `group '${group.id}' has members`)
  }
  const reply: PartitionErrors = {
    topics: topics.map(({ name, partitions }) => {
      const error = isSubscribedTo(group, name) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'
      return { name, partitions: partitions.map((index) => ({ index, error })) }
    }),
  }
  const deleted = topics
    .filter(({ name }) => !isSubscribedTo(group, name))
    .map(({ name, partitions }) => ({
      name,
      partitions: partitions.filter((index) => record?.offsets.get(name)?.has(index)),
    }))
    .filter(({ partitions }) => partitions.length > 0)
  const change = { type: 'offsetsDeleted', groupId: group.id, topics: deleted } as const
  return { changes: deleted.length > 0 ? [change] : [], volatile: [], replies: [{ to: token, reply }] }
}
