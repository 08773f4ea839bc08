/**
 * The partitions that the broker keeps for itself. The cluster's own log is no topic: it must exist before there are any.
 * The groups' partitions are an internal topic under Kafka's name, made when the first group asks for its coordinator.
 */

/** Topic id of the cluster's log; Kafka's own for its metadata log. */
export const clusterTopicId = '00000000-0000-0000-0000-000000000001'
export const clusterPartition = 0

/** Same name as Kafka's, so that every tool knows it is internal; what is in it is lograft's own (docs/decisions). */
export const groupsTopicName = '__consumer_offsets'

export function isInternalTopic(name: string): boolean {
  return name === groupsTopicName
}
