/** Writes a committed decision into the cluster's state. */
import { assert } from '../../base/assert.ts'
import type { ClusterChange } from './changes.ts'
import type { ClusterState, Topic } from './state.ts'

export function applyClusterChange(state: ClusterState, change: ClusterChange): void {
  switch (change.type) {
    case 'clusterFormed':
      state.clusterId = change.clusterId
      return
    case 'brokerRegistered': {
      const { id, diskId, host, port, rack } = change
      state.brokers.set(id, { id, diskId, host, port, rack })
      return
    }
    case 'topicCreated': {
      const { name, id, placements, configs } = change
      state.topics.add({ name, id, placements, configs: new Map(configs) })
      return
    }
    case 'topicDeleted':
      state.topics.remove(topicOf(state, change.id))
      return
    case 'partitionsAdded':
      state.topics.widen(topicOf(state, change.id), change.placements)
      return
    case 'topicConfigsChanged':
      topicOf(state, change.id).configs = new Map(change.configs)
      return
    case 'brokerConfigsChanged':
      state.brokerConfigs.set(change.broker, new Map(change.configs))
      return
    case 'producerIdsAllocated':
      state.nextProducerId = change.next
      return
  }
}

function topicOf(state: ClusterState, id: string): Topic {
  const topic = state.topics.byId(id)
  assert(topic !== undefined, `a committed change names a topic that exists (${id})`)
  return topic
}
