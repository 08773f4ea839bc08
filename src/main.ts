/**
 * The composition root: the only place that puts the real world, a broker and its listener together.
 */
import { hostname } from 'node:os'
import type { BrokerEvent } from './broker/broker.ts'
import { LocalBroker } from './broker/local-broker.ts'
import type { Settings } from './config/settings.ts'
import { openFilesLimit } from './io/node-limits.ts'
import { nodeWorld } from './io/node-world.ts'
import type { World } from './io/world.ts'
import { Server } from './server/server.ts'

export { DataFolderRefused } from './broker/data-folder-refused.ts'

export interface StartOptions {
  readonly nodeId: number
  readonly dataDir: string
  /** The address to listen on; port 0 picks a free one. */
  readonly host: string
  readonly port: number
  /** The address that clients are told; null: the one that is listened on. */
  readonly advertised: { readonly host: string; readonly port: number } | null
  readonly settings: Settings
  readonly onEvent: (event: BrokerEvent) => void
  /** The real one unless said otherwise. */
  readonly world?: World
}

export interface RunningBroker {
  readonly nodeId: number
  readonly clusterId: string
  /** Where clients connect: HOST:PORT. */
  readonly bootstrap: string
  /** Where other brokers connect; null while brokers form no clusters. */
  readonly peer: string | null
  /** null while there is no HTTP. */
  readonly http: string | null
  /** Answers what is under way, flushes, and lets go of everything. */
  stop(): Promise<void>
}

/**
 * Starts one broker. Resolves when every partition that it hosts has a leader that serves.
 * @throws DataFolderRefused, Faulted('net') when the port is taken, Faulted('disk')
 */
export async function startBroker(options: StartOptions): Promise<RunningBroker> {
  const { nodeId, dataDir, host, port, settings, onEvent } = options
  const world = options.world ?? nodeWorld()
  const broker = await LocalBroker.open({
    nodeId,
    world,
    dataDir,
    settings,
    openFilesMax: openFilesMax(settings),
    onEvent,
  })
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
    return {
      nodeId,
      clusterId: broker.clusterId,
      bootstrap: `${reachable(host)}:${server.port}`,
      peer: null,
      http: null,
      stop: once(async () => {
        const graceMs = settings.get('controlled.shutdown.timeout.ms')
        await Promise.all([server.close(graceMs), broker.releaseWaiting()])
        await broker.close()
      }),
    }
  } catch (error) {
    await broker.close()
    throw error
  }
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

/** Half of what the system allows is for the logs, the other half for connections. */
function openFilesMax(settings: Settings): number {
  const asked = settings.get('lograft.files.open.max')
  return asked > 0 ? Math.max(2, asked) : Math.max(16, Math.min(4096, Math.floor(openFilesLimit() / 2)))
}
