/**
 * Whether a log still holds what a consumer has read. Brokers from Fetch version 12 on compare by themselves, with every fetch;
 * for older ones, and where a position lies outside the log, the leader is asked where the epoch last read ended.
 * @source KIP-320, KIP-595
 */
import { OffsetForLeaderEpoch } from '../src/protocol/apis/offset-for-leader-epoch.ts'
import type { Cluster } from './cluster.ts'
import { refused, type Truncation } from './errors.ts'
import type { PartitionReader } from './partition-reader.ts'

/** One attempt. null when all that was read is there, or nobody can tell. @throws KafkaError */
export async function findTruncation(
  cluster: Cluster,
  leader: number,
  reader: PartitionReader,
  currentLeaderEpoch: number,
): Promise<Truncation | null> {
  const { topic, partition, position, lastEpoch } = reader
  if (lastEpoch < 0) return null
  const response = await cluster.request(leader, OffsetForLeaderEpoch, (version) => ({
    ...(version >= 3 && { replicaId: -1 }),
    topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, leaderEpoch: lastEpoch }] }],
  }))
  const answer = response.topics[0]?.partitions[0]
  if (answer === undefined || answer.errorCode !== 0)
    throw refused(answer?.errorCode ?? -1, `partition ${reader.name}`)
  return answer.endOffset < 0 || answer.endOffset >= position
    ? null
    : { topic, partition, position, divergedAt: answer.endOffset }
}
