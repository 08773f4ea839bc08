/**
 * What the cluster has decided about topics, carried out on this node: one thing after the other for each topic name, so that a
 * topic deleted and made again keeps its order; different topics do not wait for each other.
 */
import { type Faulted, Refused } from '../base/errors.ts'
import type { ClusterState, Topic } from '../machines/cluster/state.ts'
import type { BrokerEvent } from './broker.ts'
import { clusterLogName } from './cluster-log.ts'
import type { Coordinators, GroupExecutor } from './coordinators.ts'
import type { DataFolder } from './data-folder.ts'
import type { GroupsTopic } from './groups-topic.ts'
import { type HostedPartitions, keyOf } from './hosted.ts'
import { groupsTopicName } from './internal-topics.ts'
import type { Leaders } from './leaders.ts'

export interface HostedTopicsOptions {
  readonly image: Readonly<ClusterState>
  readonly partitions: HostedPartitions
  readonly groups: GroupsTopic
  readonly coordinators: Coordinators
  readonly folder: DataFolder
  readonly leaders: Leaders
  /** How long a new topic, or one with more partitions, may count as under way until all of it is led. */
  readonly leadersWaitMs: () => number
  readonly onEvent: (event: BrokerEvent) => void
}

export class HostedTopics {
  readonly #options: HostedTopicsOptions
  /** By topic name. */
  readonly #underWay = new Map<string, Promise<void>>()
  /** By topic name: new ones, until they are led. */
  readonly #beginning = new Map<string, Promise<void>>()

  constructor(options: HostedTopicsOptions) {
    this.#options = options
  }

  /** See Controller.underWay. */
  underWay(topic: string): Promise<void> | undefined {
    return this.#underWay.get(topic)
  }

  /** See Controller.beginning. */
  beginning(topic: string): Promise<void> | undefined {
    return this.#beginning.get(topic)
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#underWay.values(), ...this.#beginning.values()])
  }

  /** Opens all that the image places here. What no topic claims is moved aside first. */
  async openAll(nowMs: number): Promise<void> {
    const { topics } = this.#options.image
    this.#moveOrphansAside(nowMs)
    for (const topic of topics.all()) this.open(topic)
    await Promise.all(this.#underWay.values())
  }

  /** Replicas of a topic have come to this broker, or gone from it. */
  open(topic: Topic): void {
    void this.#follow(topic.name, () => this.#open(topic))
  }

  /** A replica is damaged: closes it and moves its folder aside. Resolves with where that went. @throws Faulted */
  setAside(topic: Topic, index: number): Promise<string> {
    const { groups, partitions } = this.#options
    return new Promise((resolve, reject) => {
      void this.#follow(topic.name, async () => {
        if (topic.name === groupsTopicName) groups.drop(index)
        await partitions.setAside(topic, index).then(resolve, reject)
      })
    })
  }

  /** Opens a replica that was set aside as a new one. @throws Faulted */
  async openAnew(topic: Topic, index: number): Promise<void> {
    await this.#options.partitions.allowAnew(topic, index)
    this.open(topic)
  }

  /** A topic is new, or has more partitions: it is not in force before somebody leads them, here or elsewhere. */
  create(topic: Topic): void {
    const { leaders, leadersWaitMs } = this.#options
    const { name } = topic
    const led = this.#follow(name, () => this.#open(topic)).then(async () => {
      // Where one of its partitions is offline, waiting would not help.
      if (this.offline(topic.id) !== undefined) return
      await leaders.whenLed(topic.id, topic.placements.length, leadersWaitMs())
    })
    this.#beginning.set(name, led)
    void led.finally(() => {
      if (this.#beginning.get(name) === led) this.#beginning.delete(name)
    })
  }

  /** There is room on the disk: partitions that met its end are opened again. */
  reopenFull(): void {
    const { image, partitions, groups } = this.#options
    for (const { topicId, index } of partitions.full) {
      const topic = image.topics.byId(topicId)
      if (topic === undefined || this.#underWay.has(topic.name)) continue
      void this.#follow(topic.name, async () => {
        if (topic.name === groupsTopicName) groups.drop(index)
        await partitions.reset(topic, index)
        await this.#open(topic)
      })
    }
  }

  /** A topic is deleted. */
  remove(topic: Topic): void {
    // Nobody waits for its leaders any more.
    this.#options.leaders.forget(topic.id)
    void this.#follow(topic.name, () => this.#remove(topic))
  }

  /** The first partition of a topic that is offline here, and why. */
  offline(topicId: string): { readonly index: number; readonly fault: Faulted } | undefined {
    const { image, partitions } = this.#options
    for (const index of image.topics.byId(topicId)?.placements.keys() ?? []) {
      const fault = partitions.fault(topicId, index)
      if (fault !== undefined) return { index, fault }
    }
    return undefined
  }

  #follow(topic: string, act: () => Promise<void>): Promise<void> {
    const before = this.#underWay.get(topic) ?? Promise.resolve()
    const done = before.then(act)
    this.#underWay.set(topic, done)
    // Faults of the disk are dealt with where they come up. What still arrives here is a bug, and ends the process.
    void done.finally(() => {
      if (this.#underWay.get(topic) === done) this.#underWay.delete(topic)
    })
    return done
  }

  async #open(topic: Topic): Promise<void> {
    const { partitions, groups } = this.#options
    if (topic.name === groupsTopicName) groups.release(topic)
    const opened = await partitions.open(topic)
    if (topic.name === groupsTopicName) await groups.follow(topic, opened)
  }

  /** A coordinator has begun to lead. A topic may have been deleted just before the one before it was lost. */
  coordinates(executor: GroupExecutor): void {
    const { image, coordinators } = this.#options
    const isKnown = (name: string) => image.topics.byName(name) !== undefined
    void this.#forget(() => coordinators.forgetTopicsBut(executor, isKnown))
  }

  async #remove(topic: Topic): Promise<void> {
    const { partitions, coordinators, leaders } = this.#options
    await partitions.remove(topic)
    leaders.forget(topic.id)
    await this.#forget(() => coordinators.forgetTopic(topic.name))
  }

  /** Committed offsets of deleted topics. What cannot be done now is done when the coordinators have started again. */
  async #forget(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#options.onEvent({
        level: 'warn',
        event: 'offsets.kept',
        message: `committed offsets of deleted topics stay until the next start: ${error.message}`,
      })
    }
  }

  #moveOrphansAside(nowMs: number): void {
    const { image, folder, onEvent } = this.#options
    const claimed = new Set([clusterLogName])
    for (const topic of image.topics.all()) {
      for (const index of topic.placements.keys()) claimed.add(keyOf(topic.id, index))
    }
    for (const path of folder.moveOrphansAside((name) => claimed.has(name), nowMs)) {
      onEvent({
        level: 'warn',
        event: 'folder.orphan',
        message: `no topic claims this partition folder; moved aside to ${path}, nothing was removed`,
        path,
      })
    }
  }
}
