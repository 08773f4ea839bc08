/**
 * The cluster's decisions as handlers ask for them. Each resolves when it is committed and in force on this broker: a created
 * topic serves, a deleted one is gone.
 */
import type { ClusterCommand, ClusterReplies } from '../machines/cluster/commands.ts'

type Asked<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>
type Without<C, K extends string> = C extends unknown ? Omit<C, K> : never

export interface Controller {
  /** @throws Refused TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG, ... */
  createTopic(
    topic: Without<Asked<'createTopic'>, 'type' | 'freshId' | 'partitionsMax'>,
  ): Promise<ClusterReplies['createTopic']>
  deleteTopic(id: string): Promise<ClusterReplies['deleteTopic']>
  createPartitions(
    partitions: Without<Asked<'createPartitions'>, 'type' | 'partitionsMax'>,
  ): Promise<ClusterReplies['createPartitions']>
  alterTopicConfigs(change: Without<Asked<'alterTopicConfigs'>, 'type'>): Promise<void>
  alterBrokerConfigs(change: Without<Asked<'alterBrokerConfigs'>, 'type'>): Promise<void>
  /** A block of producer ids for this broker alone. */
  allocateProducerIds(): Promise<ClusterReplies['allocateProducerIds']>
}
