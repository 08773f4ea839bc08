/** Kills brokers (SIGKILL), those that lead first, and starts them again: one after the other, each when all are in sync. */
import type { Admin } from '../../../client/admin.ts'
import type { TopicMetadata } from '../../../client/metadata.ts'
import type { NemesisCluster } from '../../nemesis/cluster.ts'
import type { BrokerNode } from '../../nemesis/node.ts'
import { until } from './stage.ts'

/** How long a broker stays away, and how long the cluster has all of its brokers. */
const awayMs = 500
const togetherMs = 1_000

export class Killer {
  readonly #cluster: NemesisCluster
  readonly #admin: Admin
  /** The broker of each kill, in order. */
  readonly killed: number[] = []
  #isOver = false

  constructor(cluster: NemesisCluster, admin: Admin) {
    this.#cluster = cluster
    this.#admin = admin
  }

  /** Until `stop`; all brokers are there when it resolves. @throws when one does not come back */
  async run(): Promise<void> {
    while (!this.#isOver) {
      const node = await this.#victim()
      await node.kill()
      this.killed.push(node.id)
      await new Promise((resolve) => setTimeout(resolve, awayMs))
      await node.start()
      await until('all replicas are in sync again', () => this.#isWhole(), 60_000)
      await new Promise((resolve) => setTimeout(resolve, togetherMs))
    }
  }

  stop(): void {
    this.#isOver = true
  }

  /** The one that leads most partitions of those that were killed least. */
  async #victim(): Promise<BrokerNode> {
    const leads = new Map<number, number>()
    for (const { leader } of partitionsOf(await this.#topics()))
      leads.set(leader, (leads.get(leader) ?? 0) + 1)
    const timesOf = (node: BrokerNode): number => this.killed.filter((id) => id === node.id).length
    const [victim] = [...this.#cluster.nodes].sort(
      (a, b) => timesOf(a) - timesOf(b) || (leads.get(b.id) ?? 0) - (leads.get(a.id) ?? 0),
    )
    if (victim === undefined) throw new Error('there is nobody to kill')
    return victim
  }

  async #isWhole(): Promise<boolean> {
    return partitionsOf(await this.#topics()).every(
      ({ leader, replicas, inSync }) => leader >= 0 && inSync.length === replicas.length,
    )
  }

  #topics(): Promise<TopicMetadata[]> {
    return this.#admin.listTopics({ internal: true })
  }
}

const partitionsOf = (topics: readonly TopicMetadata[]) => topics.flatMap(({ partitions }) => partitions)
