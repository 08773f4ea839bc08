/** From what a request names to the partition that this node holds, or to the error that says why not. */

import type { ErrorName } from '../base/error-codes.ts'
import type { Broker } from '../broker/broker.ts'
import type { Partition } from '../broker/partition.ts'
import type { Topic } from '../machines/cluster/state.ts'

/** By name. */
export function locate(broker: Broker, name: string, index: number): Partition | ErrorName {
  const topic = broker.image.topics.byName(name)
  return topic === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : locateIn(broker, topic, index)
}

/** Of a topic that exists. */
export function locateIn(broker: Broker, topic: Topic, index: number): Partition | ErrorName {
  const partition = broker.partition(topic.id, index)
  if (partition !== undefined) return partition
  if (topic.placements[index] === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  // Offline; or held elsewhere, or not open yet. The client asks again, with fresh metadata.
  return broker.fault(topic.id, index) === undefined ? 'NOT_LEADER_OR_FOLLOWER' : 'KAFKA_STORAGE_ERROR'
}
