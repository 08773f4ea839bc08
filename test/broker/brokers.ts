/** Several whole brokers in this process: real clock, clients on real sockets, disks in memory that outlive their brokers. */
import type { Test } from 'tap'
import { Client } from '../../client/client.ts'
import type { BrokerEvent } from '../../src/broker/broker.ts'
import { Settings } from '../../src/config/settings.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { SimNet } from '../../src/embedded/sim-net.ts'
import { nodeWorld } from '../../src/io/node-world.ts'
import { type RunningBroker, type StartOptions, startBroker } from '../../src/main.ts'

export type Said = BrokerEvent & { readonly node: number }

export interface BrokersOptions {
  readonly settings?: Record<string, string | number | boolean>
  /** How many of the first brokers are controllers. */
  readonly controllers?: number
}

const clock = nodeWorld().clock

export class Brokers {
  readonly said: Said[] = []
  readonly running = new Map<number, RunningBroker>()
  readonly net = new SimNet({ clock, random: new SeededRandom(1) })
  readonly #disks = new Map<number, SimDisk>()
  readonly #options: BrokersOptions
  readonly #clients: Client[] = []
  readonly #listeners = new Set<() => void>()

  constructor(options: BrokersOptions = {}) {
    this.#options = options
  }

  /** Stopped with the test. */
  static async start(t: Test, count: number, options: BrokersOptions = {}): Promise<Brokers> {
    const brokers = new Brokers(options)
    t.teardown(() => brokers.stop())
    await Promise.all(Array.from({ length: count }, (_, at) => brokers.start(at + 1)))
    return brokers
  }

  async start(
    id: number,
    more: Partial<StartOptions> & { set?: Record<string, string> } = {},
  ): Promise<RunningBroker> {
    const { settings: given = {}, controllers = 3 } = this.#options
    const { set = {}, ...options } = more
    const settings = new Settings()
    const all = { 'group.initial.rebalance.delay.ms': 0, 'lograft.tick.ms': 10, ...fast, ...given, ...set }
    for (const [name, value] of Object.entries(all)) settings.set(name, String(value), 'flag')
    const voters = Array.from({ length: controllers }, (_, at) => at + 1).map((voter) => ({
      id: voter,
      host: `node-${voter}`,
      port: 9093,
    }))
    const broker = await startBroker({
      nodeId: id,
      dataDir: '/data',
      host: '127.0.0.1',
      port: 0,
      advertised: null,
      settings,
      voters,
      peerPort: 9093,
      peerHost: `node-${id}`,
      peerNet: this.net.at(`node-${id}`),
      onEvent: (event) => {
        this.said.push({ ...event, node: id })
        for (const listener of this.#listeners) listener()
      },
      world: { ...nodeWorld(), disk: this.diskOf(id).mount() },
      ...options,
    })
    this.running.set(id, broker)
    return broker
  }

  diskOf(id: number): SimDisk {
    let disk = this.#disks.get(id)
    if (disk === undefined) {
      disk = new SimDisk({ clock })
      this.#disks.set(id, disk)
    }
    return disk
  }

  /** Its data are gone. */
  wipe(id: number): void {
    this.#disks.delete(id)
  }

  async stopOne(id: number): Promise<void> {
    const broker = this.running.get(id)
    this.running.delete(id)
    await broker?.stop()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()))
    await Promise.all([...this.running.keys()].map((id) => this.stopOne(id)))
  }

  /** Bootstraps from these brokers, or from all. */
  client(...ids: number[]): Client {
    const from = ids.length > 0 ? ids : [...this.running.keys()]
    const client = new Client({
      bootstrap: from.map((id) => this.running.get(id)?.bootstrap ?? '').join(','),
    })
    this.#clients.push(client)
    return client
  }

  /** Folders of partitions on a broker's disk. */
  partitionsOn(id: number): string[] {
    return this.diskOf(id)
      .mount()
      .list('/data/partitions')
      .filter((name) => !name.startsWith('00000000'))
      .sort()
  }

  saidBy(id: number, event: string): Said[] {
    return this.said.filter((one) => one.node === id && one.event === event)
  }

  /** Resolves when `isSo`; looked at whenever a broker says something, and every few milliseconds. */
  async until(isSo: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
    const endMs = clock.monotonic() + timeoutMs
    while (!(await isSo())) {
      if (clock.monotonic() > endMs) throw new Error(`it is not so after ${timeoutMs} ms: ${isSo}`)
      await new Promise<void>((resolve) => {
        const wake = () => {
          timer.cancel()
          this.#listeners.delete(wake)
          resolve()
        }
        const timer = clock.setTimer(20, wake)
        this.#listeners.add(wake)
      })
    }
  }
}

/** Elections in a third of a second: what is tested is what comes of them. */
const fast = { 'lograft.heartbeat.ms': 50, 'lograft.election.timeout.ms': 300 }
