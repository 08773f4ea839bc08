/**
 * Who leads which partition, here and elsewhere, as leaders themselves say it: nothing is decided or written for an election.
 * What this table says may be late; it never goes back, for a partition's epochs only rise.
 *
 * (Kafka's controller writes each change of a leader to the cluster's log. With a quorum for every partition nobody has to be
 * asked, so telling is enough, as in Redpanda.)
 */
import type { Clock } from '../io/world.ts'

export interface PartitionLeader {
  /** -1: who led in this epoch does so no more, and nobody else has said to. */
  readonly leaderId: number
  readonly epoch: number
  /** Voters that keep up, the leader among them. */
  readonly isr: readonly number[]
}

interface Waiting {
  readonly topicId: string
  readonly count: number
  readonly settle: () => void
}

export class Leaders {
  readonly #clock: Pick<Clock, 'setTimer'>
  /** By topic id, then by partition. */
  readonly #topics = new Map<string, (PartitionLeader | undefined)[]>()
  #waiting: Waiting[] = []
  #isClosed = false

  constructor(clock: Pick<Clock, 'setTimer'>) {
    this.#clock = clock
  }

  of(topicId: string, index: number): PartitionLeader | undefined {
    return this.#topics.get(topicId)?.[index]
  }

  /** undefined while nobody is known to lead. */
  leaderOf(topicId: string, index: number): number | undefined {
    const { leaderId } = this.of(topicId, index) ?? { leaderId: -1 }
    return leaderId < 0 ? undefined : leaderId
  }

  /** A leader that is ready says so. What an earlier epoch says comes too late. */
  heard(topicId: string, index: number, leader: PartitionLeader): void {
    let partitions = this.#topics.get(topicId)
    if (partitions === undefined) {
      partitions = []
      this.#topics.set(topicId, partitions)
    }
    if (leader.epoch < (partitions[index]?.epoch ?? -1)) return
    partitions[index] = leader
    for (const waiting of this.#waiting) {
      if (waiting.topicId === topicId && this.#areLed(topicId, waiting.count)) waiting.settle()
    }
  }

  /** The topic is deleted: its id does not come back. */
  forget(topicId: string): void {
    this.#topics.delete(topicId)
    for (const waiting of this.#waiting) if (waiting.topicId === topicId) waiting.settle()
  }

  /** Resolves when each of the topic's first `count` partitions is led, when the topic is deleted, or when the time is over. */
  async whenLed(topicId: string, count: number, timeoutMs: number): Promise<void> {
    if (this.#isClosed || this.#areLed(topicId, count)) return
    await new Promise<void>((resolve) => {
      const settle = () => {
        timer.cancel()
        this.#waiting = this.#waiting.filter((one) => one !== waiting)
        resolve()
      }
      const waiting: Waiting = { topicId, count, settle }
      const timer = this.#clock.setTimer(timeoutMs, settle)
      this.#waiting.push(waiting)
    })
  }

  /** Nobody waits any more. */
  close(): void {
    this.#isClosed = true
    for (const { settle } of this.#waiting) settle()
  }

  #areLed(topicId: string, count: number): boolean {
    const partitions = this.#topics.get(topicId)
    if (partitions === undefined || partitions.length < count) return false
    for (let index = 0; index < count; index++) if (this.leaderOf(topicId, index) === undefined) return false
    return true
  }
}
