/**
 * Membership in a consumer group, by the classic protocol: join, agree on an assignment, send heartbeats; again whenever the
 * coordinator says that the group changes.
 *
 *     joining --> syncing --> stable --(rebalance)--> draining --> joining             eager: all is given up first
 *     joining --> syncing --> draining what moves --> stable, or joining again         cooperative: the rest goes on
 *
 * Draining: heartbeats go on while the application finishes what it has in hand, so that what is revoked is processed and
 * committed before somebody else gets it.
 * @source KIP-62, KIP-345, KIP-394, KIP-429
 */
import { errorName } from '../src/base/error-codes.ts'
import { Heartbeat } from '../src/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../src/protocol/apis/join-group.ts'
import { LeaveGroup } from '../src/protocol/apis/leave-group.ts'
import { SyncGroup } from '../src/protocol/apis/sync-group.ts'
import { decodeAssignment, encodeAssignment } from '../src/protocol/consumer-protocol.ts'
import type { ResponseOf } from '../src/protocol/notation.ts'
import { type Assignor, assignorNamed } from './assignors.ts'
import type { Lane } from './brokers.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import { asKafkaError, BrokerRefused, expectNone, type KafkaError, refused } from './errors.ts'
import { divide } from './group-leader.ts'
import type { Lifetime } from './lifetime.ts'
import type { Committer } from './offsets.ts'
import { nameOf, type TopicPartition } from './partition.ts'
import { listOf, subscriptionFor } from './subscription.ts'
import type { Timer } from './transport.ts'

export interface MemberEvents {
  /** These are ours, all of them, until `revoke`. */
  assigned(partitions: readonly TopicPartition[]): Promise<void>
  /**
   * Called before these go to somebody else. Resolves when nothing of them is in hand any more, and what was finished is
   * committed. `isLost`: the membership is gone already, so that a commit would be refused.
   */
  revoke(partitions: readonly TopicPartition[], isLost: boolean): Promise<void>
  failed(error: KafkaError): void
}

const assignmentVersion = 1
const protocolType = 'consumer'

/** The coordinator has forgotten us, or gone on without us. */
const lost = new Set<string>(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'])

export class GroupMember {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #groupId: string
  readonly #lane: Lane
  readonly #lifetime: Lifetime
  readonly #events: MemberEvents
  #memberId = ''
  #generationId = -1
  #isStable = false
  /** As last assigned. Eager members have given it up when they join, but the sticky one remembers it. */
  #owned: readonly TopicPartition[] = []
  readonly #assignors: readonly Assignor[]
  readonly #isCooperative: boolean
  /** What the leader saw when it divided; a change asks for a new division. Empty in other members. */
  #divided: ReadonlyMap<string, number> = new Map()

  constructor(
    cluster: Cluster,
    settings: ConsumerSettings,
    groupId: string,
    lane: Lane,
    lifetime: Lifetime,
    events: MemberEvents,
  ) {
    this.#cluster = cluster
    this.#settings = settings
    this.#groupId = groupId
    this.#lane = lane
    this.#lifetime = lifetime
    this.#events = events
    this.#assignors = settings.assignors.flatMap((name) => assignorNamed(name) ?? [])
    // One that is not, among them, may be what the group agrees on: so KIP-429 moves a group over in two restarts.
    this.#isCooperative = this.#assignors.every((assignor) => assignor.isCooperative)
  }

  #isLeaving = false

  get isStable(): boolean {
    return this.#isStable
  }

  get committer(): Committer {
    return {
      groupId: this.#groupId,
      memberId: this.#memberId,
      generationId: this.#generationId,
      groupInstanceId: this.#settings.groupInstanceId,
    }
  }

  /** Runs until the lifetime ends. Never rejects: what is fatal goes to `failed`. */
  async run(): Promise<void> {
    try {
      while (!this.#isLeaving) {
        await this.#join()
        const isLost = await this.#stayAlive()
        this.#isStable = false
        if (this.#isLeaving) return
        if (isLost || !this.#isCooperative) await this.#giveUp(this.#owned, isLost)
        if (isLost) this.#forget()
      }
    } catch (cause) {
      this.#isStable = false
      if (!this.#lifetime.isOver) this.#events.failed(asKafkaError(cause))
    }
  }

  /** What it had is somebody else's. */
  #forget(): void {
    if (this.#isCooperative) this.#owned = []
    this.#generationId = -1
  }

  /**
   * Tells the coordinator, unless it is a static member, whose partitions wait for its return; and tells its successor when it is
   * about to move, for else the group waits until the session runs out. Never rejects.
   */
  async leave(timeoutMs: number): Promise<void> {
    // From here on the group does not know it, which must not make it join again.
    this.#isLeaving = true
    if (this.#memberId === '' || this.#settings.groupInstanceId !== null) return
    const memberId = this.#memberId
    this.#memberId = ''
    await this.#cluster
      .retry(`leave group ${this.#groupId}`, (remainingMs) => this.#requestLeave(memberId, remainingMs), {
        timeoutMs: Math.min(timeoutMs, this.#settings.sessionTimeoutMs),
        // Whoever stops the cluster and then its client does not want to wait.
        isFinal: () => this.#cluster.brokers.isUnreachable,
      })
      .catch((cause: unknown) => {
        // The session runs out by itself.
        this.#cluster.settings.logger.debug(
          { groupId: this.#groupId },
          `leave: ${asKafkaError(cause).message}`,
        )
      })
  }

  async #requestLeave(memberId: string, timeoutMs: number): Promise<void> {
    const { errorCode, members } = await this.#cluster.requestCoordinator(
      this.#groupId,
      LeaveGroup,
      (version) =>
        version >= 3
          ? { groupId: this.#groupId, members: [{ memberId, reason: 'the consumer is closed' }] }
          : { groupId: this.#groupId, memberId },
      { timeoutMs },
    )
    for (const code of [errorCode, ...members.map((member) => member.errorCode)]) {
      expectNone(code, `group ${this.#groupId}`)
    }
  }

  /** Becomes a member of the next generation and hands out the assignment. */
  async #join(): Promise<void> {
    for (;;) {
      try {
        const joined = await this.#requestJoin()
        this.#memberId = joined.memberId
        this.#generationId = joined.generationId
        const assignments = await this.#divide(joined)
        const assignment = await this.#requestSync(joined, assignments)
        if (await this.#settle(partitionsOf(assignment))) return
      } catch (cause) {
        const error = asKafkaError(cause)
        this.#lifetime.check()
        if (this.#isLeaving) return
        if (error.code === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
        else if (error.code !== 'REBALANCE_IN_PROGRESS' && error.code !== 'ILLEGAL_GENERATION') throw error
        if (this.#isCooperative && lost.has(error.code)) {
          await this.#giveUp(this.#owned, true)
          this.#forget()
        }
        await this.#lifetime.sleep(this.#cluster.settings.retryBackoffMs)
      }
    }
  }

  /** Takes over the assignment. @returns false when others wait for what was given up: the group has to meet again */
  async #settle(partitions: readonly TopicPartition[]): Promise<boolean> {
    const names = new Set(partitions.map(nameOf))
    const leaving = this.#isCooperative ? this.#owned.filter((place) => !names.has(nameOf(place))) : []
    if (leaving.length > 0) await this.#giveUp(leaving, false)
    this.#owned = partitions
    this.#isStable = leaving.length === 0
    await this.#beating(this.#events.assigned(partitions))
    return leaving.length === 0
  }

  #requestJoin(): Promise<ResponseOf<typeof JoinGroup>> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId, topics } = this.#settings
    const past = { owned: this.#owned, generationId: this.#generationId }
    // The answer comes when all members have joined, or have had their time for it.
    const timeoutMs = rebalanceTimeoutMs + 5_000
    return this.#cluster.retry(
      `join group ${this.#groupId}`,
      async () => {
        const response = await this.#cluster.requestCoordinator(
          this.#groupId,
          JoinGroup,
          (version) => ({
            groupId: this.#groupId,
            sessionTimeoutMs,
            rebalanceTimeoutMs,
            memberId: this.#memberId,
            ...(version >= 5 && { groupInstanceId }),
            protocolType,
            protocols: this.#assignors.map((assignor) => ({
              name: assignor.name,
              metadata: subscriptionFor(assignor, topics, past),
            })),
          }),
          { lane: this.#lane, timeoutMs },
        )
        if (errorName(response.errorCode) === 'MEMBER_ID_REQUIRED') {
          this.#memberId = response.memberId
          return this.#requestJoin()
        }
        expectNone(response.errorCode, `group ${this.#groupId}`)
        return response
      },
      { timeoutMs: Math.max(timeoutMs, this.#cluster.settings.callTimeoutMs) },
    )
  }

  /** As the leader: who gets what. */
  async #divide(joined: ResponseOf<typeof JoinGroup>) {
    this.#divided = new Map()
    if (joined.leader !== joined.memberId || joined.skipAssignment) return []
    const assignor = assignorNamed(joined.protocolName ?? '')
    if (assignor === undefined) {
      throw new BrokerRefused(
        'INCONSISTENT_GROUP_PROTOCOL',
        `group ${this.#groupId}`,
        `it agreed on '${joined.protocolName}', unknown here`,
      )
    }
    const { assignment, partitionCounts } = await divide(this.#cluster, assignor, joined.members)
    this.#divided = partitionCounts
    return [...assignment].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment({ assignedPartitions: listOf(partitions) }, assignmentVersion),
    }))
  }

  async #requestSync(
    joined: ResponseOf<typeof JoinGroup>,
    assignments: readonly { memberId: string; assignment: Buffer }[],
  ): Promise<Buffer> {
    const { groupInstanceId, rebalanceTimeoutMs } = this.#settings
    return this.#cluster.retry(`sync group ${this.#groupId}`, async () => {
      const response = await this.#cluster.requestCoordinator(
        this.#groupId,
        SyncGroup,
        (version) => ({
          groupId: this.#groupId,
          generationId: this.#generationId,
          memberId: this.#memberId,
          ...(version >= 3 && { groupInstanceId }),
          protocolType,
          protocolName: joined.protocolName,
          assignments,
        }),
        { lane: this.#lane, timeoutMs: rebalanceTimeoutMs + 5_000 },
      )
      expectNone(response.errorCode, `group ${this.#groupId}`)
      return response.assignment
    })
  }

  /** Heartbeats until the group changes. @returns true when the membership is lost */
  async #stayAlive(): Promise<boolean> {
    for (;;) {
      await this.#lifetime.sleep(this.#settings.heartbeatIntervalMs)
      if (this.#hasMorePartitions()) return false
      const code = await this.#beat()
      if (code === 'REBALANCE_IN_PROGRESS') return false
      if (lost.has(code)) return true
    }
  }

  /** One heartbeat. A coordinator that cannot be reached is no reason to leave: the session decides. */
  async #beat(): Promise<string> {
    try {
      const { groupInstanceId } = this.#settings
      const response = await this.#cluster.requestCoordinator(this.#groupId, Heartbeat, (version) => ({
        groupId: this.#groupId,
        generationId: this.#generationId,
        memberId: this.#memberId,
        ...(version >= 3 && { groupInstanceId }),
      }))
      if (response.errorCode === 0) return 'NONE'
      throw refused(response.errorCode, `group ${this.#groupId}`)
    } catch (cause) {
      this.#lifetime.check()
      const error = asKafkaError(cause)
      if (error.code === 'REBALANCE_IN_PROGRESS' || lost.has(error.code)) return error.code
      if (!error.retriable) throw error
      this.#cluster.forget(error)
      return error.code
    }
  }

  #giveUp(partitions: readonly TopicPartition[], isLost: boolean): Promise<void> {
    const done = this.#events.revoke(partitions, isLost)
    return isLost ? done : this.#beating(done)
  }

  /** Sends heartbeats as long as the application takes. */
  async #beating(work: Promise<void>): Promise<void> {
    let timer: Timer | null = null
    const beatLater = (): void => {
      timer = this.#lifetime.timer(this.#settings.heartbeatIntervalMs, () => {
        // Whatever is wrong, the join that follows will say so.
        this.#beat().catch(() => {})
        beatLater()
      })
    }
    beatLater()
    try {
      await work
    } finally {
      ;(timer as Timer | null)?.cancel()
    }
  }

  /** A topic has grown since this member, as the leader, divided it. */
  #hasMorePartitions(): boolean {
    for (const [topic, count] of this.#divided) {
      const now = this.#cluster.metadata.known(topic)?.partitions.length
      if (now !== undefined && now !== count) return true
      if (now === undefined) {
        this.#cluster.metadata.refresh([topic]).catch((cause: unknown) => {
          this.#cluster.settings.logger.debug({ topic }, `consumer: ${asKafkaError(cause).message}`)
        })
      }
    }
    return false
  }
}

function partitionsOf(assignment: Buffer): TopicPartition[] {
  // A member that the leader passed over gets no bytes at all.
  if (assignment.length === 0) return []
  return decodeAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}
