/** What can be asked of the controller, and what it answers. */
import type { ReplicaAssignment } from './placement.ts'

export type ClusterCommand =
  | {
      readonly type: 'registerBroker'
      readonly id: number
      readonly diskId: string
      readonly host: string
      readonly port: number
      readonly rack: string | null
      readonly peerHost: string | null
      readonly peerPort: number
      /** Taken as the cluster's id when it has none yet. */
      readonly freshClusterId: string
    }
  | {
      readonly type: 'createTopic'
      readonly name: string
      /** A fresh uuid; used when the topic is made. */
      readonly freshId: string
      /** null with `assignment`. */
      readonly partitions: number | null
      readonly replicationFactor: number | null
      readonly assignment: ReplicaAssignment | null
      readonly configs: ReadonlyMap<string, string>
      readonly validateOnly: boolean
      /** Partitions that may exist in the whole cluster. */
      readonly partitionsMax: number
      /** Brokers that were out of reach for who asks: placed last. */
      readonly away: readonly number[]
    }
  | { readonly type: 'deleteTopic'; readonly id: string }
  | {
      readonly type: 'createPartitions'
      readonly topic: string
      /** The new total. */
      readonly count: number
      /** Replicas of the added partitions, in order; null to place them here. */
      readonly assignment: ReplicaAssignment | null
      readonly validateOnly: boolean
      readonly partitionsMax: number
      readonly away: readonly number[]
    }
  | {
      readonly type: 'alterTopicConfigs'
      readonly topic: string
      readonly set: ReadonlyMap<string, string>
      readonly remove: readonly string[]
      /** Forget everything that `set` does not name (the old AlterConfigs). */
      readonly replace: boolean
      readonly validateOnly: boolean
    }
  | {
      readonly type: 'alterBrokerConfigs'
      /** '' for the default of all brokers, else a node id. */
      readonly broker: string
      readonly set: ReadonlyMap<string, string>
      readonly remove: readonly string[]
      readonly replace: boolean
      readonly validateOnly: boolean
    }
  | { readonly type: 'allocateProducerIds'; readonly count: number }
  | {
      readonly type: 'reassignPartition'
      readonly topicId: string
      readonly index: number
      /** The preferred leader first; null: what is under way is given up. */
      readonly replicas: readonly number[] | null
    }
  /** The partition's leader has seen the wanted voters committed, and nobody else votes. */
  | {
      readonly type: 'finishMove'
      readonly topicId: string
      readonly index: number
      readonly moveId: number
    }
  | { readonly type: 'retireBroker'; readonly id: number }
  | { readonly type: 'idle' }

export interface CreatedTopic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly replicationFactor: number
}

export type ClusterReplies = {
  registerBroker: { readonly clusterId: string }
  createTopic: CreatedTopic
  deleteTopic: { readonly name: string }
  createPartitions: { readonly count: number }
  alterTopicConfigs: null
  alterBrokerConfigs: null
  allocateProducerIds: { readonly first: number; readonly count: number }
  reassignPartition: null
  finishMove: null
  retireBroker: null
  idle: null
}
