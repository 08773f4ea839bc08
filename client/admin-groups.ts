/** Consumer groups and their offsets. */

import { Malformed } from '../src/base/bytes.ts'
import { DeleteGroups } from '../src/protocol/apis/delete-groups.ts'
import { DescribeGroups } from '../src/protocol/apis/describe-groups.ts'
import { ListGroups } from '../src/protocol/apis/list-groups.ts'
import { OffsetDelete } from '../src/protocol/apis/offset-delete.ts'
import { decodeAssignment } from '../src/protocol/consumer-protocol.ts'
import { outcomeOf, settleAll } from './admin-items.ts'
import { describeTopics } from './admin-topics.ts'
import type { Cluster } from './cluster.ts'
import { BrokerRefused, expectNone, type KafkaError, refused, throwFailures } from './errors.ts'
import { commitOffsets, committedOffsets, findOffsets, type Position } from './offsets.ts'
import { byTopic, nameOf, type TopicPartition } from './partition.ts'

export interface GroupListing {
  readonly groupId: string
  readonly protocolType: string
  /** '' when the broker does not tell. */
  readonly state: string
}

export interface GroupDescription {
  readonly groupId: string
  /** Stable, PreparingRebalance, CompletingRebalance, Empty, Dead */
  readonly state: string
  readonly protocolType: string
  /** The assignor that the members agreed on. */
  readonly protocol: string
  readonly coordinator: number
  readonly members: readonly MemberDescription[]
}

export interface MemberDescription {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly host: string
  /** Empty when the member's bytes are none of the consumer protocol. */
  readonly assignment: readonly TopicPartition[]
}

/** One partition of a group: how far it is. */
export interface GroupOffset extends TopicPartition {
  /** -1: nothing is committed. */
  readonly committed: number
  readonly end: number
  /** -1 when nothing is committed. */
  readonly lag: number
  /** Who reads it at present. */
  readonly member: MemberDescription | null
}

export async function listGroups(cluster: Cluster): Promise<GroupListing[]> {
  await cluster.retry('brokers', () => cluster.metadata.refresh())
  const lists = await Promise.all(
    cluster.brokers.nodeIds.map((nodeId) =>
      cluster.retry(`groups of broker ${nodeId}`, async () => {
        const response = await cluster.request(nodeId, ListGroups, {})
        expectNone(response.errorCode, `groups of broker ${nodeId}`)
        return response.groups.map(({ groupId, protocolType, groupState: state }) => ({
          groupId,
          protocolType,
          state,
        }))
      }),
    ),
  )
  return lists.flat().sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

/** @throws KafkaError GROUP_ID_NOT_FOUND when there is no such group */
export async function describeGroup(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  return cluster.retry(`group ${groupId}`, async () => {
    const coordinator = await cluster.coordinator(groupId)
    const response = await cluster.request(coordinator, DescribeGroups, { groups: [groupId] })
    const [group] = response.groups
    if (group === undefined) throw refused(-1, `group ${groupId}`)
    expectNone(group.errorCode, `group ${groupId}`)
    if (group.groupState === 'Dead') throw new BrokerRefused('GROUP_ID_NOT_FOUND', `group ${groupId}`)
    return {
      groupId,
      state: group.groupState,
      protocolType: group.protocolType,
      protocol: group.protocolData,
      coordinator,
      members: group.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        host: member.clientHost,
        assignment: assignmentOf(member.memberAssignment),
      })),
    }
  })
}

function assignmentOf(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  try {
    return decodeAssignment(bytes).assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  } catch (cause) {
    // The bytes are the members' own affair; groups of another protocol type put anything there.
    if (cause instanceof Malformed) return []
    throw cause
  }
}

/** Every partition that the group has committed or that a member reads, with its lag. */
export async function groupOffsets(
  cluster: Cluster,
  group: Pick<GroupDescription, 'groupId' | 'members'>,
): Promise<GroupOffset[]> {
  const committed = await committedOffsets(cluster, group.groupId, null)
  const rows = new Map<
    string,
    { place: TopicPartition; committed: number; member: MemberDescription | null }
  >()
  for (const place of committed) rows.set(nameOf(place), { place, committed: place.offset, member: null })
  for (const member of group.members) {
    for (const place of member.assignment) {
      const row = rows.get(nameOf(place)) ?? { place, committed: -1, member }
      rows.set(nameOf(place), { ...row, member })
    }
  }
  const there = await existing(
    cluster,
    [...rows.values()].map(({ place }) => place),
  )
  const ends = await findOffsets(
    cluster,
    there.map(({ topic, partition }) => ({ topic, partition, at: 'end' })),
  )
  const endOf = new Map(ends.map((end) => [nameOf(end), end.offset]))
  return [...rows.values()]
    .map(({ place: { topic, partition }, committed: offset, member }) => {
      const end = endOf.get(nameOf({ topic, partition })) ?? -1
      const lag = offset < 0 || end < 0 ? -1 : Math.max(0, end - offset)
      return { topic, partition, committed: offset, end, lag, member }
    })
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}

/** Without the partitions of topics that were deleted since. */
async function existing(cluster: Cluster, places: readonly TopicPartition[]): Promise<TopicPartition[]> {
  if (places.length === 0) return []
  const names = [...byTopic(places).keys()]
  const { topics } = await cluster.retry('topics of the group', () => cluster.metadata.fetch(names, false))
  return places.filter(({ topic, partition }) => topics.get(topic)?.partitions[partition] !== undefined)
}

export interface OffsetReset extends TopicPartition {
  /** -1: nothing was committed. */
  readonly from: number
  readonly to: number
}

/**
 * Moves what a group has committed. The group must have no members. `partitions` alone, or all of `topics`, or without
 * both everything that it has committed. An offset outside the log becomes the nearest that is inside.
 * @throws KafkaError NON_EMPTY_GROUP
 */
export async function resetOffsets(
  cluster: Cluster,
  groupId: string,
  options: {
    to: Position
    topics?: readonly string[]
    partitions?: readonly TopicPartition[]
    dryRun?: boolean
  },
): Promise<OffsetReset[]> {
  await expectEmpty(cluster, groupId)
  const committed = await committedOffsets(cluster, groupId, null)
  const places = options.partitions ?? (await partitionsToReset(cluster, committed, options.topics))
  const find = (at: Position) =>
    findOffsets(
      cluster,
      places.map(({ topic, partition }) => ({ topic, partition, at })),
    )
  const [targets, beginnings, ends] = await Promise.all([find(options.to), find('beginning'), find('end')])
  const resets = targets.map(({ topic, partition, offset }, i) => ({
    topic,
    partition,
    from: committed.find((row) => row.topic === topic && row.partition === partition)?.offset ?? -1,
    to: Math.min(Math.max(offset, beginnings[i]?.offset ?? 0), ends[i]?.offset ?? offset),
  }))
  if (options.dryRun !== true && resets.length > 0) {
    const outsider = { groupId, memberId: '', generationId: -1, groupInstanceId: null }
    await cluster.retry(`offsets of group ${groupId}`, () =>
      commitOffsets(
        cluster,
        outsider,
        resets.map(({ topic, partition, to: offset }) => ({ topic, partition, offset })),
      ),
    )
  }
  return resets
}

async function expectEmpty(cluster: Cluster, groupId: string): Promise<void> {
  try {
    const { state, members } = await describeGroup(cluster, groupId)
    if (state === 'Empty') return
    const detail = `the group is ${state} with ${members.length} members`
    throw new BrokerRefused('NON_EMPTY_GROUP', `group ${groupId}`, detail)
  } catch (cause) {
    // A group that is not there yet may be given its first offsets.
    if (!(cause instanceof BrokerRefused && cause.code === 'GROUP_ID_NOT_FOUND')) throw cause
  }
}

async function partitionsToReset(
  cluster: Cluster,
  committed: readonly TopicPartition[],
  topics: readonly string[] | undefined,
): Promise<readonly TopicPartition[]> {
  if (topics === undefined) return existing(cluster, committed)
  const described = await describeTopics(cluster, topics)
  return described.flatMap(({ name, partitions }) =>
    partitions.map(({ index }) => ({ topic: name, partition: index })),
  )
}

/** The groups must have no members. */
export async function deleteGroups(cluster: Cluster, groupIds: readonly string[]): Promise<void> {
  await settleAll(cluster, 'deletion of groups', groupIds, (left) =>
    Promise.all(
      left.map(async (groupId) => {
        const response = await cluster.requestCoordinator(groupId, DeleteGroups, { groupsNames: [groupId] })
        return outcomeOf(groupId, response.results[0], `group ${groupId}`)
      }),
    ),
  )
}

/** Forgets what the group has committed for partitions of topics that it does not consume at present. */
export async function deleteOffsets(
  cluster: Cluster,
  groupId: string,
  places: readonly TopicPartition[],
): Promise<void> {
  const failures: KafkaError[] = []
  await cluster.retry(`offsets of group ${groupId}`, async () => {
    const response = await cluster.requestCoordinator(groupId, OffsetDelete, {
      groupId,
      topics: [...byTopic(places)].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition }) => ({ partitionIndex: partition })),
      })),
    })
    expectNone(response.errorCode, `group ${groupId}`)
    for (const { name, partitions } of response.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        if (errorCode !== 0) failures.push(refused(errorCode, `partition ${name}-${partitionIndex}`))
      }
    }
  })
  throwFailures(failures)
}
