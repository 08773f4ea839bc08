/**
 * Carries out the moves of partitions that are led here: brings the wanted voters into the quorum, then reports the move finished.
 * The controller says what is wanted; whoever leads does it, and begins again where another leader stopped.
 */
import { Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import type { Topic } from '../machines/cluster/state.ts'
import type { BrokerEvent } from './broker.ts'
import { keyOf } from './hosted.ts'
import type { Partition } from './partition.ts'
import { Pauses } from './pauses.ts'

export interface ReassignmentsOptions {
  readonly clock: Clock
  readonly partition: (topicId: string, index: number) => Partition | undefined
  readonly finishMove: (topicId: string, index: number, moveId: number) => Promise<unknown>
  /** Partitions led here that move at the same time. */
  readonly underWayMax: () => number
  readonly onEvent: (event: BrokerEvent) => void
}

interface Task {
  readonly topic: Topic
  readonly index: number
  /** Of the move that is being carried out. */
  moveId: number
}

/** After a refusal: another change is not committed yet, the controller is away. */
const retryMs = 100

export class Reassignments {
  readonly #options: ReassignmentsOptions
  readonly #waiting = new Map<string, Task>()
  readonly #underWay = new Map<string, Task>()
  readonly #pauses: Pauses
  #isClosed = false

  constructor(options: ReassignmentsOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  /** A move was decided or has ended, or this broker may have begun to lead. Harmless at any time. */
  look(topic: Topic, index: number): void {
    const key = keyOf(topic.id, index)
    const move = topic.moves.get(index)
    const task = this.#underWay.get(key)
    const replica = this.#options.partition(topic.id, index)?.replica
    if (task !== undefined) {
      // Something else is wanted now: newcomers that are not up to date yet need not be waited for.
      if (task.moveId !== move?.id) replica?.abandonChange()
      return
    }
    if (move === undefined || replica?.isReady !== true) this.#waiting.delete(key)
    else this.#waiting.set(key, { topic, index, moveId: move.id })
    this.#next()
  }

  close(): void {
    this.#isClosed = true
    this.#pauses.close()
    this.#waiting.clear()
  }

  #next(): void {
    for (const [key, task] of this.#waiting) {
      if (this.#isClosed || this.#underWay.size >= this.#options.underWayMax()) return
      this.#waiting.delete(key)
      this.#underWay.set(key, task)
      void this.#carryOut(task).finally(() => {
        this.#underWay.delete(key)
        this.#next()
      })
    }
  }

  /** Ends when nothing is wanted any more, or when this broker does not lead. */
  async #carryOut(task: Task): Promise<void> {
    const { topic, index } = task
    for (;;) {
      const move = topic.moves.get(index)
      const replica = this.#options.partition(topic.id, index)?.replica
      if (this.#isClosed || move === undefined || replica?.isReady !== true) return
      task.moveId = move.id
      try {
        await replica.changeVoters(move.to)
        await this.#options.finishMove(topic.id, index, move.id)
        this.#options.onEvent({
          level: 'info',
          event: 'partition.moved',
          message: `${topic.name}-${index} moved from brokers ${move.from.join(', ')} to ${move.to.join(', ')}`,
          partition: `${topic.name}-${index}`,
        })
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        this.#options.onEvent({
          level: 'debug',
          event: 'partition.move.waits',
          message: `${topic.name}-${index}: ${error.message}`,
          partition: `${topic.name}-${index}`,
        })
        await this.#pauses.wait(retryMs)
      }
    }
  }
}
