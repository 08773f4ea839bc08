/**
 * Keeps this broker's image of the cluster: a committed change goes into it at once, in order; what it sets off here goes its own
 * way. Nothing is set off before the broker has joined: what the image holds by then is opened as a whole.
 */
import { assert } from '../base/assert.ts'
import { applyClusterChange } from '../machines/cluster/apply.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import { cluster } from '../machines/cluster/cluster.ts'
import { type ClusterState, replaceClusterState, type Topic } from '../machines/cluster/state.ts'

/** What becomes of a change on this broker. Each may be called when nothing has changed. */
export interface Effects {
  /** A topic is new, or has more partitions. */
  created(topic: Topic): void
  /** Replicas of a partition are wanted elsewhere, or have arrived there. */
  moved(topic: Topic, indexes: Iterable<number>): void
  deleted(topic: Topic): void
  configured(topic: Topic): void
  brokersChanged(): void
  brokerConfigsChanged(): void
}

export class ImageFollower {
  readonly #image: ClusterState
  #effects: Effects | null = null

  constructor(image: ClusterState) {
    this.#image = image
  }

  /** From now on changes have effects. */
  begin(effects: Effects): void {
    this.#effects = effects
  }

  applied(change: ClusterChange): void {
    const { topics } = this.#image
    const effects = this.#effects
    const deleted = change.type === 'topicDeleted' ? topics.byId(change.id) : undefined
    applyClusterChange(this.#image, change)
    switch (change.type) {
      case 'topicCreated':
      case 'partitionsAdded':
        effects?.created(this.#topic(change.id))
        return
      case 'topicConfigsChanged':
        effects?.configured(this.#topic(change.id))
        return
      case 'topicDeleted':
        assert(deleted !== undefined, 'what is deleted was there')
        effects?.deleted(deleted)
        return
      case 'moveStarted':
      case 'moveFinished':
        effects?.moved(this.#topic(change.topicId), [change.index])
        return
      case 'brokerRegistered':
      case 'brokerRetired':
        effects?.brokersChanged()
        return
      case 'brokerConfigsChanged':
        effects?.brokerConfigsChanged()
        return
      default:
        return
    }
  }

  /** This broker was away for so long that it is told the outcome, and not the way to it. */
  jumped(state: Readonly<ClusterState>): void {
    const image = this.#image
    const before = new Map([...image.topics.all()].map((topic) => [topic, topic.placements.length]))
    // The state belongs to the machine, which goes on writing into it.
    replaceClusterState(image, cluster.image.decode(cluster.image.encode(state)))
    const effects = this.#effects
    if (effects === null) return
    for (const topic of before.keys()) if (image.topics.byId(topic.id) === undefined) effects.deleted(topic)
    for (const topic of image.topics.all()) {
      if (before.get(topic) !== topic.placements.length) effects.created(topic)
      else effects.moved(topic, topic.placements.keys())
      effects.configured(topic)
    }
    effects.brokersChanged()
    effects.brokerConfigsChanged()
  }

  #topic(id: string): Topic {
    const topic = this.#image.topics.byId(id)
    assert(topic !== undefined, 'a change of a topic leaves it there')
    return topic
  }
}
