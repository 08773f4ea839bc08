/**
 * The other brokers of the cluster, as this one reaches them: who they are comes from the cluster's image, and before there is one
 * from the voters that this broker was told.
 */
import { Reader } from '../base/bytes.ts'
import { Refused } from '../base/errors.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { PeerNetwork } from '../peers/peer-network.ts'
import * as calls from '../protocol/peer/call-kinds.ts'
import { peerVersions } from '../protocol/peer/frame.ts'
import type { Replica } from '../replica/replica.ts'
import type { Announcements } from './announcements.ts'
import type { QuorumDescription } from './cluster-quorum.ts'
import type { Commands, Peering } from './commands.ts'
import type { Voter } from './identity.ts'
import { bytesOf } from './peer-payload.ts'
import { answerPeers, type Served } from './peer-requests.ts'

export interface ClusterPeersOptions {
  readonly nodeId: number
  /** null: a broker by itself. */
  readonly network: PeerNetwork | null
  /** Told, and remembered. */
  readonly voters: readonly Voter[]
  readonly image: Readonly<ClusterState>
  readonly replica: Replica
}

const version = peerVersions[1]
const nothing = Buffer.alloc(0)
const callTimeoutMs = 5000
const stoppingTimeoutMs = 500

export class ClusterPeers implements Peering {
  readonly #options: ClusterPeersOptions
  /** Brokers that said so; until they come back. */
  readonly #stopping = new Set<number>()

  constructor(options: ClusterPeersOptions) {
    this.#options = options
  }

  controllers(): readonly number[] {
    const { replica, voters } = this.#options
    return replica.voters.length > 0 ? replica.voters : voters.map(({ id }) => id)
  }

  isAlive(id: number): boolean {
    const { nodeId, network } = this.#options
    return id === nodeId || network?.isConnected(id) === true
  }

  /** It lives, and goes on living as far as it knows: leadership may be handed to it. */
  isStaying(id: number): boolean {
    return this.isAlive(id) && !this.#stopping.has(id)
  }

  /** A process that has just connected is not the one that stopped. */
  connected(id: number): void {
    this.#stopping.delete(id)
  }

  /** Tells all others that this broker stops. Who does not hear it will see. */
  async sayStopping(): Promise<void> {
    const others = [...this.#options.image.brokers.keys()].filter((id) => this.isAlive(id))
    const said = others.map((id) => this.call(id, calls.callKinds.stopping, nothing, stoppingTimeoutMs))
    for (const outcome of await Promise.allSettled(said)) {
      if (outcome.status === 'rejected' && !(outcome.reason instanceof Refused)) throw outcome.reason
    }
  }

  call(nodeId: number, kind: number, payload: Buffer, timeoutMs: number): Promise<Buffer> {
    const { network } = this.#options
    if (network === null)
      return Promise.reject(new Refused('BROKER_NOT_AVAILABLE', 'this broker has no peers'))
    return network.call(nodeId, kind, payload, timeoutMs)
  }

  /** Brokers have come, gone or moved. */
  follow(announcements: Announcements): void {
    const { network, image, nodeId, voters } = this.#options
    if (network === null) return
    const peers = new Map<number, { id: number; host: string; port: number; diskId: string | null }>()
    for (const { id, host, port, diskId = null } of voters) {
      if (!image.retired.has(id)) peers.set(id, { id, host, port, diskId })
    }
    for (const { id, peerHost, peerPort, diskId } of image.brokers.values()) {
      const told = peers.get(id)
      if (told !== undefined) peers.set(id, { ...told, diskId })
      else if (peerHost !== null) peers.set(id, { id, host: peerHost, port: peerPort, diskId })
    }
    network.setPeers([...peers.values()])
    announcements.setPeers([...image.brokers.keys()].filter((id) => id !== nodeId))
  }

  /** Asks a partition's leader to hand over. */
  async transfer(leader: number, topicId: string, index: number, to: number): Promise<void> {
    const payload = bytesOf((writer) => calls.transfer.encode(writer, { topicId, index, to }, version))
    await this.call(leader, calls.callKinds.transfer, payload, callTimeoutMs)
  }

  /** Tells a partition's leader that the replica here is lost, or there again. */
  async restore(leader: number, topicId: string, index: number, isAway: boolean): Promise<void> {
    const payload = bytesOf((writer) => calls.restore.encode(writer, { topicId, index, isAway }, version))
    await this.call(leader, calls.callKinds.restore, payload, callTimeoutMs)
  }

  async describeQuorum(commands: Commands): Promise<QuorumDescription> {
    return calls.quorum.decode(new Reader(await commands.ask(calls.callKinds.quorum, nothing)), version)
  }

  async unregister(commands: Commands, id: number, timeoutMs: number): Promise<void> {
    const payload = bytesOf((writer) => calls.unregister.encode(writer, { id }, version))
    await commands.applied(new Reader(await commands.ask(calls.callKinds.unregister, payload)), timeoutMs)
  }

  serve(served: Served): void {
    const { network } = this.#options
    if (network !== null) answerPeers(network, served, (stopping) => this.#stopping.add(stopping))
  }

  async close(): Promise<void> {
    await this.#options.network?.close()
  }
}
