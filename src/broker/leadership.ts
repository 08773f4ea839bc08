/**
 * Who should lead: each partition's first replica, when it keeps up; and when this broker stops, anybody but this one.
 * Every broker looks at what it leads itself and hands over; nobody has to decide it for all.
 */
import { Refused } from '../base/errors.ts'
import type { Clock, Timer } from '../io/world.ts'
import type { Replica } from '../replica/replica.ts'
import type { BrokerEvent } from './broker.ts'
import type { Leaders } from './leaders.ts'
import type { Partition } from './partition.ts'
import { Pauses } from './pauses.ts'

export interface LeadershipOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly partitions: () => Iterable<Partition>
  readonly partition: (topicId: string, index: number) => Partition | undefined
  readonly leaders: Leaders
  /** Asks the partition's leader, another broker, to hand over. */
  readonly ask: (leader: number, topicId: string, index: number, to: number) => Promise<void>
  /** Whether a broker can be given leadership: it lives, and does not stop. */
  readonly isStaying: (nodeId: number) => boolean
  /** Absent or Infinity: leaders stay where they are. */
  readonly intervalMs: () => number
  readonly onEvent: (event: BrokerEvent) => void
}

/** Handed over at the same time: each costs its clients a moment. */
const transfersMax = 16
/** How often it is looked whether what was handed over has gone. */
const lookMs = 10
/** A transfer gives up by itself; then another replica is tried. */
const attemptMs = 500

/** One that was asked for by name: not before the one before has given up, for meanwhile nothing can be produced. */
const againMs = 3000

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #pauses: Pauses
  /** Until leaders are looked at again. */
  #timer: Timer | null = null
  #isLeaving = false
  #isClosed = false

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  start(): void {
    const intervalMs = this.#options.intervalMs()
    if (this.#isLeaving || intervalMs === Infinity) return
    this.#timer = this.#options.clock.setTimer(intervalMs, () => {
      this.#balance()
      this.start()
    })
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#leave()
    this.#isClosed = true
    this.#pauses.close()
  }

  /** See Controller.transferLeadership. */
  async move(topicId: string, index: number, to: number, timeoutMs: number): Promise<void> {
    const { clock, leaders, nodeId, ask } = this.#options
    const endMs = clock.monotonic() + timeoutMs
    if (leaders.leaderOf(topicId, index) === undefined) {
      throw new Refused('LEADER_NOT_AVAILABLE', 'nobody leads the partition now')
    }
    let askedMs = -Infinity
    for (;;) {
      const leader = leaders.leaderOf(topicId, index)
      if (leader === to) return
      if (this.#isClosed) throw new Refused('REQUEST_TIMED_OUT', 'this broker stops')
      const nowMs = clock.monotonic()
      if (nowMs >= endMs) throw new Refused('REQUEST_TIMED_OUT', `broker ${to} does not lead yet`)
      // A transfer gives up by itself, for instance when the heir was not quick enough.
      if (leader !== undefined && nowMs - askedMs >= againMs) {
        askedMs = nowMs
        if (leader !== nodeId) await ask(leader, topicId, index, to)
        else this.transfer(topicId, index, to)
      }
      await this.#pauses.wait(lookMs)
    }
  }

  /**
   * Asks that `to` lead instead of this broker; resolves when it is under way.
   * @throws Refused NOT_LEADER_OR_FOLLOWER when this broker does not lead; ELIGIBLE_LEADERS_NOT_AVAILABLE when `to` does not keep up
   */
  transfer(topicId: string, index: number, to: number): void {
    const found = this.#options.partition(topicId, index)
    if (found?.isReady !== true) {
      throw new Refused(
        'NOT_LEADER_OR_FOLLOWER',
        `this broker does not lead partition ${index} of ${topicId}`,
      )
    }
    const { replica, name } = found
    if (to === this.#options.nodeId) return
    if (!replica.inSync.includes(to)) {
      throw new Refused(
        'ELIGIBLE_LEADERS_NOT_AVAILABLE',
        `replica ${to} of ${name} does not keep up with its leader`,
      )
    }
    replica.transferLeadership(to)
  }

  /** Hands over all that is led here and has somebody else; resolves when that is done, or the time over. */
  async handOver(also: readonly Replica[], timeoutMs: number): Promise<void> {
    this.#leave()
    const { clock } = this.#options
    const endMs = clock.monotonic() + timeoutMs
    const asked = new Map<Replica, { atMs: number; attempts: number }>()
    const all = () => [...[...this.#options.partitions()].map(({ replica }) => replica), ...also]
    for (;;) {
      const nowMs = clock.monotonic()
      const led = all().filter((replica) => replica.isReady && this.#others(replica).length > 0)
      if (led.length === 0 || nowMs >= endMs || this.#isClosed) break
      let underWay = 0
      for (const replica of led) {
        const { atMs, attempts } = asked.get(replica) ?? { atMs: -Infinity, attempts: 0 }
        if (nowMs - atMs < attemptMs) underWay++
        else if (underWay < transfersMax) {
          const others = this.#others(replica)
          underWay++
          asked.set(replica, { atMs: nowMs, attempts: attempts + 1 })
          replica.transferLeadership(others[attempts % others.length] ?? -1)
        }
      }
      await this.#pauses.wait(lookMs)
    }
    const kept = all().filter((replica) => replica.isReady && replica.voters.length > 1).length
    if (kept === 0) return
    this.#options.onEvent({
      level: 'info',
      event: 'leadership.kept',
      message: `${kept} partitions could not be handed over: no other broker that stays keeps up with them`,
    })
  }

  /** What is led here goes to others: nothing comes back. */
  #leave(): void {
    this.#isLeaving = true
    this.#timer?.cancel()
  }

  #others({ inSync }: Replica): number[] {
    const { nodeId, isStaying } = this.#options
    return inSync.filter((id) => id !== nodeId && isStaying(id))
  }

  #balance(): void {
    const { nodeId, partitions } = this.#options
    let transfers = 0
    for (const { topic, index, replica } of partitions()) {
      const preferred = topic.placements[index]?.[0]
      if (preferred === undefined || preferred === nodeId || topic.moves.has(index)) continue
      if (!replica.isReady || !this.#others(replica).includes(preferred)) continue
      replica.transferLeadership(preferred)
      transfers++
    }
    if (transfers === 0) return
    this.#options.onEvent({
      level: 'info',
      event: 'leadership.balanced',
      message: `${transfers} partitions are handed over to their preferred leaders`,
    })
  }
}
