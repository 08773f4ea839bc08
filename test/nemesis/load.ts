/** The clients of an attacked cluster: who writes, who reads, who commits; started together, ended together, then judged. */
import { Client } from '../../client/client.ts'
import { missing } from '../wire/clients.ts'
import { commit, join } from './clients/groups.ts'
import { LibrdkafkaReader, produceWithLibrdkafka } from './clients/librdkafka.ts'
import { produce } from './clients/producers.ts'
import { produceRaw } from './clients/raw-producers.ts'
import { read } from './clients/readers.ts'
import type { NemesisCluster } from './cluster.ts'
import type { Recording } from './recording.ts'
import type { Place, Stage } from './stage.ts'

export interface LoadOptions {
  readonly topic: string
  readonly partitions: number
  /** Of each producer that is a library. */
  readonly perSecond: number
}

export const defaultLoad: LoadOptions = { topic: 'orders', partitions: 6, perSecond: 150 }

export class Load {
  readonly stage: Stage
  readonly #clients: Promise<void>[]
  readonly #foreign: LibrdkafkaReader | null

  private constructor(stage: Stage, clients: Promise<void>[], foreign: LibrdkafkaReader | null) {
    this.stage = stage
    this.#clients = clients
    this.#foreign = foreign
  }

  /** The topic is made with a replica on each of three brokers (or on all there are). */
  static async start(cluster: NemesisCluster, recording: Recording, options = defaultLoad): Promise<Load> {
    const { topic, partitions, perSecond } = options
    await createTopic(cluster, topic, partitions)
    const places: Place[] = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    let values = 0
    const stage: Stage = { cluster, recording, places, isOver: false, nextValue: () => `v${++values}` }
    const clients = [
      produce(stage, 'library-1', { perSecond }),
      produce(stage, 'library-2', { perSecond }),
      produceRaw(stage, 'raw-1', { acks: -1, pauseMs: 10 }),
      produceRaw(stage, 'raw-2', { acks: -1, pauseMs: 10 }),
      produceRaw(stage, 'leader-1', { acks: 1, pauseMs: 50 }),
      ...places.map((place) => read(stage, `reader-${place.partition}`, place)),
      ...places.slice(0, 2).map((place) => commit(stage, `committer-${place.partition}`, place)),
      join(stage, 'member-1', 'members'),
      join(stage, 'member-2', 'members'),
    ]
    const hasLibrdkafka = missing('confluent_kafka') === false
    if (hasLibrdkafka) clients.push(produceWithLibrdkafka(stage, 'librdkafka', perSecond))
    const foreign = hasLibrdkafka ? new LibrdkafkaReader(stage, 'foreign') : null
    return new Load(stage, clients, foreign)
  }

  /** One more client, which ends with the others. */
  add(client: Promise<void>): void {
    this.#clients.push(client)
  }

  /** Writers settle what is under way, readers end. */
  async stop(): Promise<void> {
    this.stage.isOver = true
    await Promise.all(this.#clients)
  }

  /** Those who read to the very end must have read it all. */
  async finish(ends: readonly number[]): Promise<void> {
    await this.#foreign?.finish(ends)
  }
}

async function createTopic(cluster: NemesisCluster, name: string, partitions: number): Promise<void> {
  await using client = new Client({ bootstrap: cluster.bootstrap })
  const replicationFactor = Math.min(3, cluster.nodes.length)
  await client.admin().createTopics([{ name, partitions, replicationFactor }])
}
