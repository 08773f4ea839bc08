/** Somebody with administrative rights: moves partitions and leaderships while all the rest goes on. */
import { errorName } from '../../src/base/error-codes.ts'
import { AlterPartitionReassignments } from '../../src/protocol/apis/alter-partition-reassignments.ts'
import { ElectLeaders } from '../../src/protocol/apis/elect-leaders.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { ClusterClient } from './cluster-client.ts'
import type { Place, Stage } from './stage.ts'

const timeoutMs = 1000

export class Operator {
  readonly #stage: Stage
  #orders = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** To these brokers; the first one is preferred as leader. */
  async reassign(at: number, replicas: readonly number[] | null): Promise<void> {
    const place = this.#place(at)
    if (place === undefined) return
    const answer = await this.#ask(AlterPartitionReassignments, {
      timeoutMs,
      topics: [{ name: place.topic, partitions: [{ partitionIndex: place.partition, replicas: replicas && [...replicas] }] }], // biome-ignore format: one row
    })
    const row = answer?.responses[0]?.partitions[0]
    this.#stage.recorder.mark(`reassign ${row === undefined ? null : errorName(row.errorCode)}`)
  }

  /** To the preferred leader. */
  async transfer(at: number): Promise<void> {
    const place = this.#place(at)
    if (place === undefined) return
    const answer = await this.#ask(ElectLeaders, {
      electionType: 0,
      topicPartitions: [{ topic: place.topic, partitions: [place.partition] }],
      timeoutMs,
    })
    const row = answer?.replicaElectionResults[0]?.partitionResult[0]
    this.#stage.recorder.mark(`transfer ${row === undefined ? null : errorName(row.errorCode)}`)
  }

  #place(at: number): Place | undefined {
    return this.#stage.places[at % this.#stage.places.length]
  }

  /** Each order goes its own way: several may be under way. */
  async #ask<A extends AnyApi>(api: A, request: RequestInput<A>): Promise<ResponseOf<A> | null> {
    const client = new ClusterClient(this.#stage, `operator-${this.#orders++}`, timeoutMs)
    const answer = await client.any().ask(api, request)
    client.close()
    return answer
  }
}
