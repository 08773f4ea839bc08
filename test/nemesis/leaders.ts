/** Who leads what, as the cluster tells a client of its own. */
import type { Cluster } from '../../client/cluster.ts'
import { ClientClosed } from '../../client/errors.ts'
import type { NemesisCluster } from './cluster.ts'

export class Leaders {
  readonly #client: Cluster
  readonly #topic: string
  /** By partition; -1 unknown. */
  of: readonly number[] = []
  controller = -1
  /** Every replica of every partition keeps up. */
  isWhole = false

  constructor(cluster: NemesisCluster, topic: string) {
    this.#client = cluster.client('nemesis')
    this.#topic = topic
  }

  /** Looks again; what cannot be learnt now stays as it was. */
  async look(): Promise<this> {
    try {
      const { topics, controllerId } = await this.#client.metadata.fetch([this.#topic], false)
      const partitions = topics.get(this.#topic)?.partitions ?? []
      this.of = partitions.map(({ leader }) => leader)
      this.isWhole = partitions.every(({ replicas, inSync }) => inSync.length === replicas.length)
      this.controller = controllerId
    } catch {
      // Nobody answers at this moment; a fault may be just that.
    }
    return this
  }

  /** Partitions that a broker leads. */
  ledBy(node: number): number[] {
    return this.of.flatMap((leader, partition) => (leader === node ? [partition] : []))
  }

  close(): void {
    this.#client.lifetime.end(new ClientClosed('nemesis'))
  }
}
