/**
 * One node, composed: its data folder, its quorum members, the controller and the coordinators that lead here.
 *
 * Opening, in order: lock the folder; the cluster's log and the machine on it; register this broker; open every partition
 * that the image places here; the coordinators. When `join` resolves, every partition hosted here that is not damaged has a
 * leader that serves.
 */
import { assert } from '../base/assert.ts'
import { type Faulted, Refused } from '../base/errors.ts'
import { uuidOf } from '../base/uuid.ts'
import { isSettingName, type Settings } from '../config/settings.ts'
import type { World } from '../io/world.ts'
import { FilePool } from '../log/file-pool.ts'
import { applyClusterChange } from '../machines/cluster/apply.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import { cluster } from '../machines/cluster/cluster.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import { ReplicaHost } from '../replica/replica-host.ts'
import type { Broker, BrokerEvent } from './broker.ts'
import { type ClusterLog, openClusterLog } from './cluster-log.ts'
import { Coordinators } from './coordinators.ts'
import { DataFolder } from './data-folder.ts'
import { DataFolderRefused } from './data-folder-refused.ts'
import { GroupsTopic } from './groups-topic.ts'
import { type HostedOptions, HostedPartitions } from './hosted.ts'
import { HostedTopics } from './hosted-topics.ts'
import { LocalController } from './local-controller.ts'
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
  readonly image: ClusterState
  readonly purgatory: Purgatory
  readonly producerIds: ProducerIds
  readonly coordinators: Coordinators
  readonly controller: LocalController
  readonly #folder: DataFolder
  readonly #host: ReplicaHost
  readonly #partitions: HostedPartitions
  readonly #topics: HostedTopics
  readonly #clusterLog: ClusterLog
  readonly #groups: GroupsTopic
  readonly #retention: Retention
  readonly #onEvent: (event: BrokerEvent) => void
  #address: { host: string; port: number } = { host: '', port: 0 }
  #closing: Promise<void> | null = null

  /** @throws DataFolderRefused, Faulted */
  static async open(options: LocalBrokerOptions): Promise<LocalBroker> {
    const { world, nodeId, dataDir, settings, onEvent, openFilesMax } = options
    const folder = await DataFolder.open(world, dataDir, nodeId, () => uuidOf(world.random.bytes(16)))
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
    try {
      const files = new FilePool({ disk: world.disk, openMax: openFilesMax })
      const hosting = { nodeId, world, folder, files, host, settings, onEvent }
      const partitions = new HostedPartitions(hosting)
      return new LocalBroker(dataDir, hosting, partitions, await openClusterLog(hosting, partitions))
    } catch (error) {
      // Who asked is told why it did not open, not what went wrong in letting go.
      await Promise.allSettled([host.close()])
      folder.close()
      throw error
    }
  }

  private constructor(
    dataDir: string,
    hosting: HostedOptions,
    partitions: HostedPartitions,
    clusterLog: ClusterLog,
  ) {
    const { world, nodeId, folder, host, settings, onEvent } = hosting
    const { executor } = clusterLog
    this.nodeId = nodeId
    this.world = world
    this.settings = settings
    this.dataDir = dataDir
    this.#folder = folder
    this.#host = host
    this.#partitions = partitions
    this.#clusterLog = clusterLog
    this.#onEvent = onEvent
    // The executor's state runs ahead of the commit; the image must not.
    this.image = executor.query((state) => cluster.image.decode(cluster.image.encode(state)))
    executor.onApplied((change) => this.#follow(change))
    this.purgatory = new Purgatory({
      clock: world.clock,
      parkedMax: settings.get('lograft.fetches.parked.max'),
    })
    this.#groups = new GroupsTopic({ clock: world.clock, settings, onEvent })
    this.coordinators = new Coordinators({
      executors: this.#groups.executors,
      ensure: async () => await this.controller.ensureGroupsTopic(),
    })
    this.#topics = new HostedTopics({
      image: this.image,
      partitions,
      groups: this.#groups,
      coordinators: this.coordinators,
      folder,
      onEvent,
    })
    this.controller = new LocalController({
      executor,
      image: this.image,
      random: world.random,
      settings,
      topics: this.#topics,
    })
    this.producerIds = new ProducerIds(this.controller)
    this.#retention = new Retention({
      clock: world.clock,
      partitions: () => partitions.all(),
      intervalMs: () => settings.get('log.retention.check.interval.ms'),
      onEvent,
    })
  }

  get clusterId(): string {
    return this.image.clusterId
  }

  /**
   * Joins the cluster under the address that clients are told, and opens what is placed here.
   * @throws DataFolderRefused when the folder is another cluster's; Faulted
   */
  async join(address: { host: string; port: number }): Promise<void> {
    this.#address = address
    await this.#folder.joined(await this.#register())
    this.#applyBrokerConfigs()
    await this.#topics.openAll(this.world.clock.now())
    this.#retention.start()
  }

  /** Resolves with the cluster's id. */
  async #register(): Promise<string> {
    const { executor, replica } = this.#clusterLog
    try {
      const { clusterId } = await executor.execute({
        type: 'registerBroker',
        id: this.nodeId,
        diskId: this.#folder.identity.diskId,
        ...this.#address,
        rack: this.settings.get('broker.rack') || null,
        peerHost: null,
        peerPort: 0,
        freshClusterId: uuidOf(this.world.random.bytes(16)),
      })
      return clusterId
    } catch (error) {
      if (replica.fault !== null) throw replica.fault
      if (!(error instanceof Refused)) throw error
      throw new DataFolderRefused(
        `the cluster does not take the data folder ${this.dataDir}: ${error.detail}`,
      )
    }
  }

  partition(topicId: string, index: number): Partition | undefined {
    return this.#partitions.get(topicId, index)
  }

  fault(topicId: string, index: number): Faulted | undefined {
    return this.#partitions.fault(topicId, index)
  }

  endpoint(nodeId: number): { host: string; port: number } | undefined {
    return nodeId === this.nodeId ? this.#address : this.image.brokers.get(nodeId)
  }

  event(event: BrokerEvent): void {
    this.#onEvent(event)
  }

  /**
   * Lets go of those who wait for what others may never do: write records, join a group. They are answered; what was decided
   * before is committed first. To be called when no more requests are started.
   */
  async releaseWaiting(): Promise<void> {
    this.purgatory.close()
    // A coordinator that is offline has told its callers already.
    await Promise.allSettled([this.coordinators.settle()])
    this.#groups.close()
  }

  /** Everything that was acknowledged is on disk afterwards; the next start has nothing to recover. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#retention.stop()
      await this.releaseWaiting()
      const { executor, replica } = this.#clusterLog
      executor.close()
      await Promise.all([this.#topics.idle(), this.#partitions.close()])
      await this.#partitions.closeReplica("the cluster's log", replica)
      await this.#host.close()
    } finally {
      this.#folder.close()
    }
  }

  /** A committed change, in order: into the image at once; what it sets off here goes its own way. */
  #follow(change: ClusterChange): void {
    const { topics } = this.image
    const deleted = change.type === 'topicDeleted' ? topics.byId(change.id) : undefined
    applyClusterChange(this.image, change)
    switch (change.type) {
      case 'topicCreated':
      case 'partitionsAdded':
      case 'topicConfigsChanged': {
        const topic = topics.byId(change.id)
        assert(topic !== undefined, 'a change of a topic leaves it there')
        if (change.type === 'topicConfigsChanged') this.#partitions.configure(topic)
        else this.#topics.open(topic)
        return
      }
      case 'topicDeleted':
        assert(deleted !== undefined, 'what is deleted was there')
        this.#topics.remove(deleted)
        return
      case 'brokerConfigsChanged':
        this.#applyBrokerConfigs()
        for (const topic of topics.all()) this.#partitions.configure(topic)
        return
      default:
        return
    }
  }

  #applyBrokerConfigs(): void {
    const { settings } = this
    const sources = [
      ['dynamic-default', this.image.brokerConfigs.get('')],
      ['dynamic', this.image.brokerConfigs.get(String(this.nodeId))],
    ] as const
    for (const [source, configs] of sources) {
      settings.forget(source)
      for (const [name, value] of configs ?? []) this.#applyBrokerConfig(name, value, source)
    }
  }

  #applyBrokerConfig(name: string, value: string, source: 'dynamic-default' | 'dynamic'): void {
    try {
      if (isSettingName(name)) this.settings.set(name, value, source)
    } catch (error) {
      // Another release took it. The broker must start, else nobody could set it right.
      if (!(error instanceof Refused)) throw error
      this.event({
        level: 'warn',
        event: 'config.ignored',
        message: `${error.detail}; it has no effect`,
        name,
      })
    }
  }
}
