/** Brokers as far as peers see them: a replica host and a network, on any clock and net. */
import { Settings } from '../../src/config/settings.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { SimNet } from '../../src/embedded/sim-net.ts'
import type { PathShape } from '../../src/embedded/sim-path.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Clock, Net } from '../../src/io/world.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { LogSettings } from '../../src/log/log.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import type { PeerEvent } from '../../src/peers/events.ts'
import type { Peer } from '../../src/peers/link.ts'
import { type Inbox, PeerNetwork } from '../../src/peers/peer-network.ts'
import { type PeerSettings, peerSettingsOf } from '../../src/peers/settings.ts'
import type { Member } from '../../src/replica/member.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import type { Pulse } from '../../src/replica/pulses.ts'
import { type HostSettings, ReplicaHost } from '../../src/replica/replica-host.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'

export const clusterId = 'c1'
export const diskIdOf = (id: number) => `00000000-0000-4000-8000-00000000000${id}`
export const topic = '6f2a1c1e-52a7-4a0e-9d5b-1f2c3d4e5f60'

export const peerSettings: PeerSettings = {
  ...peerSettingsOf(new Settings()),
  connectTimeoutMs: 400,
  idleTimeoutMs: 400,
  backoffMs: 10,
  backoffMaxMs: 100,
}

export interface NodeOptions {
  readonly id: number
  readonly clock: Clock
  readonly net: Net
  readonly address?: string
  readonly diskId?: string
  readonly clusterId?: string
  readonly secret?: string
  readonly settings?: Partial<PeerSettings>
  readonly inbox?: Inbox
}

/** The network of one broker. */
export class Node {
  readonly id: number
  readonly network: PeerNetwork
  readonly events: PeerEvent[] = []
  readonly lost: number[] = []
  readonly gone: number[] = []
  readonly pulses: { from: number; pulse: Pulse }[] = []
  readonly got: { from: number; replica: string; message: PeerMessage['message'] }[] = []
  readonly address: string
  readonly diskId: string
  port = 0

  constructor(options: NodeOptions) {
    const { id, clock, net } = options
    this.id = id
    this.address = options.address ?? `n${id}`
    this.diskId = options.diskId ?? diskIdOf(id)
    this.network = new PeerNetwork({
      world: { clock, net, random: new SeededRandom(id), buffers: new PoisonedBuffers() },
      nodeId: id,
      diskId: this.diskId,
      clusterId: () => options.clusterId ?? clusterId,
      secret: options.secret === undefined ? null : Buffer.from(options.secret),
      settings: { ...peerSettings, ...options.settings },
      inbox: options.inbox ?? {
        receive: (from, replica, message) => {
          this.got.push({ from, replica, message })
          return replica.startsWith(topic)
        },
        pulse: (from, pulse) => this.pulses.push({ from, pulse }),
        peerLost: (peer) => this.lost.push(peer),
        identify: () => {},
        peerGone: (peer) => this.gone.push(peer),
      },
      onEvent: (event) => this.events.push(event),
    })
  }

  async listen(port = 0): Promise<void> {
    ;({ port: this.port } = await this.network.listen({ host: this.address, port }))
  }

  /** As others are told of it. */
  get peer(): Peer {
    return { id: this.id, host: this.address, port: this.port, diskId: this.diskId }
  }

  said(name: PeerEvent['event']): string[] {
    return this.events.filter(({ event }) => event === name).map(({ message }) => message)
  }
}

export function meet(nodes: readonly Node[]): void {
  for (const { network } of nodes) network.setPeers(nodes.map(({ peer }) => peer))
}

/** Nodes on one virtual clock and a simulated net. */
export class Stage {
  readonly clock = new VirtualClock()
  readonly net: SimNet

  constructor(seed = 1, shape: Partial<PathShape> = {}) {
    this.net = new SimNet({ clock: this.clock, random: new SeededRandom(seed), shape })
  }

  async node(options: Partial<NodeOptions> & { id: number }): Promise<Node> {
    const net = this.net.at(options.address ?? `n${options.id}`)
    const node = new Node({ clock: this.clock, net, ...options })
    await node.listen()
    return node
  }

  async pair(options: Partial<NodeOptions> = {}): Promise<[Node, Node]> {
    const pair: [Node, Node] = [
      await this.node({ ...options, id: 1 }),
      await this.node({ ...options, id: 2 }),
    ]
    meet(pair)
    await this.clock.advance(50)
    return pair
  }

  async close(...nodes: Node[]): Promise<void> {
    const closed = Promise.all(nodes.map(({ network }) => network.close()))
    await this.clock.advance(1000)
    await closed
  }
}

const logSettings: LogSettings = {
  segmentBytesMax: 64 << 20,
  segmentMs: Number.POSITIVE_INFINITY,
  indexIntervalBytes: 4096,
  indexBytesMax: 1 << 20,
  expandedBytesMax: 1 << 20,
  producerExpirationMs: 86_400_000,
  producersMax: 1000,
}

/** A broker with replicas. */
export class HostedNode extends Node {
  readonly host: ReplicaHost
  readonly #clock: Clock
  readonly #disk: ReturnType<SimDisk['mount']>
  readonly #files: FilePool

  constructor(options: NodeOptions, hostSettings: Partial<HostSettings> = {}) {
    super({
      ...options,
      inbox: {
        receive: (from, replica, message) => this.host.receive(from, replica, message),
        pulse: (from, pulse) => this.host.pulse(from, pulse),
        peerLost: (peer) => {
          this.lost.push(peer)
          this.host.peerLost(peer)
        },
        identify: (peer, diskId) => this.host.identify(peer, diskId),
        peerGone: (peer) => this.host.peerGone(peer),
      },
    })
    this.#clock = options.clock
    this.#disk = new SimDisk({ clock: options.clock }).mount()
    this.#disk.mkdir('/data')
    this.#files = new FilePool({ disk: this.#disk, openMax: 256 })
    this.host = new ReplicaHost({
      world: { clock: options.clock, disk: this.#disk, random: new SeededRandom(options.id) },
      nodeId: options.id,
      outbox: this.network,
      settings: { tickMs: 10, electionTimeoutMs: 300, heartbeatMs: 30, syncsInFlightMax: 4, ...hostSettings },
      onEvent: () => {},
    })
  }

  async open(name: string, voters: readonly number[], uncommittedBytesMax = 64 << 20): Promise<Member> {
    const folder = `/data/${name}`
    const world = { disk: this.#disk, clock: this.#clock }
    const log = await openLog({ world, folder, settings: logSettings, files: this.#files })
    const settings = { flushMessages: 1, flushMs: Number.POSITIVE_INFINITY, uncommittedBytesMax }
    return await this.host.open({ name, folder, log, voters, settings })
  }
}
