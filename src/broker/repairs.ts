/**
 * Repairs replicas whose log is damaged, from their peers. What is left of it is moved aside, and kept; its quorum goes on
 * without it; then it comes back as a newcomer, who gets the log and votes again when it has everything:
 *
 *     damaged broker                                   leader of the partition
 *     closes the replica, moves its folder aside
 *     restore, away ─────────────────────────────────► voters without it, committed
 *     opens an empty replica ◄──────────────────────── answer
 *     restore, here ─────────────────────────────────► voters with it again, when it has caught up
 *     hears of that from the log itself
 *
 * Until it is let go it answers nobody: its vote and its acknowledgements may not be counted, nor given again. That takes a majority
 * of others, so a quorum of fewer than three cannot be repaired so: there, a replica stays offline.
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { haveSame } from '../raft/membership.ts'
import type { Replica } from '../replica/replica.ts'
import type { BrokerEvent } from './broker.ts'
import { keyOf } from './hosted.ts'
import type { Partition } from './partition.ts'
import { Pauses } from './pauses.ts'

export interface RepairsOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly partition: (topicId: string, index: number) => Partition | undefined
  readonly leaderOf: (topicId: string, index: number) => number | undefined
  /** Asks the leader of a partition; `isAway`: to go on without this broker's replica, else to take it in again. */
  readonly ask: (leader: number, topicId: string, index: number, isAway: boolean) => Promise<void>
  /** Whether the partition should have a replica here. */
  readonly isPlaced: (topic: Topic, index: number) => boolean
  /** Closes the replica and moves its folder aside; durable. Resolves with where that went. */
  readonly setAside: (topic: Topic, index: number) => Promise<string>
  /** Opens it again, as one that came later. */
  readonly openAnew: (topic: Topic, index: number) => Promise<void>
  /** Its new log knows that it came later. */
  readonly remembers: (topic: Topic, index: number) => void
  readonly onEvent: (event: BrokerEvent) => void
}

/** Fewer cannot decide without one of them. */
export const repairableMin = 3
/** Between attempts; an election takes about as long. */
const retryMs = 500
/** A leader that cannot be handed over in this time is lost to its clients for an election. */
const handOverMs = 1000
const lookMs = 10

export class Repairs {
  readonly #options: RepairsOptions
  /** Under way on this side, by key. */
  readonly #underWay = new Set<string>()
  /** Replicas of others that are taken in again, as the leader. */
  readonly #takenIn = new Map<string, Replica>()
  readonly #pauses: Pauses
  #isClosed = false

  constructor(options: RepairsOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  /** The log of a partition here is damaged. Returns whether it will be repaired. Harmless when it is known. */
  damaged(topic: Topic, index: number, fault: Faulted): boolean {
    if ((topic.placements[index]?.length ?? 0) < repairableMin) return false
    this.#begin(topic, index, () => this.#repair(topic, index, fault))
    return true
  }

  /** Something about a replica here has changed; called often. */
  look(partition: Partition): void {
    const { topic, index, replica } = partition
    if (this.#isMissing(topic, index, replica)) this.#begin(topic, index, () => this.#comeBack(topic, index))
  }

  /** What is wanted of a partition has changed: a reassignment says who votes. */
  moved(topic: Topic, index: number): void {
    if (topic.moves.has(index)) this.#takenIn.get(keyOf(topic.id, index))?.abandonChange()
  }

  /**
   * As the leader: broker `from` has lost its replica (`isAway`), or has a new one. Resolves when the quorum goes on without it, or when
   * it is being taken in.
   * @throws Refused when this broker does not lead, when something else is changing, or when that broker should have no replica
   */
  async restore(from: number, topic: Topic | undefined, index: number, isAway: boolean): Promise<void> {
    if (topic === undefined) throw new Refused('UNKNOWN_TOPIC_ID')
    const replica = this.#options.partition(topic.id, index)?.replica
    const placement = topic.placements[index] ?? []
    if (replica?.isReady !== true) throw new Refused('NOT_LEADER_OR_FOLLOWER')
    if (topic.moves.has(index)) throw new Refused('REASSIGNMENT_IN_PROGRESS', 'a reassignment says who votes')
    if (!placement.includes(from)) {
      throw new Refused(
        'INVALID_REPLICA_ASSIGNMENT',
        `broker ${from} should have no replica of ${topic.name}-${index}`,
      )
    }
    const others = placement.filter((id) => id !== from)
    const { voters } = replica
    if (isAway && voters.includes(from)) {
      this.#takenIn.get(keyOf(topic.id, index))?.abandonChange()
      await replica.changeVoters(voters.filter((id) => id !== from))
    } else if (!isAway && !voters.includes(from)) {
      // Somebody else is missing, too, or the image is older than the quorum: this is not the time.
      if (!haveSame(others, voters))
        throw new Refused('REASSIGNMENT_IN_PROGRESS', 'the voters are others than planned')
      this.#takeIn(topic, index, replica, placement)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#pauses.close()
  }

  #begin(topic: Topic, index: number, act: () => Promise<void>): void {
    const key = keyOf(topic.id, index)
    if (this.#isClosed || this.#underWay.has(key)) return
    this.#underWay.add(key)
    void this.#carryOut(topic, index, act).then(() => {
      this.#underWay.delete(key)
      // It may be missing already again, or still.
      const partition = this.#options.partition(topic.id, index)
      if (partition !== undefined) this.look(partition)
    })
  }

  /** A disk that fails now, too, leaves the replica offline; the next start goes on. */
  async #carryOut(topic: Topic, index: number, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      const name = `${topic.name}-${index}`
      const message = `${name} cannot be repaired before this broker is restarted: ${error.message}`
      this.#options.onEvent({ level: 'error', event: 'partition.repair.failed', message, partition: name })
    }
  }

  async #repair(topic: Topic, index: number, fault: Faulted): Promise<void> {
    const name = `${topic.name}-${index}`
    await this.#handOver(topic, index)
    const path = await this.#options.setAside(topic, index)
    const message = `${name} is damaged here, moved aside to ${path}, and will be restored from its other replicas: ${fault.message}`
    this.#options.onEvent({ level: 'error', event: 'partition.quarantined', message, partition: name, path })
    if (!(await this.#persuade(topic, index, true))) return
    await this.#options.openAnew(topic, index)
  }

  /** Until the log itself says that this replica votes. */
  async #comeBack(topic: Topic, index: number): Promise<void> {
    const name = `${topic.name}-${index}`
    let hasAsked = false
    for (;;) {
      await this.#pause()
      const replica = this.#options.partition(topic.id, index)?.replica
      if (this.#isClosed || replica === undefined || replica.fault !== null) return
      // It knows its quorum now, and will know after a restart.
      if (replica.voters.length > 0) this.#options.remembers(topic, index)
      if (!this.#isMissing(topic, index, replica)) break
      hasAsked = (await this.#askOnce(topic, index, false)) || hasAsked
    }
    // A newcomer of a reassignment only had to hear that it had come.
    if (!hasAsked) return
    const message = `${name} is whole again: its replica here has everything, and votes`
    this.#options.onEvent({ level: 'info', event: 'partition.repaired', message, partition: name })
  }

  /** Asks until it is done. False when there is no reason any more. */
  async #persuade(topic: Topic, index: number, isAway: boolean): Promise<boolean> {
    while (!this.#isClosed && this.#options.isPlaced(topic, index)) {
      if (await this.#askOnce(topic, index, isAway)) return true
      await this.#pause()
    }
    return false
  }

  async #askOnce(topic: Topic, index: number, isAway: boolean): Promise<boolean> {
    const { nodeId, leaderOf, ask } = this.#options
    const leader = leaderOf(topic.id, index)
    if (leader === undefined || leader === nodeId) return false
    try {
      await ask(leader, topic.id, index, isAway)
      return true
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return false
    }
  }

  /** It should vote, and does not; no reassignment is about to change that. */
  #isMissing(topic: Topic, index: number, { voters }: Replica): boolean {
    const { nodeId, isPlaced } = this.#options
    return !voters.includes(nodeId) && isPlaced(topic, index) && !topic.moves.has(index)
  }

  async #handOver(topic: Topic, index: number): Promise<void> {
    const { nodeId, partition, clock } = this.#options
    const replica = partition(topic.id, index)?.replica
    const [to] = replica?.inSync.filter((id) => id !== nodeId) ?? []
    if (replica?.isReady !== true || replica.fault !== null || to === undefined) return
    replica.transferLeadership(to)
    const endMs = clock.monotonic() + handOverMs
    while (replica.isReady && clock.monotonic() < endMs) await this.#pause(lookMs)
  }

  #takeIn(topic: Topic, index: number, replica: Replica, placement: readonly number[]): void {
    const key = keyOf(topic.id, index)
    if (this.#takenIn.get(key) === replica) return
    this.#takenIn.set(key, replica)
    const over = (): void => void this.#takenIn.delete(key)
    // Refused: leadership was lost, or something else is wanted. Whoever is missing asks again.
    replica.changeVoters(placement).then(over, (error: unknown) => {
      over()
      if (!(error instanceof Refused)) throw error
    })
  }

  #pause(ms = retryMs): Promise<void> {
    return this.#pauses.wait(ms)
  }
}
