/** What several partitions of one broker want, as one Fetch, and its answer back to the partitions. */
import { Fetch } from '../src/protocol/apis/fetch.ts'
import { type RequestInput, type ResponseOf, zeroUuid } from '../src/protocol/notation.ts'
import type { Connection } from './connection.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import type { Metadata } from './metadata.ts'
import { byTopic } from './partition.ts'
import type { PartitionReader } from './partition-reader.ts'

export type FetchResponse = ResponseOf<typeof Fetch>
export type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]

/** The last version that names topics; later ones need topic ids. */
const namedTopicsMax = 12
/** From this version on the broker compares what was read with what it has (KIP-595). */
export const divergingEpochMin = 12

/** @throws UnsupportedVersion */
export function fetchVersion(
  connection: Connection,
  metadata: Metadata,
  readers: readonly PartitionReader[],
): number {
  const hasIds = readers.every(({ topic }) => topicIdOf(metadata, topic) !== zeroUuid)
  return connection.versionOf(Fetch, hasIds ? undefined : namedTopicsMax)
}

export function fetchRequest(
  readers: readonly PartitionReader[],
  metadata: Metadata,
  settings: ConsumerSettings,
  version: number,
): RequestInput<typeof Fetch> {
  const { fetchBytesMin, fetchWaitMs, fetchBytesMax, partitionBytesMax, isolation } = settings
  return {
    maxWaitMs: fetchWaitMs,
    minBytes: fetchBytesMin,
    maxBytes: fetchBytesMax,
    isolationLevel: isolation === 'read_committed' ? 1 : 0,
    topics: [...byTopic(readers)].map(([topic, list]) => ({
      topic,
      topicId: topicIdOf(metadata, topic),
      partitions: list.map((reader) => ({
        partition: reader.partition,
        currentLeaderEpoch: leaderEpochOf(metadata, reader),
        fetchOffset: reader.position,
        ...(version >= divergingEpochMin && { lastFetchedEpoch: reader.lastEpoch }),
        partitionMaxBytes: partitionBytesMax,
      })),
    })),
    forgottenTopicsData: [],
  }
}

export function answerFor(
  reader: PartitionReader,
  response: FetchResponse,
  metadata: Metadata,
): PartitionAnswer | undefined {
  const topicId = metadata.known(reader.topic)?.topicId
  return response.responses
    .find((row) => (row.topic === '' ? row.topicId === topicId : row.topic === reader.topic))
    ?.partitions.find((row) => row.partitionIndex === reader.partition)
}

/** -1 when unknown. */
export function leaderEpochOf(metadata: Metadata, { topic, partition }: PartitionReader): number {
  return metadata.known(topic)?.partitions[partition]?.leaderEpoch ?? -1
}

function topicIdOf(metadata: Metadata, topic: string): string {
  return metadata.known(topic)?.topicId ?? zeroUuid
}
