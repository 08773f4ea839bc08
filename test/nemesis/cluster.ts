/** Real brokers that form one cluster: on hosts of their own when there is a room, else all on loopback. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster as KnownCluster } from '../../client/cluster.ts'
import { settingsOf } from '../../client/settings.ts'
import { Network } from './network.ts'
import { BrokerNode } from './node.ts'
import { isInRoom } from './room.ts'

export interface ClusterOptions {
  readonly count: number
  readonly settings?: Readonly<Record<string, string>>
  /** This node gets a disk of its own, of so many MiB; only in a room. */
  readonly smallDisk?: { readonly node: number; readonly mebibytes: number }
}

export class NemesisCluster {
  readonly folder: string
  readonly nodes: readonly BrokerNode[]
  /** As on the command line: also for a broker that joins later. */
  readonly voters: string
  /** null on loopback. */
  readonly network: Network | null
  readonly smallDisk: { readonly node: number; readonly path: string } | null

  private constructor(
    folder: string,
    nodes: readonly BrokerNode[],
    voters: string,
    network: Network | null,
    smallDisk: { readonly node: number; readonly path: string } | null,
  ) {
    this.folder = folder
    this.nodes = nodes
    this.voters = voters
    this.network = network
    this.smallDisk = smallDisk
  }

  /** All are ready when this resolves: they have found each other, and a controller is elected. */
  static async start({ count, settings = {}, smallDisk }: ClusterOptions): Promise<NemesisCluster> {
    const ids = Array.from({ length: count }, (_, i) => i + 1)
    const folder = mkdtempSync(join(tmpdir(), 'lograft-nemesis-'))
    const network = isInRoom() ? new Network(ids) : null
    const places = await placesOf(ids, network)
    const voters = places.map(({ id, host, peerPort }) => `${id}@${host}:${peerPort}`).join(',')
    const small = smallDisk === undefined ? null : mountSmall(folder, smallDisk)
    const nodes = places.map(
      (place) =>
        new BrokerNode({
          ...place,
          dataDir: dataDirOf(folder, place.id, small),
          voters: count === 1 ? null : voters,
          settings: { 'group.initial.rebalance.delay.ms': '0', ...settings },
        }),
    )
    const cluster = new NemesisCluster(folder, nodes, voters, network, small)
    try {
      await Promise.all(nodes.map((node) => node.start()))
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  get bootstrap(): string {
    return this.nodes.map((node) => node.bootstrap).join(',')
  }

  node(id: number): BrokerNode {
    const node = this.nodes.find((one) => one.id === id)
    if (node === undefined) throw new Error(`there is no broker ${id}`)
    return node
  }

  /** What a client knows and asks, with retries of our own. Close it with `lifetime.end`. */
  client(clientId: string): KnownCluster {
    return new KnownCluster(
      settingsOf({ bootstrap: this.bootstrap, clientId, requestTimeoutMs: 3000, connectTimeoutMs: 1000 }),
    )
  }

  /** Everything as it should be: links whole, nobody paused, everybody running. Resolves with what could not be started. */
  async heal(): Promise<string[]> {
    this.network?.heal()
    for (const node of this.nodes) node.resume()
    const down = this.nodes.filter((node) => !node.isRunning)
    const started = await Promise.allSettled(down.map((node) => node.start()))
    return started.flatMap((one) => (one.status === 'rejected' ? String(one.reason) : []))
  }

  async close(options: { keepData?: boolean } = {}): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    this.network?.close()
    if (options.keepData === true) return
    if (this.smallDisk !== null) execFileSync('umount', ['-l', this.smallDisk.path])
    rmSync(this.folder, { recursive: true, force: true })
  }
}

interface Place {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly peerPort: number
  readonly prefix: readonly string[]
}

async function placesOf(ids: readonly number[], network: Network | null): Promise<Place[]> {
  if (network !== null) {
    return ids.map((id) => ({
      id,
      host: network.addressOf(id),
      port: 9092,
      peerPort: 9093,
      prefix: network.prefixOf(id),
    }))
  }
  const ports = await freePorts(ids.length * 2)
  return ids.map((id, i) => ({
    id,
    host: '127.0.0.1',
    port: ports[i * 2] ?? 0,
    peerPort: ports[i * 2 + 1] ?? 0,
    prefix: [],
  }))
}

/** Voters are named before anybody runs: their ports must be known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function mountSmall(folder: string, { node, mebibytes }: { node: number; mebibytes: number }) {
  const path = join(folder, 'small')
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'lograft-small', path])
  return { node, path }
}

function dataDirOf(folder: string, id: number, small: { node: number; path: string } | null): string {
  return small?.node === id ? join(small.path, 'data') : join(folder, `broker-${id}`)
}
