/** DescribeLogDirs: bytes of the partitions here. One broker has one folder.  @source KIP-113, KIP-827 */
import type { Broker } from '../broker/broker.ts'
import type { Partition } from '../broker/partition.ts'
import { DescribeLogDirs } from '../protocol/apis/describe-log-dirs.ts'
import { handler } from './handler.ts'

export const describeLogDirs = handler(DescribeLogDirs, (request, { broker }) => {
  const topics = new Map<string, Partition[]>()
  if (request.topics === null) {
    for (const { name, placements } of broker.image.topics.all()) {
      topics.set(name, here(broker, name, placements.keys()))
    }
  } else {
    for (const { topic, partitions } of request.topics) {
      topics.set(topic, [...(topics.get(topic) ?? []), ...here(broker, topic, partitions)])
    }
  }
  const held = [...topics].filter(([, partitions]) => partitions.length > 0)
  return { errorCode: 0, results: [describe(broker, held)] }
})

function here(broker: Broker, topic: string, indexes: Iterable<number>): Partition[] {
  const id = broker.image.topics.byName(topic)?.id
  if (id === undefined) return []
  return [...indexes].flatMap((index) => broker.partition(id, index) ?? [])
}

function describe(broker: Broker, held: readonly (readonly [string, readonly Partition[]])[]) {
  return {
    errorCode: 0,
    logDir: broker.dataDir,
    topics: held.map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ index, replica }) => ({
        partitionIndex: index,
        partitionSize: replica.log.sizeBytes,
        offsetLag: Math.max(0, replica.highWatermark - replica.log.end),
        isFutureKey: false,
      })),
    })),
    totalBytes: -1, // unknown
    usableBytes: broker.world.disk.freeBytes(broker.dataDir),
  }
}
