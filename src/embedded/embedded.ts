/**
 * Brokers inside this process: for tests, for development, for an application that wants a log of its own.
 *
 *     await using cluster = await startCluster()
 *     const kafka = new Kafka({ brokers: cluster.bootstrap })        // kafkajs, or any other client
 *
 * They are the real thing, on real sockets (127.0.0.1, ports that were free), and serve when `startCluster` resolves. Data is
 * in memory unless `dataDir` is given, and gone with the cluster. Nothing is logged unless `onEvent` is given. Several
 * clusters in one process do not know of each other. After `stop` nothing keeps the process alive.
 *
 *   embedded.ts   this face                     sim-disk.ts   a disk in memory: what a broker without `dataDir` runs on
 *   sim-net.ts    a net in memory               virtual-clock.ts, seeded-random.ts   time and chance that a test decides
 */
import type { BrokerEvent } from '../broker/broker.ts'
import { Settings } from '../config/settings.ts'
import { nodeWorld } from '../io/node-world.ts'
import type { World } from '../io/world.ts'
import { type RunningBroker, type StartOptions, startBroker } from '../main.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimDisk } from './sim-disk.ts'
import { SimNet } from './sim-net.ts'

export type { BrokerEvent } from '../broker/broker.ts'
export type { Clock, Disk, Net, Random, World } from '../io/world.ts'
export type { RunningBroker } from '../main.ts'

export interface ClusterOptions {
  /** How many brokers. Absent: 1. The first three are its controllers. */
  readonly nodes?: number
  /** A folder that keeps the data from one start to the next, that of broker 1 in `node-1`. Absent: in memory. */
  readonly dataDir?: string
  /**
   * By Kafka's names: { 'num.partitions': 6 }. The defaults are those of `lograft start` but for
   * `group.initial.rebalance.delay.ms`, which is 0: a test should not wait three seconds for members that do not come.
   */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** What the brokers have to report, from 'debug' to 'error'. */
  readonly onEvent?: (event: BrokerEvent, nodeId: number) => void
  /** Clock, disk, net and chance are Node's (the disk: see `dataDir`), but for those given here. */
  readonly world?: Partial<World>
}

export interface Cluster {
  readonly clusterId: string
  /** HOST:PORT of every broker: what clients take as `brokers` or `bootstrap.servers`. */
  readonly bootstrap: string[]
  readonly brokers: readonly RunningBroker[]
  /** Answers what is under way, and lets go of everything. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Of a larger cluster the others follow these. */
const controllersMax = 3
const peerPort = 9093

/**
 * Resolves when every broker serves.
 * @throws RangeError when `nodes` is no count; Refused INVALID_CONFIG naming a setting; DataFolderRefused and Faulted when `dataDir`
 *   cannot be used
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { nodes = 1 } = options
  if (!Number.isSafeInteger(nodes) || nodes < 1) {
    throw new RangeError(`nodes must be a whole number, at least 1, not ${nodes}`)
  }
  // Clients come over real sockets. What brokers say to each other stays inside the process.
  const clock = options.world?.clock ?? nodeWorld().clock
  const peers = new SimNet({ clock, random: new SeededRandom(nodes) })
  const ids = Array.from({ length: nodes }, (_, at) => at + 1)
  const voters = ids.slice(0, controllersMax).map((id) => ({ id, host: `node-${id}`, port: peerPort }))
  const starting = ids.map((nodeId) => {
    const cluster =
      nodes === 1 ? {} : { voters, peerPort, peerHost: `node-${nodeId}`, peerNet: peers.at(`node-${nodeId}`) }
    return startNode(options, nodeId, cluster)
  })
  const started = await Promise.allSettled(starting)
  const brokers = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const stop = async (): Promise<void> => void (await Promise.all(brokers.map((broker) => broker.stop())))
  const failed = started.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  return {
    clusterId: brokers[0]?.clusterId ?? '',
    bootstrap: brokers.map(({ bootstrap }) => bootstrap),
    brokers,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function startNode(
  options: ClusterOptions,
  nodeId: number,
  cluster: Partial<StartOptions>,
): Promise<RunningBroker> {
  const { onEvent } = options
  return await startBroker({
    nodeId,
    dataDir: `${options.dataDir ?? '/memory'}/node-${nodeId}`,
    host: '127.0.0.1',
    port: 0,
    advertised: null,
    settings: settingsOf(options),
    onEvent: (event) => onEvent?.(event, nodeId),
    world: worldOf(options),
    ...cluster,
  })
}

function settingsOf(options: ClusterOptions): Settings {
  const settings = new Settings()
  settings.set('group.initial.rebalance.delay.ms', '0', 'file')
  for (const [name, value] of Object.entries(options.settings ?? {}))
    settings.set(name, String(value), 'flag')
  return settings
}

function worldOf(options: ClusterOptions): World {
  const world = { ...nodeWorld(), ...options.world }
  if (options.dataDir !== undefined || options.world?.disk !== undefined) return world
  return { ...world, disk: new SimDisk({ clock: world.clock }).mount() }
}
