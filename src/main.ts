/**
 * The composition root: the only place that puts the real world, a broker and its listener together.
 */
import { hostname } from 'node:os'
import { Refused } from './base/errors.ts'
import type { BrokerEvent } from './broker/broker.ts'
import { type Figures, stallEvent } from './broker/figures.ts'
import type { Voter } from './broker/identity.ts'
import { LocalBroker, type PeerPort } from './broker/local-broker.ts'
import type { Settings } from './config/settings.ts'
import { LoopDelay } from './io/loop-delay.ts'
import { cpuClock } from './io/node-cpu.ts'
import { openFilesLimit } from './io/node-limits.ts'
import { nodeWorld } from './io/node-world.ts'
import type { Disk, Net, World } from './io/world.ts'
import { HotMemory } from './log/hot-tail.ts'
import { ReadAheadMemory } from './log/read-ahead-memory.ts'
import { Server } from './server/server.ts'

export { DataFolderRefused } from './broker/data-folder-refused.ts'
export type { Figures } from './broker/figures.ts'
export type { Voter } from './broker/identity.ts'

export interface StartOptions {
  readonly nodeId: number
  readonly dataDir: string
  /** The address to listen on; port 0 picks a free one. */
  readonly host: string
  readonly port: number
  /** The address that clients are told; null: the one that is listened on. */
  readonly advertised: { readonly host: string; readonly port: number } | null
  /**
   * The port for other brokers, on `host`; 0 picks a free one. null or absent: the one that `voters` names for this broker, else 9093;
   * none for a broker that has no voters.
   */
  readonly peerPort?: number | null
  /** The host of that port. Absent: `host`. */
  readonly peerHost?: string
  /** The net that brokers reach each other over. Absent: that of the world. */
  readonly peerNet?: Net
  /**
   * The controllers that the cluster begins with, and where they listen for other brokers. Absent or []: this broker alone, or those
   * that its data folder knows. A broker that is not one of them joins them.
   */
  readonly voters?: readonly Voter[]
  readonly settings: Settings
  readonly onEvent: (event: BrokerEvent) => void
  /** Gives up a start that waits for the controllers of its cluster. */
  readonly signal?: AbortSignal
  /** The real one unless said otherwise. */
  readonly world?: World
}

export interface RunningBroker {
  readonly nodeId: number
  readonly clusterId: string
  /** Where clients connect: HOST:PORT. */
  readonly bootstrap: string
  /** Where other brokers connect: HOST:PORT; null when it was not asked for. */
  readonly peer: string | null
  /** null while there is no HTTP. */
  readonly http: string | null
  /** How it fares at this moment. */
  figures(): Figures
  /** Resolves when this broker was taken out of its cluster, and has stopped because of that. */
  readonly retired: Promise<void>
  /** Hands over what others can lead, answers what is under way, flushes, and lets go of everything. */
  stop(): Promise<void>
}

/** How often it is looked whether the event loop is late: a hundred looks a second cost 0.2 % of a core. */
const loopEveryMs = 10
/** Of the time that a stop may take, how much is for handing over. */
const handOverShare = 0.5

/**
 * Starts one broker. Resolves when it has joined its cluster and every partition that only it holds serves.
 * @throws DataFolderRefused, Faulted('net') when the port is taken, Faulted('disk')
 */
export async function startBroker(options: StartOptions): Promise<RunningBroker> {
  const { nodeId, dataDir, host, port, settings, onEvent } = options
  const world = options.world ?? nodeWorld()
  world.buffers.configure({
    bytesMax: settings.get('lograft.buffers.bytes.max'),
    sizeMin: settings.get('lograft.buffers.size.min'),
  })
  let retire: () => void = () => {}
  const retired = new Promise<void>((resolve) => {
    retire = resolve
  })
  const hot = new HotMemory({
    bytesMax: settings.get('lograft.tail.bytes.max'),
    batchBytesMin: settings.get('lograft.tail.batch.bytes.min'),
  })
  const ahead = new ReadAheadMemory(settings.get('lograft.read.ahead.bytes.max'))
  const broker = await LocalBroker.open({
    nodeId,
    world,
    dataDir,
    settings,
    openFilesMax: openFilesMax(settings),
    logMemory: { hot, ahead },
    voters: options.voters ?? [],
    peer: peerPort(options, world),
    onEvent,
    onRetired: () => retire(),
  })
  const giveUp = (): void => void broker.close()
  options.signal?.addEventListener('abort', giveUp)
  try {
    // A client that knows the port must find a broker that serves: join first. A port that is picked for us is known to
    // nobody until we say it, and must be known to join.
    if (port !== 0) await broker.join(addressOf(options, port))
    const server = await Server.listen(broker, { host, port })
    try {
      if (port === 0) await broker.join(addressOf(options, server.port))
    } catch (error) {
      await server.close(0)
      throw error
    }
    const loop = options.world === undefined ? watchLoop(world, options) : null
    const stop = once(async () => {
      loop?.stop()
      const graceMs = settings.get('controlled.shutdown.timeout.ms')
      await broker.handOver(graceMs * handOverShare)
      await Promise.all([server.close(graceMs), broker.releaseWaiting()])
      await broker.close()
    })
    return {
      nodeId,
      clusterId: broker.clusterId,
      bootstrap: `${reachable(host)}:${server.port}`,
      peer: peerOf(broker),
      http: null,
      figures: () => ({
        connections: server.connections,
        ...server.memory,
        fetchesParked: broker.purgatory.size,
        tailBytes: hot.bytes,
        aheadBytes: ahead.bytes,
        loop: loop === null ? null : { recent: loop.recent, sinceStart: loop.sinceStart },
      }),
      retired: retired.then(stop),
      stop,
    }
  } catch (error) {
    await broker.close()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', giveUp)
  }
}

/** Of this process, from when it serves: what a start takes delays nobody. */
function watchLoop({ clock }: World, { settings, onEvent }: StartOptions): LoopDelay {
  return new LoopDelay({
    clock,
    cpu: cpuClock(),
    everyMs: loopEveryMs,
    windowMs: settings.get('lograft.loop.window.ms'),
    onWindow: (window) => {
      const stalled = stallEvent(window, settings.get('lograft.loop.stall.warn.ms'))
      if (stalled !== null) onEvent(stalled)
    },
  })
}

function peerPort(options: StartOptions, world: World): PeerPort {
  const { peerPort: port = null, peerNet: net = world.net, peerHost: host = options.host, settings } = options
  const path = settings.get('lograft.peer.secret.file')
  const secret = path === '' ? null : readSecret(world.disk, path)
  return { host, port, advertised: isWildcard(host) ? hostname() : host, net, secret }
}

/** @throws Faulted when it cannot be read, Refused INVALID_CONFIG when there is nothing in it */
function readSecret(disk: Disk, path: string): Buffer {
  const file = disk.open(path, 'read')
  try {
    const room = Buffer.alloc(disk.stat(path)?.size ?? 0)
    const text = room.toString('utf8', 0, file.read(room, 0)).trim()
    if (text !== '') return Buffer.from(text)
  } finally {
    file.close()
  }
  throw new Refused('INVALID_CONFIG', `setting 'lograft.peer.secret.file': ${path} is empty`)
}

function peerOf({ peerAddress }: LocalBroker): string | null {
  return peerAddress === null ? null : `${reachable(peerAddress.host)}:${peerAddress.port}`
}

function once(act: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null
  return () => {
    done ??= act()
    return done
  }
}

function addressOf(options: StartOptions, port: number): { host: string; port: number } {
  const { advertised, host } = options
  if (advertised === null) return { host: isWildcard(host) ? hostname() : host, port }
  return { host: advertised.host, port: advertised.port === 0 ? port : advertised.port }
}

const isWildcard = (host: string) => host === '0.0.0.0' || host === '::' || host === ''

/** A wildcard is no address to connect to. */
const reachable = (host: string) => (isWildcard(host) ? '127.0.0.1' : host)

/** Each costs about 2 KiB, most of it the kernel's; so many partitions no broker has. */
const filesOpenMost = 65_536

/** Three quarters of what the system allows are for the logs, the rest for connections. */
function openFilesMax(settings: Settings): number {
  const asked = settings.get('lograft.files.open.max')
  if (asked > 0) return Math.max(2, asked)
  return Math.max(16, Math.min(filesOpenMost, Math.floor(openFilesLimit() * 0.75)))
}
