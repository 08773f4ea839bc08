/**
 * ListOffsets: the offset of a time or of a place. Only what consumers may read counts, so the end is the high watermark.
 * The leader epoch in the answer is that of the record at the offset, never simply the current one: consumers commit it and
 * are fenced with it later.  @source KIP-79, KIP-207, KIP-320, KIP-734, KIP-405, KIP-1005
 */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import type { Partition } from '../broker/partition.ts'
import { ListOffsets } from '../protocol/apis/list-offsets.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { locate } from './locate.ts'

type PartitionAsked = RequestOf<typeof ListOffsets>['topics'][number]['partitions'][number]

const latest = -1
const earliest = -2
const maxTimestamp = -3
const earliestLocal = -4
const latestTiered = -5
/** The sentinels served, and the version that brought each. Others are no timestamps either. */
const sentinelSince = new Map([
  [latest, 1],
  [earliest, 1],
  [maxTimestamp, 7],
  [earliestLocal, 8],
  [latestTiered, 9],
])
/** First version whose clients know OFFSET_NOT_AVAILABLE. */
const offsetNotAvailableSince = 5

const leaderEpochSince = 4

interface Place {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

const nowhere: Place = { offset: -1, timestamp: -1, leaderEpoch: -1 }

export const listOffsets = handler(ListOffsets, async (request, context) => {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => {
      const twice = repeated(partitions)
      return {
        name,
        partitions: await Promise.all(
          partitions.map(async (asked) => {
            const { partitionIndex } = asked
            const found = twice.has(partitionIndex) ? 'INVALID_REQUEST' : await find(name, asked, context)
            return typeof found === 'string'
              ? { partitionIndex, errorCode: errorCode(found), ...nowhere }
              : { partitionIndex, errorCode: 0, ...inVersion(context.version, found) }
          }),
        ),
      }
    }),
  )
  return { topics }
})

function inVersion(version: number, place: Place): Place {
  return version >= leaderEpochSince ? place : { ...place, leaderEpoch: -1 }
}

/** Partitions asked for more than once: which answer would be whose? */
function repeated(partitions: readonly PartitionAsked[]): Set<number> {
  const seen = new Set<number>()
  const twice = new Set<number>()
  for (const { partitionIndex } of partitions) {
    if (seen.has(partitionIndex)) twice.add(partitionIndex)
    seen.add(partitionIndex)
  }
  return twice
}

async function find(topic: string, asked: PartitionAsked, context: Context): Promise<Place | ErrorName> {
  const { timestamp } = asked
  if (timestamp < 0 && context.version < (sentinelSince.get(timestamp) ?? Infinity))
    return 'UNSUPPORTED_VERSION'
  const partition = locate(context.broker, topic, asked.partitionIndex)
  if (typeof partition === 'string') return partition
  const refusal = partition.refusal(asked.currentLeaderEpoch)
  if (refusal !== null) return refusal
  if (!partition.isReady) {
    return context.version >= offsetNotAvailableSince ? 'OFFSET_NOT_AVAILABLE' : 'LEADER_NOT_AVAILABLE'
  }
  try {
    // A leader that was cut off may not know yet that there is another, which has acknowledged more.
    await partition.replica.confirmLeadership()
    return await placeOf(partition, timestamp)
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
}

async function placeOf(partition: Partition, timestamp: number): Promise<Place> {
  const { replica } = partition
  switch (timestamp) {
    case latest:
      return { offset: partition.lastStableOffset, timestamp: -1, leaderEpoch: replica.epoch }
    // Everything lies on this broker's own disk: no record has been moved to other storage.
    case latestTiered:
      return nowhere
    case earliestLocal:
    case earliest: {
      const { start } = partition
      const isEmpty = start >= partition.highWatermark
      return { offset: start, timestamp: -1, leaderEpoch: isEmpty ? -1 : replica.log.epochOf(start) }
    }
    default: {
      const place =
        timestamp === maxTimestamp
          ? await partition.offsetOfMaxTimestamp()
          : await partition.offsetForTime(timestamp)
      if (place === null) return nowhere
      return { offset: place.offset, timestamp: place.timestamp, leaderEpoch: place.epoch }
    }
  }
}
