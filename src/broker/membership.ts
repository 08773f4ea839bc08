/**
 * One of several: all that a broker does because there are others. It reaches them, asks the controller, tells what it leads,
 * carries out reassignments and hands leadership over. A broker by itself has all of this, too, and nobody to do it with.
 */
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../io/world.ts'
import { retireBroker } from '../machines/cluster/brokers.ts'
import type { ClusterState, Topic } from '../machines/cluster/state.ts'
import type { PeerNetwork } from '../peers/peer-network.ts'
import { Announcements } from './announcements.ts'
import type { BrokerEvent } from './broker.ts'
import type { ClusterLog } from './cluster-log.ts'
import { ClusterPeers } from './cluster-peers.ts'
import { ClusterQuorum, type QuorumDescription } from './cluster-quorum.ts'
import { Commands } from './commands.ts'
import type { HostedPartitions } from './hosted.ts'
import type { HostedTopics } from './hosted-topics.ts'
import type { Voter } from './identity.ts'
import type { Leaders } from './leaders.ts'
import { Leadership } from './leadership.ts'
import type { Partition } from './partition.ts'
import { Reassignments } from './reassignments.ts'
import { Repairs } from './repairs.ts'
import { Scrubber } from './scrubber.ts'

export interface MembershipOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly settings: Settings
  /** null: a broker by itself. */
  readonly network: PeerNetwork | null
  /** The controllers that the cluster began with, and where they are now. */
  readonly voters: readonly Voter[]
  readonly image: Readonly<ClusterState>
  readonly clusterLog: ClusterLog
  readonly partitions: HostedPartitions
  readonly topics: () => HostedTopics
  readonly leaders: Leaders
  readonly onEvent: (event: BrokerEvent) => void
}

export class Membership {
  readonly commands: Commands
  readonly leadership: Leadership
  readonly #options: MembershipOptions
  readonly #peers: ClusterPeers
  readonly #quorum: ClusterQuorum
  readonly #announcements: Announcements
  readonly #reassignments: Reassignments
  readonly #repairs: Repairs
  readonly #scrubber: Scrubber

  constructor(options: MembershipOptions) {
    this.#options = options
    const { nodeId, clock, settings, network, voters, image, clusterLog, partitions, leaders, onEvent } =
      options
    const { executor, replica } = clusterLog
    const partition = (topicId: string, index: number) => partitions.get(topicId, index)
    const isAlive = (id: number) => this.isAlive(id)
    this.#peers = new ClusterPeers({ nodeId, network, voters, image, replica })
    const peers = this.#peers
    this.commands = new Commands({
      nodeId,
      clock,
      executor,
      replica,
      peering: network === null ? null : peers,
      timeoutMs: () => settings.get('lograft.controller.timeout.ms'),
    })
    this.#quorum = new ClusterQuorum({ nodeId, clock, replica, image, isAlive })
    this.#announcements = new Announcements({
      nodeId,
      clock,
      leaders,
      partitions: () => partitions.all(),
      call: (id, kind, payload, timeoutMs) => peers.call(id, kind, payload, timeoutMs),
      isConnected: isAlive,
      onEvent,
    })
    this.#reassignments = new Reassignments({
      clock,
      partition,
      finishMove: (topicId, index, moveId) =>
        this.commands.execute({ type: 'finishMove', topicId, index, moveId }),
      underWayMax: () => settings.get('lograft.reassignments.max'),
      onEvent,
    })
    this.leadership = new Leadership({
      nodeId,
      clock,
      partitions: () => partitions.all(),
      partition,
      leaders,
      ask: (leader, topicId, index, to) => peers.transfer(leader, topicId, index, to),
      isStaying: (id) => peers.isStaying(id),
      intervalMs: () => balanceMs(settings),
      onEvent,
    })
    this.#repairs = new Repairs({
      nodeId,
      clock,
      partition,
      leaderOf: (topicId, index) => leaders.leaderOf(topicId, index),
      ask: (leader, topicId, index, isAway) => peers.restore(leader, topicId, index, isAway),
      isPlaced: ({ id }, index) => image.topics.byId(id)?.placements[index]?.includes(nodeId) === true,
      setAside: (topic, index) => options.topics().setAside(topic, index),
      openAnew: (topic, index) => options.topics().openAnew(topic, index),
      remembers: (topic, index) => partitions.remembers(topic, index),
      onEvent,
    })
    this.#scrubber = new Scrubber({
      clock,
      partitions: () => partitions.all(),
      bytesPerSecond: () => settings.get('lograft.scrub.bytes.per.second'),
    })
    peers.serve({
      executor,
      replica,
      image,
      leaders,
      quorum: this.#quorum,
      transfer: (topicId, index, to) => this.leadership.transfer(topicId, index, to),
      unregister: (id) => this.unregister(id),
      restore: (from, topicId, index, isAway) =>
        this.#repairs.restore(from, image.topics.byId(topicId), index, isAway),
    })
    replica.onAdvance(() => this.#quorum.look())
    partitions.onAdvance((moved) => this.#advanced(moved))
    partitions.onDamaged((topic, index, fault) => this.#repairs.damaged(topic, index, fault))
  }

  /** All that is placed here is open. */
  start(): void {
    this.leadership.start()
    this.#scrubber.start()
  }

  isAlive(id: number): boolean {
    return this.#peers.isAlive(id)
  }

  /** Both ways to another broker are open. */
  connected(id: number): void {
    this.#peers.connected(id)
    this.#announcements.connected(id)
    this.#maybeCampaign()
  }

  /**
   * Controllers are started one after the other: whoever stood for election before the others were there would wait for a time-out
   * to do it again. The first of those that have met does it at once. (Where somebody leads, the pre-vote ends it.)
   */
  #maybeCampaign(): void {
    const { clusterLog, nodeId } = this.#options
    const { leaderId, voters } = clusterLog.replica
    if (leaderId < 0 && voters.find((voter) => this.isAlive(voter)) === nodeId) clusterLog.replica.campaign()
  }

  /** Brokers have come, gone or moved. */
  brokersChanged(): void {
    this.#peers.follow(this.#announcements)
    this.#quorum.look()
  }

  /** Why nobody decides, as far as it can be seen from here. */
  whatIsMissing(): string {
    const controllers = this.#peers.controllers().filter((id) => id !== this.#options.nodeId)
    const away = controllers.filter((id) => !this.isAlive(id))
    if (away.length === 0)
      return `it has met controllers ${controllers.join(', ')}, and none of them leads yet`
    return `there is no connection to controllers ${away.join(', ')} (see peer.unreachable and peer.refused above)`
  }

  deleted(topic: Topic): void {
    for (const index of topic.placements.keys()) this.#announcements.forget(topic.id, index)
  }

  /** Replicas of partitions are wanted elsewhere, or have arrived there. */
  moved(topic: Topic, indexes: Iterable<number>): void {
    for (const index of indexes) {
      this.#repairs.moved(topic, index)
      this.#reassignments.look(topic, index)
      const isHere = topic.placements[index]?.includes(this.#options.nodeId)
      if (isHere !== true) this.#announcements.forget(topic.id, index)
    }
  }

  /** @throws Refused NOT_CONTROLLER while nobody leads */
  async describeQuorum(): Promise<QuorumDescription> {
    if (this.#options.clusterLog.replica.isReady) return this.#quorum.describe()
    return await this.#peers.describeQuorum(this.commands)
  }

  /** See Controller.unregisterBroker. */
  async unregister(id: number): Promise<void> {
    const { clusterLog, network, image, settings } = this.#options
    if (network !== null && !clusterLog.replica.isReady) {
      await this.#peers.unregister(this.commands, id, settings.get('lograft.controller.timeout.ms'))
      return
    }
    const command = { type: 'retireBroker', id } as const
    // Whoever may not go must not lose its vote either.
    retireBroker(image, command)
    await this.#quorum.removeVoter(id)
    await this.commands.execute(command)
  }

  /** Hands over all that another broker can lead; resolves when that is done, or the time over. */
  async handOver(timeoutMs: number): Promise<void> {
    await this.#peers.sayStopping()
    await this.leadership.handOver([this.#options.clusterLog.replica], timeoutMs)
  }

  /** Nothing is begun any more. The peers are still there: what is under way may need them. */
  async stop(): Promise<void> {
    this.leadership.close()
    this.#reassignments.close()
    this.#repairs.close()
    this.#announcements.close()
    this.#options.leaders.close()
    this.commands.close()
    await this.#scrubber.stop()
  }

  async close(): Promise<void> {
    await this.#peers.close()
  }

  /** Something about a replica here has changed; called often. */
  #advanced(partition: Partition): void {
    const { topic, index } = partition
    this.#announcements.advanced(partition)
    if (topic.moves.size > 0 && topic.moves.has(index)) this.#reassignments.look(topic, index)
    else this.#repairs.look(partition)
  }
}

function balanceMs(settings: Settings): number {
  if (!settings.get('auto.leader.rebalance.enable')) return Infinity
  return settings.get('leader.imbalance.check.interval.seconds') * 1000
}
