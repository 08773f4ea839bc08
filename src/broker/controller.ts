/**
 * The cluster's decisions as handlers ask for them. Each resolves when it is committed and in force on this broker: a created
 * topic serves, a deleted one is gone.
 */
import type { ClusterCommand, ClusterReplies } from '../machines/cluster/commands.ts'

type Asked<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>
type Without<C, K extends string> = C extends unknown ? Omit<C, K> : never

export interface Controller {
  /**
   * @throws Refused TOPIC_ALREADY_EXISTS (it serves then), INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG, ...;
   *   KAFKA_STORAGE_ERROR: the topic exists now, and some of its partitions could not be opened here
   */
  createTopic(
    topic: Without<Asked<'createTopic'>, 'type' | 'freshId' | 'partitionsMax' | 'away'>,
  ): Promise<ClusterReplies['createTopic']>
  deleteTopic(id: string): Promise<ClusterReplies['deleteTopic']>
  createPartitions(
    partitions: Without<Asked<'createPartitions'>, 'type' | 'partitionsMax' | 'away'>,
  ): Promise<ClusterReplies['createPartitions']>
  alterTopicConfigs(change: Without<Asked<'alterTopicConfigs'>, 'type'>): Promise<void>
  alterBrokerConfigs(change: Without<Asked<'alterBrokerConfigs'>, 'type'>): Promise<void>
  /**
   * What the image says of a topic, by name, and is not in force here yet: its partitions are being opened or removed. Resolves
   * when that is done, however it ends; undefined when nothing is under way.
   */
  underWay(topic: string): Promise<void> | undefined
  /**
   * A topic that is new, by name: resolves when all its partitions are led, here or elsewhere, or when that takes too long; undefined
   * for one that is not new.
   */
  beginning(topic: string): Promise<void> | undefined
  /** A block of producer ids for this broker alone. */
  allocateProducerIds(): Promise<ClusterReplies['allocateProducerIds']>
  /**
   * Moves a partition to other replicas, the preferred leader first; null gives up the move under way. Resolves when it is decided:
   * the image's `moves` tell when it is done.
   * @throws Refused NO_REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT, UNKNOWN_TOPIC_OR_PARTITION
   */
  reassign(move: Without<Asked<'reassignPartition'>, 'type'>): Promise<void>
  /**
   * Has another replica lead; resolves when it does.
   * @throws Refused ELIGIBLE_LEADERS_NOT_AVAILABLE when it does not keep up, LEADER_NOT_AVAILABLE, REQUEST_TIMED_OUT
   */
  transferLeadership(topicId: string, index: number, to: number, timeoutMs: number): Promise<void>
  /**
   * Takes a broker out of the cluster for ever, also out of the controllers.
   * @throws Refused BROKER_ID_NOT_REGISTERED; INVALID_REQUEST while it holds replicas, or is the last one
   */
  unregisterBroker(id: number): Promise<void>
}
