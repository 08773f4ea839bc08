/** What comes after the faults: a core of the cluster must serve, then all of it must come to rest, and nothing may be missing. */
import { checkTopics, type Standings } from './actors/administrators.ts'
import { readCommitted } from './actors/committers.ts'
import { make, moving, placements, probe } from './actors/probes.ts'
import { readAll } from './actors/readers.ts'
import type { Cluster } from './cluster.ts'
import { ClusterClient } from './cluster-client.ts'
import { compareDisks, readCopies } from './copies.ts'
import type { Injector } from './injector.ts'
import { keyOf, type Place, type Stage, sleep } from './stage.ts'

const recoveryMsMax = 30_000

export class Phases {
  readonly #stage: Stage
  readonly #cluster: Cluster
  readonly #injector: Injector

  constructor(stage: Stage, cluster: Cluster, injector: Injector) {
    this.#stage = stage
    this.#cluster = cluster
    this.#injector = injector
  }

  /** All brokers start at once; then there are topics. */
  async begin(): Promise<void> {
    const { plan, recorder } = this.#stage
    await this.#bringUpAll()
    const client = new ClusterClient(this.#stage, 'creator')
    for (const { name, partitions, replicas, configs } of plan.topics) {
      const topic = {
        name,
        numPartitions: partitions,
        replicationFactor: replicas,
        assignments: [] as [],
        configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
      }
      await this.#eventually(`topic ${name}`, () => make(client, topic))
    }
    for (const { topic, topicId, partition } of (await placements(client, plan.brokers[0] ?? 1)) ?? []) {
      const [key, name] = [keyOf({ topic, partition }), `${topicId}-${partition}`]
      this.#stage.quorumNames.set(key, name)
      if (recorder.unsynced.has(key)) this.#cluster.quorums.unsynced(name)
    }
    client.close()
  }

  /** Of the others nobody hears any more: a majority that is well must do. */
  async liveness(): Promise<void> {
    const { plan } = this.#stage
    const others = this.#cluster.machines.filter(({ nodeId }) => !plan.core.includes(nodeId))
    this.#cluster.healNet()
    if (plan.others === 'isolated')
      this.#cluster.cut(others.flatMap(({ nodeId }) => this.#cluster.linksOf(nodeId)))
    else for (const machine of others) await this.#injector.bringDown(machine, 'kill')
    const client = new ClusterClient(this.#stage, 'prober')
    for (const place of await this.#servable(client)) {
      await this.#eventually(`${keyOf(place)} in the core ${plan.core.join(' ')}`, async () => {
        const why = await probe(this.#stage, client, place)
        // A move that had just begun is known to the core only when it has a controller again.
        return why === null || (await this.#isMoving(client, keyOf(place))) ? null : why
      })
    }
    client.close()
    this.#cluster.healNet()
    if (plan.others === 'dead') for (const machine of others) void this.#injector.bringUp(machine)
  }

  /** Nothing more is written: all replicas come to hold the same, and all of it committed. */
  async quiet(): Promise<void> {
    const { quorums, machines } = this.#cluster
    this.#injector.isCalm = true
    await this.#eventually('all brokers', async () => {
      const missing = machines.find(({ isUp }) => !isUp)
      return missing === undefined ? null : `n${missing.nodeId} does not serve`
    })
    await this.#eventually('rest', async () => quorums.restless((node) => this.#cluster.machine(node).isUp))
  }

  /** All go down at once and come back, and nothing is written: what was committed must be known again. */
  async restart(): Promise<void> {
    const { plan } = this.#stage
    const down = this.#cluster.machines.map((machine) => this.#injector.bringDown(machine, plan.lastEnd))
    await Promise.all(down)
    await sleep(this.#stage, 100)
    await this.#bringUpAll()
  }

  async reckoning(topics: Standings): Promise<void> {
    const stage = this.#stage
    const { plan, recorder, places } = stage
    await this.#eventually('final reading', () => readAll(stage, 'final'))
    const groups = Array.from({ length: plan.clients.committers }, (_, i) => `group-${i}`)
    await this.#eventually('committed offsets', () => readCommitted(stage, 'final', groups))
    await this.#eventually('topics', () => checkTopics(stage, 'final', topics))
    const client = new ClusterClient(stage, 'prober')
    // A newcomer may still be on its way to what it shall hold.
    await this.#eventually('moves', async () => {
      const moves = await moving(client, plan.brokers[0] ?? 1)
      return moves?.length === 0 ? null : `${moves?.join(' ') ?? 'nobody knows what'} moves`
    })
    await this.quiet()
    const placed = (await placements(client, plan.brokers[0] ?? 1)) ?? []
    client.close()
    await Promise.all(this.#cluster.machines.map((machine) => this.#injector.bringDown(machine, 'stop')))
    const { machines, quorums } = this.#cluster
    const startOf = (name: string, nodeId: number): number => quorums.startOf(name, nodeId)
    for (const difference of await compareDisks(machines, placed, startOf)) recorder.violate(difference)
    recorder.copies.push(...(await readCopies(machines, placed, recorder.operations, places)))
  }

  /**
   * Partitions of which a majority lies in the core, and as many replicas as its topic asks for. What moves is left out: it takes
   * a majority of the old and one of the new replicas.
   */
  async #servable(client: ClusterClient): Promise<Place[]> {
    const { plan, places } = this.#stage
    const isMoved = plan.faults.some(({ kind }) => kind === 'reassign')
    const where = new Map<string, readonly number[]>()
    const restless = new Set<string>()
    await this.#eventually('metadata', async () => {
      for (const nodeId of plan.core) {
        const placed = await placements(client, nodeId)
        const moves = await moving(client, nodeId)
        if (placed === null || moves === null) return `broker ${nodeId} of the core does not answer`
        for (const key of moves) restless.add(key)
        for (const { topic, partition, replicas } of placed) {
          const key = keyOf({ topic, partition })
          if (where.has(key) && where.get(key)?.join() !== replicas.join()) restless.add(key)
          where.set(key, replicas)
        }
      }
      return null
    })
    return places.filter((place) => {
      const key = keyOf(place)
      const replicas = where.get(key) ?? []
      const here = replicas.filter((nodeId) => plan.core.includes(nodeId)).length
      // Somebody may have moved it to fewer brokers than its topic asks for.
      if (restless.has(key) || (isMoved && this.#floorOf(place) > 1)) return false
      return here > replicas.length / 2 && here >= this.#floorOf(place)
    })
  }

  async #isMoving(client: ClusterClient, key: string): Promise<boolean> {
    for (const nodeId of this.#stage.plan.core) {
      if ((await moving(client, nodeId))?.includes(key) === true) return true
    }
    return false
  }

  #floorOf({ topic }: Place): number {
    const found = this.#stage.plan.topics.find(({ name }) => name === topic)
    return Number(found?.configs['min.insync.replicas'] ?? 1)
  }

  async #bringUpAll(): Promise<void> {
    await this.#eventually('all brokers', async () => {
      await Promise.race([
        Promise.all(this.#cluster.machines.map((machine) => this.#injector.bringUp(machine))),
        sleep(this.#stage, recoveryMsMax),
      ])
      return this.#cluster.machines.every(({ isUp }) => isUp) ? null : 'some do not serve'
    })
  }

  async #eventually(what: string, attempt: () => Promise<string | null>): Promise<void> {
    const untilMs = this.#stage.clock.monotonic() + recoveryMsMax
    for (;;) {
      const why = await attempt()
      if (why === null) return
      if (this.#stage.clock.monotonic() > untilMs) {
        this.#stage.recorder.violate(`${what} does not come to an end: ${why}`)
        return
      }
      await sleep(this.#stage, 100)
    }
  }
}
