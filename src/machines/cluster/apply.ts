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
      const { type, ...broker } = change
      state.brokers.set(broker.id, broker)
      return
    }
    case 'brokerRetired':
      state.brokers.delete(change.id)
      state.retired.add(change.id)
      return
    case 'topicCreated': {
      const { name, id, placements, configs } = change
      state.topics.add({
        name,
        id,
        placements,
        configs: new Map(configs),
        moves: new Map(),
        origins: new Map(),
      })
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
    case 'moveStarted': {
      const { topicId, index, id, from, to } = change
      state.nextMoveId = id + 1
      state.topics.startMove(topicOf(state, topicId), index, { id, from, to })
      return
    }
    case 'moveFinished':
      state.topics.finishMove(topicOf(state, change.topicId), change.index)
      return
  }
}

function topicOf(state: ClusterState, id: string): Topic {
  const topic = state.topics.byId(id)
  assert(topic !== undefined, `a committed change names a topic that exists (${id})`)
  return topic
}
