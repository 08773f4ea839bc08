/** The settings of a consumer, with their defaults. Kafka's name of each is in its comment where there is one. */
import { type AssignorName, assignorNamed } from './assignors.ts'
import type { Truncation } from './errors.ts'
import { InvalidArgument } from './errors.ts'
import type { Isolation, Position } from './offsets.ts'
import type { TopicPartition } from './partition.ts'
import { atLeast, given } from './settings.ts'

/** What a member of a group hears of its partitions. A hook may take its time: the group waits for it. */
export interface RebalanceHooks {
  /** These are new. Nothing of them is handed out before this is done: the place to seek. */
  readonly assigned?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** These go to somebody else, and nothing of them is in hand. What is processed is committed after this. */
  readonly revoked?: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** These were taken away: the session ran out, and somebody else may read them already. `revoked` when absent. */
  readonly lost?: (partitions: readonly TopicPartition[]) => void | Promise<void>
}

export interface ConsumerOptions {
  /** With `groupId`: what the group shares. Without: all partitions of these topics. */
  readonly topics?: readonly string[]
  /** Instead of `topics`: just these partitions, each from its own place if it has one. */
  readonly assignments?: readonly (TopicPartition & { readonly from?: Position })[]
  /** group.id: positions are committed for this group. */
  readonly groupId?: string
  /** group.instance.id: a member that keeps its partitions over a restart. */
  readonly groupInstanceId?: string
  /** Where to begin when the group has committed nothing, or there is no group. */
  readonly from?: Position
  /**
   * auto.offset.reset, when a position turns out to lie outside the log: its beginning, its end, the first record of a time
   * or later (KIP-1106), or an error. As `from` when that is beginning or end, else 'none'.
   */
  readonly offsetReset?: 'earliest' | 'latest' | 'none' | { readonly timestamp: number }
  /** isolation.level */
  readonly isolation?: Isolation
  /** Ends the iteration when every partition has reached the end it had when it was assigned. */
  readonly stopAtEnd?: boolean
  /** enable.auto.commit: what the loop has finished with. */
  readonly autoCommit?: boolean
  /** auto.commit.interval.ms */
  readonly autoCommitIntervalMs?: number
  /** fetch.min.bytes, fetch.max.wait.ms, fetch.max.bytes, max.partition.fetch.bytes */
  readonly fetchBytesMin?: number
  readonly fetchWaitMs?: number
  readonly fetchBytesMax?: number
  readonly partitionBytesMax?: number
  /** Fetched and not yet read, over all partitions. */
  readonly prefetchBytesMax?: number
  /** What one batch may expand to. */
  readonly expandedBytesMax?: number
  /** max.poll.records: of one batch of `batches()`. */
  readonly batchRecordsMax?: number
  /** session.timeout.ms, heartbeat.interval.ms */
  readonly sessionTimeoutMs?: number
  readonly heartbeatIntervalMs?: number
  /** max.poll.interval.ms: how long a rebalance waits for the loop to finish what it has in hand. */
  readonly rebalanceTimeoutMs?: number
  /**
   * partition.assignment.strategy, in order of preference. The members of a group must share one. When all of them are
   * cooperative, partitions that stay are read on through a rebalance.
   */
  readonly assignors?: readonly AssignorName[]
  readonly rebalance?: RebalanceHooks
  /** Records that were read are gone: an unclean election. Told before the consumer goes on, or fails, by `offsetReset`. */
  readonly onTruncated?: (truncation: Truncation) => void
  /** Closes the consumer, which ends its loop, when it is aborted. */
  readonly signal?: AbortSignal
}

type Hooks = 'rebalance' | 'onTruncated' | 'signal'

export interface ConsumerSettings
  extends Required<Omit<ConsumerOptions, 'groupId' | 'groupInstanceId' | 'assignments' | Hooks>>,
    Pick<ConsumerOptions, Hooks> {
  readonly groupId: string | null
  readonly groupInstanceId: string | null
  readonly assignments: ConsumerOptions['assignments'] | null
}

/** @throws InvalidArgument naming the setting */
export function consumerSettingsOf(options: ConsumerOptions): ConsumerSettings {
  const from = options.from ?? 'end'
  const settings: ConsumerSettings = {
    topics: [],
    assignments: null,
    groupId: null,
    groupInstanceId: null,
    from,
    offsetReset: from === 'beginning' ? 'earliest' : from === 'end' ? 'latest' : 'none',
    isolation: 'read_uncommitted',
    stopAtEnd: false,
    autoCommit: options.groupId !== undefined,
    autoCommitIntervalMs: 5_000,
    fetchBytesMin: 1,
    fetchWaitMs: 500,
    fetchBytesMax: 16 * 1024 * 1024,
    partitionBytesMax: 1024 * 1024,
    prefetchBytesMax: 32 * 1024 * 1024,
    expandedBytesMax: 128 * 1024 * 1024,
    batchRecordsMax: 500,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 3_000,
    rebalanceTimeoutMs: 300_000,
    assignors: ['range', 'roundrobin', 'RoundRobinAssigner'],
    ...given(options),
  }
  if ((settings.topics.length === 0) === (settings.assignments === null)) {
    throw new InvalidArgument('a consumer needs topics or assignments, and not both')
  }
  if (settings.groupId === '') throw new InvalidArgument('groupId must not be empty')
  if (settings.autoCommit && settings.groupId === null)
    throw new InvalidArgument('autoCommit needs a groupId')
  for (const name of settings.assignors) {
    if (assignorNamed(name) === undefined) throw new InvalidArgument(`assignors: there is no '${name}'`)
  }
  if (settings.assignors.length === 0) throw new InvalidArgument('assignors must name at least one')
  for (const name of counts) atLeast(name, settings[name], 1)
  for (const name of durations) atLeast(name, settings[name], 0)
  return settings
}

const counts = [
  'fetchBytesMax',
  'partitionBytesMax',
  'prefetchBytesMax',
  'expandedBytesMax',
  'batchRecordsMax',
  'autoCommitIntervalMs',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
] as const
const durations = ['fetchBytesMin', 'fetchWaitMs', 'rebalanceTimeoutMs'] as const
