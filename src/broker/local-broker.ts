/**
 * One node, composed: its data folder, its quorum members, its peers, the controller and the coordinators that lead here.
 *
 * Opening, in order: lock the folder; the cluster's log and the machine on it; the port for other brokers; register this broker;
 * open every partition that the image places here; the coordinators. When `join` resolves, this broker is one of its cluster, and
 * every partition that is here alone and not damaged serves.
 */
import type { Faulted } from '../base/errors.ts'
import { uuidOf } from '../base/uuid.ts'
import type { Settings } from '../config/settings.ts'
import type { Net, World } from '../io/world.ts'
import { FilePool } from '../log/file-pool.ts'
import type { LogMemory } from '../log/segmented-log.ts'
import { type ClusterState, emptyClusterState } from '../machines/cluster/state.ts'
import { PeerNetwork } from '../peers/peer-network.ts'
import { peerSettingsOf } from '../peers/settings.ts'
import { ReplicaHost } from '../replica/replica-host.ts'
import type { Broker, BrokerEvent } from './broker.ts'
import { applyBrokerConfigs } from './broker-configs.ts'
import { ClusterController } from './cluster-controller.ts'
import { type ClusterLog, openClusterLog } from './cluster-log.ts'
import type { QuorumDescription } from './cluster-quorum.ts'
import { Coordinators } from './coordinators.ts'
import { DataFolder } from './data-folder.ts'
import { DiskSpace } from './disk-space.ts'
import { GroupsTopic } from './groups-topic.ts'
import { hostSettings } from './host-settings.ts'
import { type HostedOptions, HostedPartitions } from './hosted.ts'
import { HostedTopics } from './hosted-topics.ts'
import { type Voter, withDisks } from './identity.ts'
import { ImageFollower } from './image-follower.ts'
import { groupsTopicName } from './internal-topics.ts'
import { Leaders } from './leaders.ts'
import { Membership } from './membership.ts'
import type { Partition } from './partition.ts'
import { peerInbox } from './peer-inbox.ts'
import { ProducerIds } from './producer-ids.ts'
import { Purgatory } from './purgatory.ts'
import { Registration } from './registration.ts'
import { Retention } from './retention.ts'

export interface LocalBrokerOptions {
  readonly nodeId: number
  readonly world: World
  readonly dataDir: string
  readonly settings: Settings
  readonly openFilesMax: number
  /** For the tails of all logs. */
  readonly logMemory: LogMemory
  /** The controllers that the cluster begins with; [] for a broker that begins by itself, or knows them from before. */
  readonly voters: readonly Voter[]
  /** The way to other brokers. */
  readonly peer: PeerPort
  readonly onEvent: (event: BrokerEvent) => void
  /** It was taken out of its cluster while it ran: it is to be stopped. */
  readonly onRetired: () => void
}

export interface PeerPort {
  readonly host: string
  /** 0 picks a free one; null: the one that the voters name for this broker, else 9093, and none where there are no voters. */
  readonly port: number | null
  /** The host that other brokers are told. */
  readonly advertised: string
  readonly net: Net
  /** What all brokers of the cluster know; null for none. */
  readonly secret: Buffer | null
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Everything that is open before this broker has joined. */
interface Opened {
  readonly hosting: HostedOptions
  readonly partitions: HostedPartitions
  readonly clusterLog: ClusterLog
  readonly follower: ImageFollower
  readonly network: PeerNetwork | null
  readonly image: ClusterState
  readonly space: DiskSpace
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
  readonly controller: ClusterController
  readonly leaders: Leaders
  readonly #options: LocalBrokerOptions
  readonly #opened: Opened
  readonly #folder: DataFolder
  readonly #topics: HostedTopics
  readonly #groups: GroupsTopic
  readonly #retention: Retention
  readonly #membership: Membership
  #address: Address = { host: '', port: 0 }
  #peerAddress: Address | null = null
  #registration: Registration | null = null
  #closing: Promise<void> | null = null

  /** @throws DataFolderRefused, Faulted */
  static async open(options: LocalBrokerOptions): Promise<LocalBroker> {
    const { world, nodeId, dataDir, settings, onEvent, openFilesMax, logMemory, voters, peer } = options
    const folder = await DataFolder.open(world, dataDir, nodeId, () => uuidOf(world.random.bytes(16)), voters)
    const { diskId } = folder.identity
    let network: PeerNetwork | null = null
    const host = new ReplicaHost({
      world,
      nodeId,
      diskId,
      outbox: { send: (to, some) => network?.send(to, some), pulse: (to, one) => network?.pulse(to, one) },
      settings: hostSettings(settings),
      onEvent,
    })
    const image = emptyClusterState()
    let broker: LocalBroker | null = null
    const isAlone = peer.port === null && folder.identity.voters.length === 0
    if (!isAlone) {
      network = new PeerNetwork({
        world: { ...world, net: peer.net },
        nodeId,
        diskId,
        clusterId: () => folder.identity.clusterId,
        secret: peer.secret,
        settings: peerSettingsOf(settings),
        inbox: peerInbox(host, folder, onEvent),
        onEvent,
        onConnected: (id) => broker?.connected(id),
      })
    }
    try {
      const files = new FilePool({ disk: world.disk, openMax: openFilesMax })
      const space = new DiskSpace({
        clock: world.clock,
        disk: world.disk,
        path: dataDir,
        freeBytesMin: settings.get('lograft.disk.free.bytes.min'),
        onRoom: () => broker?.reopenFull(),
        onEvent,
      })
      const hosting = { nodeId, world, folder, files, logMemory, host, settings, image, space, onEvent }
      const partitions = new HostedPartitions(hosting)
      const follower = new ImageFollower(image)
      const clusterLog = await openClusterLog(hosting, partitions, {
        onApplied: (change) => follower.applied(change),
        onJumped: (state) => follower.jumped(state),
      })
      broker = new LocalBroker(options, { hosting, partitions, clusterLog, follower, network, image, space })
      return broker
    } catch (error) {
      // Who asked is told why it did not open, not what went wrong in letting go.
      await Promise.allSettled([host.close(), network?.close()])
      folder.close()
      throw error
    }
  }

  private constructor(options: LocalBrokerOptions, opened: Opened) {
    const { nodeId, world, settings, dataDir, onEvent } = options
    const { partitions, network, image, hosting, clusterLog } = opened
    const { folder } = hosting
    const { clock } = world
    const { voters } = folder.identity
    this.#options = options
    this.#opened = opened
    this.nodeId = nodeId
    this.world = world
    this.settings = settings
    this.dataDir = dataDir
    this.image = image
    this.#folder = folder
    this.leaders = new Leaders(clock)
    const { leaders } = this
    this.#membership = new Membership({
      nodeId,
      clock,
      settings,
      network,
      // Where the voters of a known cluster are now, whoever starts this broker knows best.
      voters: options.voters.length > 0 ? withDisks(options.voters, voters) : voters,
      image,
      clusterLog,
      partitions,
      topics: () => this.#topics,
      leaders,
      onEvent,
    })
    const { commands, leadership } = this.#membership
    const parkedMax = settings.get('lograft.fetches.parked.max')
    this.purgatory = new Purgatory({ clock, parkedMax, wokenMax: settings.get('lograft.fetches.woken.max') })
    this.#groups = new GroupsTopic({ nodeId, clock, settings, onEvent })
    this.coordinators = new Coordinators({
      executors: this.#groups.executors,
      ensure: async () => await this.controller.ensureGroupsTopic(),
      confirm: async (index) => {
        const topic = image.topics.byName(groupsTopicName)
        await this.partition(topic?.id ?? '', index)?.replica.confirmLeadership()
      },
    })
    this.#topics = new HostedTopics({
      image,
      partitions,
      groups: this.#groups,
      coordinators: this.coordinators,
      folder,
      leaders,
      leadersWaitMs: () => settings.get('lograft.leaders.wait.ms'),
      onEvent,
    })
    this.#groups.onServing = (coordinator) => this.#topics.coordinates(coordinator)
    this.controller = new ClusterController({
      commands,
      image,
      random: world.random,
      settings,
      topics: this.#topics,
      away: () => [...image.brokers.keys()].filter((id) => !this.isAlive(id)),
      controllers: Math.max(1, voters.length),
      handOver: (topicId, index, to, timeoutMs) => leadership.move(topicId, index, to, timeoutMs),
      unregister: (id) => this.#membership.unregister(id),
    })
    this.producerIds = new ProducerIds(this.controller)
    this.#retention = new Retention({
      clock,
      partitions: () => partitions.all(),
      intervalMs: () => settings.get('log.retention.check.interval.ms'),
      onEvent,
    })
  }

  get clusterId(): string {
    return this.image.clusterId
  }

  get controllerId(): number {
    return this.#opened.clusterLog.replica.leaderId
  }

  /** Where it listens for other brokers; null when it does not. */
  get peerAddress(): Address | null {
    return this.#peerAddress
  }

  /**
   * Joins the cluster under the address that clients are told, and opens what is placed here. Waits for as long as no controller
   * can be reached.
   * @throws DataFolderRefused when the folder is another cluster's, or the broker was taken out; Faulted
   */
  async join(address: Address): Promise<void> {
    this.#address = address
    await this.#listenForPeers()
    this.#registration = new Registration({
      nodeId: this.nodeId,
      diskId: this.#folder.identity.diskId,
      dataDir: this.dataDir,
      address,
      peerAddress: this.#peerAddress,
      rack: this.settings.get('broker.rack') || null,
      world: this.world,
      membership: this.#membership,
      fault: () => this.#opened.clusterLog.replica.fault,
      isGivenUp: () => this.#closing !== null,
      onEvent: this.#options.onEvent,
    })
    await this.#folder.joined(await this.#registration.register())
    this.#begin()
    await this.#topics.openAll(this.world.clock.now())
    this.#opened.space.start()
    this.#retention.start()
    this.#membership.start()
  }

  async #listenForPeers(): Promise<void> {
    const { network } = this.#opened
    const { peer, voters } = this.#options
    if (network === null) return
    const known = voters.length > 0 ? voters : this.#folder.identity.voters
    const own = known.find(({ id }) => id === this.nodeId)
    const at = { host: peer.host, port: peer.port ?? own?.port ?? 9093 }
    const { port } = await network.listen(at, own ?? null)
    this.#peerAddress = { host: own?.host ?? peer.advertised, port: own?.port ?? port }
    this.#membership.brokersChanged()
  }

  /** From now on what is decided has effects here. */
  #begin(): void {
    const { follower, partitions } = this.#opened
    follower.begin({
      created: (topic) => this.#topics.create(topic),
      deleted: (topic) => {
        this.#topics.remove(topic)
        this.#membership.deleted(topic)
      },
      configured: (topic) => partitions.configure(topic),
      moved: (topic, indexes) => {
        this.#topics.open(topic)
        this.#membership.moved(topic, indexes)
      },
      brokersChanged: () => this.#membership.brokersChanged(),
      brokerConfigsChanged: () => {
        this.#applyBrokerConfigs()
        for (const topic of this.image.topics.all()) partitions.configure(topic)
      },
    })
    this.#applyBrokerConfigs()
    this.#membership.brokersChanged()
  }

  /** There is room on the disk. */
  reopenFull(): void {
    this.#topics.reopenFull()
  }

  /** Both ways to another broker are open. */
  connected(id: number): void {
    this.#membership.connected(id)
    void this.#checkIn()
  }

  async #checkIn(): Promise<void> {
    if (await this.#registration?.isRetired()) this.#options.onRetired()
  }

  partition(topicId: string, index: number): Partition | undefined {
    return this.#opened.partitions.get(topicId, index)
  }

  fault(topicId: string, index: number): Faulted | undefined {
    return this.#opened.partitions.fault(topicId, index)
  }

  isAlive(nodeId: number): boolean {
    return this.#membership.isAlive(nodeId)
  }

  endpoint(nodeId: number): Address | undefined {
    return nodeId === this.nodeId ? this.#address : this.image.brokers.get(nodeId)
  }

  async describeQuorum(): Promise<QuorumDescription> {
    return await this.#membership.describeQuorum()
  }

  event(event: BrokerEvent): void {
    this.#options.onEvent(event)
  }

  /** Hands over whatever another broker can lead. Clients are still served, and told where to go. */
  async handOver(timeoutMs: number): Promise<void> {
    await this.#membership.handOver(timeoutMs)
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
    const { partitions, clusterLog, hosting } = this.#opened
    try {
      await this.#membership.stop()
      this.#opened.space.stop()
      await this.#retention.stop()
      await this.releaseWaiting()
      clusterLog.executor.close()
      await Promise.all([this.#topics.idle(), partitions.close()])
      await partitions.closeReplica("the cluster's log", clusterLog.replica)
      await hosting.host.close()
      await this.#membership.close()
    } finally {
      this.#folder.close()
    }
  }

  #applyBrokerConfigs(): void {
    applyBrokerConfigs(this.settings, this.image, this.nodeId, this.#options.onEvent)
  }
}
