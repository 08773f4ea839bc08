/** What one Fetch request is after: the partitions, what there is to read of each, and the reading. */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { EpochEnd, Partition } from '../broker/partition.ts'
import type { Topic } from '../machines/cluster/state.ts'
import type { Fetch } from '../protocol/apis/fetch.ts'
import type { RequestOf } from '../protocol/notation.ts'
import type { Context } from './handler.ts'
import { LeaderHints, type NodeEndpoint } from './leader-hints.ts'
import { locateIn } from './locate.ts'

type PartitionAsked = RequestOf<typeof Fetch>['topics'][number]['partitions'][number]

export interface TopicAsked {
  readonly topic: string
  readonly topicId: string
  /** Or why there is none. */
  readonly found: Topic | ErrorName
  readonly partitions: readonly PartitionAsked[]
}

/** A partition that is here. */
export interface Want {
  readonly partition: Partition
  readonly asked: PartitionAsked
  /** Bytes there to read, as far as they count. */
  available: number
  error: ErrorName | null
  /** Where the client's log parted from ours. */
  diverging: EpochEnd | null
}

interface Row {
  readonly partitionIndex: number
  errorCode: number
  highWatermark: number
  lastStableOffset: number
  logStartOffset: number
  divergingEpoch: EpochEnd | undefined
  currentLeader: { leaderId: number; leaderEpoch: number } | undefined
  readonly abortedTransactions: readonly [] | null
  readonly preferredReadReplica: number
  /** Never null on the wire: old librdkafka takes that for a broken response. */
  records: readonly Buffer[]
}

interface Read {
  readonly responses: readonly {
    readonly topic: string
    readonly topicId: string
    readonly partitions: readonly Row[]
  }[]
  readonly nodeEndpoints: readonly NodeEndpoint[]
}

/** First version whose clients know KAFKA_STORAGE_ERROR, and the one that tells the new leader. */
const storageErrorSince = 6
const leaderHintsSince = 16

/** What is cached is read at once, a MiB in a third of a millisecond or more: after so many bytes others get their turn. */
const turnBytes = 1024 * 1024
/** Read in one go. More than the largest batch of most topics: one that is larger comes first in its answer, or not yet. */
const pieceBytes = 2 * 1024 * 1024

export class FetchPlan {
  /** In the order of the request, which is the order of reading. */
  readonly wants: readonly Want[]
  readonly #context: Context
  /** By topic and partition of the request. */
  readonly #topics: readonly { readonly asked: TopicAsked; readonly found: readonly (Want | ErrorName)[] }[]
  readonly #hints: LeaderHints
  #available = 0
  /** Read since others had a turn. */
  #readBytes = 0
  #hasError: boolean

  constructor(context: Context, topics: readonly TopicAsked[]) {
    this.#context = context
    this.#hints = new LeaderHints(context.broker)
    const wants: Want[] = []
    let hasError = false
    this.#topics = topics.map((asked) => ({
      asked,
      found: asked.partitions.map((partitionAsked) => {
        const place =
          typeof asked.found === 'string'
            ? asked.found
            : locateIn(context.broker, asked.found, partitionAsked.partition)
        if (typeof place === 'string') {
          hasError = true
          return place
        }
        const want = { partition: place, asked: partitionAsked, available: 0, error: null, diverging: null }
        wants.push(want)
        return want
      }),
    }))
    this.wants = wants
    this.#hasError = hasError
    for (const want of wants) this.look(want)
  }

  /** Bytes there to read, each partition up to its own limit. */
  get available(): number {
    return this.#available
  }

  /** True when waiting would not help: an error, nothing asked for, or enough to read. @source KIP-74, DelayedFetch */
  isDue(minBytes: number): boolean {
    return this.#hasError || this.wants.length === 0 || this.#available >= minBytes
  }

  /** Counts one partition again. */
  look(want: Want): void {
    const { partition, asked } = want
    want.error = partition.refusal(asked.currentLeaderEpoch)
    want.diverging = null
    if (want.error === null && partition.isOutOfRange(asked.fetchOffset)) want.error = 'OFFSET_OUT_OF_RANGE'
    if (want.error === null && asked.lastFetchedEpoch >= 0) this.#compare(want)
    if (want.error !== null || want.diverging !== null) this.#hasError = true
    const available = Math.min(partition.bytesFrom(asked.fetchOffset), Math.max(1, asked.partitionMaxBytes))
    this.#available += available - want.available
    want.available = available
  }

  #compare(want: Want): void {
    try {
      want.diverging = want.partition.divergence(want.asked.fetchOffset, want.asked.lastFetchedEpoch)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      want.error = error.code
    }
  }

  /**
   * Reads partition after partition, `bytesMax` over all. The first batch of the first partition that has any comes whatever
   * the limits say, else a batch over the limit would stop its consumer for ever (KIP-74).
   */
  async read(bytesMax: number, isReadCommitted: boolean): Promise<Read> {
    const responses = []
    let left = bytesMax
    let hasRecords = false
    for (const { asked, found } of this.#topics) {
      const partitions: Row[] = []
      for (const [at, want] of found.entries()) {
        const row = emptyRow(asked.partitions[at]?.partition ?? -1, isReadCommitted)
        partitions.push(row)
        if (typeof want === 'string') this.#fail(asked.found, row, want)
        else if (this.#open(want, row) && (left > 0 || !hasRecords)) {
          const bytes = await this.#readRow(want, row, { left, minOne: !hasRecords })
          left -= bytes
          hasRecords ||= bytes > 0
        }
      }
      responses.push({ topic: asked.topic, topicId: asked.topicId, partitions })
    }
    return { responses, nodeEndpoints: this.#hints.endpoints }
  }

  /** All of a row but its records; true when there are any to read. Time has passed: looks again. */
  #open(want: Want, row: Row): boolean {
    const { partition } = want
    this.look(want)
    // Every client asks again after this one; OFFSET_NOT_AVAILABLE would say more, and is newer than many of them.
    if (want.error === null && !partition.isReady) want.error = 'NOT_LEADER_OR_FOLLOWER'
    if (want.error !== null) {
      this.#fail(want.partition.topic, row, want.error)
      return false
    }
    row.highWatermark = partition.highWatermark
    row.lastStableOffset = partition.lastStableOffset
    row.logStartOffset = partition.start
    row.divergingEpoch = want.diverging ?? undefined
    return want.diverging === null && want.available > 0
  }

  async #readRow(want: Want, row: Row, limits: { left: number; minOne: boolean }): Promise<number> {
    const { partition, asked } = want
    const maxBytes = Math.max(0, Math.min(asked.partitionMaxBytes, limits.left))
    const records: Buffer[] = []
    let bytes = 0
    let offset = asked.fetchOffset
    try {
      for (let pieces = Math.max(1, Math.ceil(maxBytes / pieceBytes)); pieces > 0; pieces--) {
        await this.#othersFirst()
        const read = await partition.read(offset, {
          maxBytes: Math.ceil((maxBytes - bytes) / pieces),
          minOne: limits.minOne && bytes === 0,
          // Of the moment in which it was clear that this broker leads.
          boundOffset: row.highWatermark,
        })
        this.#context.lend(read.batches)
        records.push(...read.batches)
        bytes += read.bytes
        this.#readBytes += read.bytes
        offset = read.nextOffset
        if (read.bytes === 0 || offset >= row.highWatermark) break
      }
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof Faulted)) throw error
      // What was read before is sound; that there is no more to be had, the next fetch is told.
      if (bytes === 0) {
        this.#fail(partition.topic, row, error instanceof Refused ? error.code : 'KAFKA_STORAGE_ERROR')
        return 0
      }
    }
    row.records = records
    return bytes
  }

  async #othersFirst(): Promise<void> {
    if (this.#readBytes < turnBytes) return
    this.#readBytes = 0
    const { clock } = this.#context.broker.world
    await new Promise<void>((resolve) => clock.soon(resolve))
  }

  #known(code: ErrorName): ErrorName {
    const isNew = code === 'KAFKA_STORAGE_ERROR' && this.#context.version < storageErrorSince
    return isNew ? 'NOT_LEADER_OR_FOLLOWER' : code
  }

  #fail(topic: Topic | ErrorName, row: Row, code: ErrorName): void {
    const { version } = this.#context
    const known = this.#known(code)
    row.errorCode = errorCode(known)
    row.highWatermark = row.lastStableOffset = row.logStartOffset = -1
    const isElsewhere = known === 'NOT_LEADER_OR_FOLLOWER' || known === 'FENCED_LEADER_EPOCH'
    if (!isElsewhere || version < leaderHintsSince || typeof topic === 'string') return
    row.currentLeader = this.#hints.of({ topic, index: row.partitionIndex })
  }
}

function emptyRow(partitionIndex: number, isReadCommitted: boolean): Row {
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: undefined,
    currentLeader: undefined,
    // No transactions yet, so none that was aborted.
    abortedTransactions: isReadCommitted ? [] : null,
    preferredReadReplica: -1,
    records: [],
  }
}
