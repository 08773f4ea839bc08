/** Offsets by place and time (from the leaders), and offsets that groups have committed (from their coordinators). */
import { errorName } from '../src/base/error-codes.ts'
import { ListOffsets } from '../src/protocol/apis/list-offsets.ts'
import { OffsetCommit } from '../src/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../src/protocol/apis/offset-fetch.ts'
import type { Cluster } from './cluster.ts'
import { BrokerRefused, expectNone, InvalidArgument, type KafkaError, refused } from './errors.ts'
import { byTopic, nameOf, type TopicPartition } from './partition.ts'

/** A place in a partition: its start, its end, an offset, or the first record of a time (ms since 1970) or later. */
export type Position = 'beginning' | 'end' | number | { readonly timestamp: number }

export interface FoundOffset extends TopicPartition {
  readonly offset: number
  /** Of the record found; -1 for beginning and end. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string | null
}

export type Isolation = 'read_uncommitted' | 'read_committed'

const places = { end: -1, beginning: -2 } as const

interface Wanted extends TopicPartition {
  readonly timestamp: number
}

/**
 * Where the asked places are now. A time after the last record is the end, and so is what lies behind the last stable
 * offset with 'read_committed'. Numbers are answered as they are.
 * @throws KafkaError
 */
export async function findOffsets(
  cluster: Cluster,
  wanted: readonly (TopicPartition & { at: Position })[],
  options: { isolation?: Isolation; timeoutMs?: number } = {},
): Promise<FoundOffset[]> {
  const found = new Map<string, FoundOffset>()
  for (const { topic, partition, at } of wanted) {
    if (typeof at !== 'number') continue
    found.set(nameOf({ topic, partition }), { topic, partition, offset: at, timestamp: -1, leaderEpoch: -1 })
  }
  const asked = wanted.flatMap(({ topic, partition, at }) =>
    typeof at === 'number' ? [] : [{ topic, partition, timestamp: timestampOf(at) }],
  )
  await ask(cluster, asked, found, options)
  // A time that no record has reached.
  const late = asked.filter((item) => (found.get(nameOf(item))?.offset ?? -1) < 0)
  await ask(
    cluster,
    late.map((item) => ({ ...item, timestamp: places.end })),
    found,
    options,
  )
  return wanted.flatMap((item) => found.get(nameOf(item)) ?? [])
}

function timestampOf(at: Exclude<Position, number>): number {
  if (at === 'beginning' || at === 'end') return places[at]
  if (!(at.timestamp >= 0))
    throw new InvalidArgument(`a timestamp must be ms since 1970, not ${at.timestamp}`)
  return at.timestamp
}

async function ask(
  cluster: Cluster,
  wanted: readonly Wanted[],
  found: Map<string, FoundOffset>,
  options: { isolation?: Isolation; timeoutMs?: number },
): Promise<void> {
  let left = wanted
  if (left.length === 0) return
  const isolationLevel = options.isolation === 'read_committed' ? 1 : 0
  await cluster.patiently(
    'offsets',
    async () => {
      const failed: { item: Wanted; error: KafkaError }[] = []
      for (const [leader, items] of await byLeader(cluster, left)) {
        await askLeader(cluster, leader, items, isolationLevel, found, failed)
      }
      left = failed.map(({ item }) => item)
      const worst = failed.find(({ error }) => !error.retriable) ?? failed[0]
      if (worst !== undefined) throw worst.error
    },
    options.timeoutMs,
  )
}

/** The partitions by the broker that leads them. */
export async function byLeader<T extends TopicPartition>(
  cluster: Cluster,
  items: readonly T[],
): Promise<Map<number, T[]>> {
  const leaders = new Map<number, T[]>()
  const missing = [...byTopic(items).keys()].filter((topic) => cluster.metadata.known(topic) === undefined)
  if (missing.length > 0) await cluster.metadata.refresh(missing)
  for (const item of items) {
    const { leader } = await cluster.metadata.leader(item.topic, item.partition)
    const list = leaders.get(leader)
    if (list === undefined) leaders.set(leader, [item])
    else list.push(item)
  }
  return leaders
}

async function askLeader(
  cluster: Cluster,
  leader: number,
  items: readonly Wanted[],
  isolationLevel: number,
  found: Map<string, FoundOffset>,
  failed: { item: Wanted; error: KafkaError }[],
): Promise<void> {
  const response = await cluster.request(leader, ListOffsets, (version) => ({
    replicaId: -1,
    ...(version >= 2 && { isolationLevel }),
    topics: [...byTopic(items)].map(([name, list]) => ({
      name,
      partitions: list.map(({ partition, timestamp }) => ({ partitionIndex: partition, timestamp })),
    })),
  }))
  const answers = new Map(
    response.topics.flatMap(({ name, partitions }) =>
      partitions.map((row) => [nameOf({ topic: name, partition: row.partitionIndex }), row] as const),
    ),
  )
  for (const item of items) {
    const row = answers.get(nameOf(item))
    if (row === undefined || row.errorCode !== 0) {
      const error = refused(row?.errorCode ?? -1, `partition ${nameOf(item)}`)
      failed.push({ item, error })
      continue
    }
    const { topic, partition } = item
    const { offset, timestamp, leaderEpoch } = row
    found.set(nameOf(item), { topic, partition, offset, timestamp, leaderEpoch })
  }
}

/** What a group has committed; partitions without a commit are left out. `null` asks for all. @throws KafkaError */
export function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[] | null,
): Promise<CommittedOffset[]> {
  return cluster.retry(`offsets of group ${groupId}`, async () => {
    const topics =
      partitions === null
        ? null
        : [...byTopic(partitions)].map(([name, list]) => ({
            name,
            partitionIndexes: list.map(({ partition }) => partition),
          }))
    const response = await cluster.requestCoordinator(groupId, OffsetFetch, (version) => ({
      ...(version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics }),
      // Waits for what transactions have not decided yet.
      ...(version >= 7 && { requireStable: true }),
    }))
    const group = response.groups[0] ?? response
    expectNone(group.errorCode, `group ${groupId}`)
    return group.topics.flatMap(({ name, partitions: rows }) =>
      rows.flatMap((row) => {
        expectNone(row.errorCode, `partition ${name}-${row.partitionIndex}`)
        if (row.committedOffset < 0) return []
        const { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: leaderEpoch } = row
        return [{ topic: name, partition, offset, leaderEpoch, metadata: row.metadata }]
      }),
    )
  })
}

export interface OffsetToCommit extends TopicPartition {
  /** Of the next record to be read. */
  readonly offset: number
  readonly leaderEpoch?: number
  readonly metadata?: string | null
}

/** Who commits: a member of the group's present generation, or (generation -1) somebody from outside. */
export interface Committer {
  readonly groupId: string
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId: string | null
}

/** One attempt. @throws KafkaError, the first of the partitions' errors */
export async function commitOffsets(
  cluster: Cluster,
  committer: Committer,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  const { groupId, memberId, generationId, groupInstanceId } = committer
  const response = await cluster.requestCoordinator(groupId, OffsetCommit, (version) => ({
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    ...(version >= 7 && { groupInstanceId }),
    topics: [...byTopic(offsets)].map(([name, list]) => ({
      name,
      partitions: list.map((item) => ({
        partitionIndex: item.partition,
        committedOffset: item.offset,
        committedLeaderEpoch: item.leaderEpoch ?? -1,
        committedMetadata: item.metadata ?? null,
      })),
    })),
  }))
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      if (errorCode === 0) continue
      throw new BrokerRefused(
        errorName(errorCode),
        `commit of ${name}-${partitionIndex} for group ${groupId}`,
      )
    }
  }
}
