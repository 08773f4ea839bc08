/**
 * One node, composed: its data folder, its quorum members, the controller and the coordinators that lead here.
 *
 * Opening, in order: lock the folder; the cluster's log and the machine on it; register this broker; open every partition
 * that the image places here; the coordinators. When `open` resolves, every partition hosted here has a leader that serves.
 */
import { uuidOf } from '../base/uuid.ts'
import type { Settings } from '../config/settings.ts'
import { isSettingName } from '../config/settings.ts'
import { topicSettings } from '../config/topic-settings.ts'
import type { World } from '../io/world.ts'
import { FilePool } from '../log/file-pool.ts'
import { applyClusterChange } from '../machines/cluster/apply.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import { cluster } from '../machines/cluster/cluster.ts'
import type { ClusterState, Topic } from '../machines/cluster/state.ts'
import { Executor } from '../replica/executor.ts'
import type { Replica } from '../replica/replica.ts'
import { ReplicaHost } from '../replica/replica-host.ts'
import type { Broker, BrokerEvent } from './broker.ts'
import { Coordinators } from './coordinators.ts'
import { DataFolder } from './data-folder.ts'
import { executorSettings } from './executor-settings.ts'
import { GroupsTopic } from './groups-topic.ts'
import { HostedPartitions, keyOf } from './hosted.ts'
import { clusterPartition, clusterTopicId, groupsTopicName } from './internal-topics.ts'
import { type ClusterExecutor, LocalController } from './local-controller.ts'
import type { Partition } from './partition.ts'
import { ProducerIds } from './producer-ids.ts'
import { Purgatory } from './purgatory.ts'
import { Retention } from './retention.ts'

export interface LocalBrokerOptions {
  readonly nodeId: number
  readonly world: World
  readonly dataDir: string
  readonly settings: Settings
  readonly openFilesMax: number
  readonly onEvent: (event: BrokerEvent) => void
}

export class LocalBroker implements Broker {
  readonly nodeId: number
  readonly world: World
  readonly settings: Settings
  readonly dataDir: string
  readonly purgatory: Purgatory
  readonly producerIds: ProducerIds
  readonly coordinators: Coordinators
  readonly #options: LocalBrokerOptions
  readonly #folder: DataFolder
  readonly #host: ReplicaHost
  readonly #hosted: HostedPartitions
  readonly #executor: ClusterExecutor
  readonly #clusterReplica: Replica
  readonly #controller: LocalController
  readonly #groups: GroupsTopic
  readonly #retention: Retention
  #image: ClusterState
  #address: { host: string; port: number } = { host: '', port: 0 }
  /** By topic name: the opening or removal that a committed change has set off. */
  readonly #following = new Map<string, Promise<void>>()

  static async open(options: LocalBrokerOptions): Promise<LocalBroker> {
    const { world, nodeId, dataDir, settings, onEvent } = options
    const folder = await DataFolder.open(world, dataDir, nodeId, () => uuidOf(world.random.bytes(16)))
    try {
      const files = new FilePool({ disk: world.disk, openMax: options.openFilesMax })
      const host = new ReplicaHost({
        world,
        nodeId,
        outbox: { send: () => {} },
        settings: {
          tickMs: settings.get('lograft.tick.ms'),
          electionTimeoutMs: settings.get('lograft.election.timeout.ms'),
          heartbeatMs: settings.get('lograft.heartbeat.ms'),
          syncsInFlightMax: settings.get('lograft.syncs.in.flight.max'),
        },
        onEvent,
      })
      const hosted = new HostedPartitions({ nodeId, world, folder, files, host, settings, onEvent })
      const replica = await hosted.openReplica(
        keyOf(clusterTopicId, clusterPartition),
        folder.partitionFolder(clusterTopicId, clusterPartition),
        [nodeId],
        // The cluster's own log is always synced, whatever the topics' default.
        topicSettings(
          settings,
          new Map([
            ['flush.messages', '1'],
            ['segment.bytes', '1048576'],
            ['retention.ms', '-1'],
          ]),
        ),
      )
      const executor = await Executor.open({
        machine: cluster,
        replica,
        clock: world.clock,
        settings: executorSettings(settings),
        notLeader: 'NOT_CONTROLLER',
        onEvent,
      })
      await replica.whenReady()
      return new LocalBroker(options, folder, host, hosted, replica, executor)
    } catch (error) {
      folder.close()
      throw error
    }
  }

  private constructor(
    options: LocalBrokerOptions,
    folder: DataFolder,
    host: ReplicaHost,
    hosted: HostedPartitions,
    clusterReplica: Replica,
    executor: ClusterExecutor,
  ) {
    const { world, nodeId, settings, onEvent } = options
    this.#options = options
    this.nodeId = nodeId
    this.world = world
    this.settings = settings
    this.dataDir = options.dataDir
    this.#folder = folder
    this.#host = host
    this.#hosted = hosted
    this.#clusterReplica = clusterReplica
    this.#executor = executor
    // The executor's state runs ahead of the commit; the image must not.
    this.#image = executor.query((state) => cluster.image.decode(cluster.image.encode(state)))
    executor.onApplied((change) => this.#follow(change))
    this.purgatory = new Purgatory({
      clock: world.clock,
      parkedMax: settings.get('lograft.fetches.parked.max'),
    })
    this.#controller = new LocalController({
      executor,
      random: world.random,
      settings,
      inForce: async (topic) => await this.#following.get(topic),
    })
    this.producerIds = new ProducerIds(this.#controller)
    this.#groups = new GroupsTopic({ clock: world.clock, settings, onEvent })
    this.coordinators = new Coordinators({
      executors: this.#groups.executors,
      ensure: async () => await this.#controller.ensureGroupsTopic(),
    })
    this.#retention = new Retention({
      clock: world.clock,
      partitions: () => this.#hosted.all(),
      intervalMs: () => settings.get('log.retention.check.interval.ms'),
      onEvent,
    })
  }

  get clusterId(): string {
    return this.#image.clusterId
  }
  get image(): Readonly<ClusterState> {
    return this.#image
  }
  get controller(): LocalController {
    return this.#controller
  }

  /** Joins the cluster under the address that clients are told, and opens what is placed here. */
  async join(address: { host: string; port: number }): Promise<void> {
    const { settings, nodeId, world } = this
    this.#address = address
    const { clusterId } = await this.#executor.execute({
      type: 'registerBroker',
      id: nodeId,
      diskId: this.#folder.identity.diskId,
      ...address,
      rack: settings.get('broker.rack') || null,
      freshClusterId: uuidOf(world.random.bytes(16)),
    })
    await this.#folder.joined(clusterId)
    this.#applyBrokerConfigs()
    this.#moveOrphansAside()
    await Promise.all([...this.#image.topics.all()].map((topic) => this.#open(topic)))
    this.#retention.start()
  }

  partition(topicId: string, index: number): Partition | undefined {
    return this.#hosted.get(topicId, index)
  }

  endpoint(nodeId: number): { host: string; port: number } | undefined {
    return nodeId === this.nodeId ? this.#address : this.#image.brokers.get(nodeId)
  }

  event(event: BrokerEvent): void {
    this.#options.onEvent(event)
  }

  /** Everything that was acknowledged is on disk afterwards; the next start has nothing to recover. */
  async close(): Promise<void> {
    await this.#retention.stop()
    this.purgatory.close()
    this.#groups.close()
    this.#executor.close()
    await Promise.allSettled(this.#following.values())
    await this.#hosted.close()
    await this.#clusterReplica.close()
    await this.#host.close()
    this.#folder.close()
  }

  /** A committed change, in order: into the image at once; what it sets off here goes its own way. */
  #follow(change: ClusterChange): void {
    const removed = change.type === 'topicDeleted' ? this.#image.topics.byId(change.id) : undefined
    applyClusterChange(this.#image, change)
    switch (change.type) {
      case 'topicCreated':
      case 'partitionsAdded': {
        const topic = this.#image.topics.byId(change.id)
        if (topic !== undefined) this.#track(topic.name, () => this.#open(topic))
        return
      }
      case 'topicDeleted':
        if (removed !== undefined) this.#track(removed.name, () => this.#remove(removed))
        return
      case 'topicConfigsChanged': {
        const topic = this.#image.topics.byId(change.id)
        if (topic !== undefined) this.#hosted.configure(topic)
        return
      }
      case 'brokerConfigsChanged':
        this.#applyBrokerConfigs()
        for (const topic of this.#image.topics.all()) this.#hosted.configure(topic)
        return
      default:
        return
    }
  }

  /** One thing after the other for each topic name: a topic deleted and made again keeps its order. */
  #track(topic: string, act: () => Promise<void>): void {
    const before = this.#following.get(topic) ?? Promise.resolve()
    const done = before.then(act, act)
    this.#following.set(topic, done)
    const settled = () => {
      if (this.#following.get(topic) === done) this.#following.delete(topic)
    }
    done.then(settled, (error: unknown) => {
      settled()
      this.event({
        level: 'error',
        event: 'partition.failed',
        message: `topic ${topic} is not available here: ${error instanceof Error ? error.message : String(error)}`,
        topic,
      })
    })
  }

  async #open(topic: Topic): Promise<void> {
    const partitions = await this.#hosted.open(topic)
    if (topic.name !== groupsTopicName) return
    await this.#groups.lead(partitions)
    // A crash may have come between the deletion of a topic and the forgetting of its offsets.
    await this.coordinators.forgetTopicsBut((name) => this.#image.topics.byName(name) !== undefined)
  }

  async #remove(topic: Topic): Promise<void> {
    await this.#hosted.remove(topic)
    await this.coordinators.forgetTopic(topic.name)
  }

  #applyBrokerConfigs(): void {
    const { settings } = this
    const sources = [
      ['dynamic-default', this.#image.brokerConfigs.get('')],
      ['dynamic', this.#image.brokerConfigs.get(String(this.nodeId))],
    ] as const
    for (const [source, configs] of sources) {
      settings.forget(source)
      for (const [name, value] of configs ?? []) if (isSettingName(name)) settings.set(name, value, source)
    }
  }

  #moveOrphansAside(): void {
    const claimed = new Set([keyOf(clusterTopicId, clusterPartition)])
    for (const topic of this.#image.topics.all()) {
      for (const index of topic.placements.keys()) claimed.add(keyOf(topic.id, index))
    }
    for (const path of this.#folder.moveOrphansAside((name) => claimed.has(name), this.world.clock.now())) {
      this.event({
        level: 'warn',
        event: 'folder.orphan',
        message: `no topic claims this partition folder; moved aside to ${path}, nothing was removed`,
        path,
      })
    }
  }
}
