/**
 * A groups machine on a stage: virtual time, callers by token, and the rules that hold at every step. Alarms run at their time,
 * as the executor lets them.
 */
import assert from 'node:assert/strict'
import type { ErrorName } from '../../../src/base/error-codes.ts'
import type { GroupCommand, GroupReplies, JoinReply } from '../../../src/machines/groups/commands.ts'
import type { Group } from '../../../src/machines/groups/group.ts'
import { groupsMachine } from '../../../src/machines/groups/groups.ts'
import { type GroupSettings, groupSettingDefaults } from '../../../src/machines/groups/settings.ts'
import { emptyGroupsState, type GroupsState } from '../../../src/machines/groups/state.ts'
import type { Now, Token } from '../../../src/machines/machine.ts'

/** What one caller has heard: a reply, the name of an error, or nothing yet. */
export class Call<T> {
  reply: T | undefined
  refused: ErrorName | undefined
  /** Called when the answer is there. */
  onAnswer: () => void = () => {}
  get isOpen(): boolean {
    return this.reply === undefined && this.refused === undefined
  }
  /** The reply. Fails the test when there is none. */
  get value(): T {
    assert.equal(this.refused, undefined, `refused with ${this.refused}`)
    assert.notEqual(this.reply, undefined, 'a reply has come')
    return this.reply as T
  }
}

type Asked<T extends GroupCommand['type']> = Extract<GroupCommand, { type: T }>

/** The wall clock runs along with the monotonic one, from another zero. */
const wallZeroMs = 1_700_000_000_000

export class Stage {
  readonly settings: GroupSettings
  readonly machine
  state: GroupsState
  /** Grows from the encoded changes alone. */
  replica: GroupsState = emptyGroupsState()
  nowMs = 0
  /** Changes replicated so far. */
  changes = 0
  readonly #calls = new Map<Token, Call<unknown>>()
  #tokens = 0
  #ids = 0

  constructor(settings: Partial<GroupSettings> = {}) {
    this.settings = { ...groupSettingDefaults, ...settings }
    this.machine = groupsMachine(this.settings)
    this.state = this.machine.empty()
    this.machine.onLead(this.state, this.now)
  }

  get now(): Now {
    return { monotonicMs: this.nowMs, wallMs: wallZeroMs + this.nowMs }
  }

  /** Asks, and runs the alarms that are due at once. */
  ask<T extends GroupCommand['type']>(command: Asked<T>): Call<GroupReplies[T]> {
    const call = this.#decide(command) as Call<GroupReplies[T]>
    this.advance(0)
    return call
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let runs = 0; ; runs++) {
      assert.ok(runs < 10_000, 'an alarm that is answered does not ring for ever')
      const deadlineMs = this.machine.deadline(this.state)
      if (deadlineMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, deadlineMs)
      this.#decide(this.machine.onDeadline())
    }
    this.nowMs = untilMs
  }

  /** The coordinator moves: another member, grown from the changes alone, leads. Those who wait hear of it. */
  failOver(): void {
    for (const token of this.machine.onResign(this.state)) {
      const call = this.#callOf(token)
      call.refused = 'NOT_COORDINATOR'
      this.#calls.delete(token)
      call.onAnswer()
    }
    assert.equal(this.#calls.size, 0, 'nobody who waits is forgotten')
    this.state = this.machine.image.decode(this.machine.image.encode(this.replica))
    this.machine.onLead(this.state, this.now)
  }

  get waiting(): number {
    return this.#calls.size
  }

  freshId(prefix: string): string {
    this.#ids++
    return `${prefix}-${this.#ids}`
  }

  phase(groupId = 'g'): string {
    return this.ask({ type: 'describeGroup', groupId }).value?.phase ?? 'Dead'
  }

  #decide(command: GroupCommand): Call<unknown> {
    this.#tokens++
    const token = this.#tokens
    const call = new Call<unknown>()
    this.#calls.set(token, call)
    const decision = this.machine.decide(this.state, command, this.now, token)
    for (const change of decision.changes) {
      const { key, value } = this.machine.changes.encode(change)
      this.machine.apply(this.state, change)
      this.machine.apply(this.replica, this.machine.changes.decode(key, value))
      this.changes++
    }
    for (const change of decision.volatile) this.machine.touch(this.state, change, this.now)
    for (const reply of decision.replies) {
      const answered = this.#callOf(reply.to)
      if ('refused' in reply) answered.refused = reply.refused
      else answered.reply = reply.reply
      this.#calls.delete(reply.to)
      answered.onAnswer()
    }
    for (const group of this.state.live.values()) checkGroup(group)
    return call
  }

  #callOf(token: Token): Call<unknown> {
    const call = this.#calls.get(token)
    assert.ok(call !== undefined, 'whoever is answered has asked, and has not been answered before')
    return call
  }

  /** Replaying the changes gives what is live; so does the image. */
  checkReplica(): void {
    assert.deepEqual(this.replica.groups, this.state.groups)
    const image = this.machine.image.decode(this.machine.image.encode(this.state))
    assert.deepEqual(image.groups, this.state.groups)
  }
}

/** What holds for every group after every step. */
function checkGroup(group: Readonly<Group>): void {
  const { members, pending, sessions, unsynced, leader, phase } = group
  assert.equal(members.size === 0, leader === null, 'a group with members has one leader')
  assert.ok(leader === null || members.has(leader), 'the leader is a member')
  assert.equal(
    sessions.size,
    members.size + pending.size,
    'members and pending ids have sessions, and nobody else',
  )
  for (const id of members.keys()) assert.ok(sessions.has(id), 'every member has a session')
  for (const id of pending) assert.ok(sessions.has(id) && !members.has(id), 'a pending id is no member')
  for (const id of unsynced) assert.ok(members.has(id), 'only members are waited for')
  assert.equal(group.joining !== null, phase === 'PreparingRebalance', 'a join phase has an end')
  assert.equal(unsynced.size > 0, group.syncDeadlineMs < Number.POSITIVE_INFINITY, 'so has a sync phase')
  if (phase === 'Empty') assert.equal(members.size, 0)
  if (phase === 'Stable' || phase === 'CompletingRebalance') assert.ok(members.size > 0)
  for (const { waiting } of members.values()) {
    if (phase === 'Stable') assert.equal(waiting, null, 'nobody waits for a stable group')
  }
}

/** A client of the group `g`: remembers its id and generation as real ones do. */
export class Client {
  memberId = ''
  generation = -1
  isLeader = false
  roster: readonly { readonly memberId: string }[] = []

  constructor(
    readonly stage: Stage,
    readonly name: string,
    readonly traits: {
      readonly groupId?: string
      readonly instanceId?: string
      readonly sessionTimeoutMs?: number
      readonly rebalanceTimeoutMs?: number
      readonly protocols?: readonly string[]
      readonly protocolType?: string
      /** The metadata it sends, whatever the protocol. */
      metadata?: Buffer
      /** JoinGroup's version. */
      readonly version?: number
    } = {},
  ) {}

  get groupId(): string {
    return this.traits.groupId ?? 'g'
  }
  get #self() {
    return { groupId: this.groupId, memberId: this.memberId, instanceId: this.traits.instanceId ?? null }
  }

  /** One JoinGroup, as it is. */
  joinOnce(): Call<JoinReply> {
    const { traits, name } = this
    const version = traits.version ?? 9
    return this.stage.ask({
      type: 'join',
      ...this.#self,
      clientId: name,
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: traits.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: traits.rebalanceTimeoutMs ?? 60_000,
      protocolType: traits.protocolType ?? 'consumer',
      protocols: (traits.protocols ?? ['range']).map((protocol) => ({
        name: protocol,
        metadata: traits.metadata ?? Buffer.from(`${name}:${protocol}`),
      })),
      freshMemberId: this.stage.freshId(traits.instanceId ?? name),
      canBeSentBack: version >= 4,
      canSkipAssignment: version >= 9,
    })
  }

  /** As clients do: a first time for the id when the coordinator wants that, then in earnest. */
  join(): Call<JoinReply> {
    const call = this.joinOnce()
    if (call.reply?.type !== 'memberIdRequired') return call
    this.memberId = call.reply.memberId
    return this.joinOnce()
  }

  /** Takes over what a join was answered with. */
  accept(call: Call<JoinReply>): Extract<JoinReply, { type: 'joined' }> {
    const reply = call.value
    assert.ok(reply.type === 'joined', 'the join is through')
    this.memberId = reply.memberId
    this.generation = reply.generation
    this.isLeader = reply.leader === reply.memberId
    this.roster = reply.members
    return reply
  }

  /** The leader gives everybody in its roster a name as the assignment. */
  sync(protocol: { type?: string | null; name?: string | null } = {}) {
    return this.stage.ask({
      type: 'sync',
      ...this.#self,
      generation: this.generation,
      protocolType: protocol.type ?? null,
      protocol: protocol.name ?? null,
      assignments: this.isLeader
        ? this.roster.map(({ memberId }) => ({
            memberId,
            assignment: Buffer.from(`${memberId}@${this.generation}`),
          }))
        : [],
    })
  }

  heartbeat() {
    return this.stage.ask({ type: 'heartbeat', ...this.#self, generation: this.generation })
  }

  leave() {
    const { memberId, instanceId } = this.#self
    return this.stage.ask({ type: 'leave', groupId: this.groupId, members: [{ memberId, instanceId }] })
  }

  commit(
    topic: string,
    index: number,
    offset: number,
    more: { metadata?: string; retentionMs?: number } = {},
  ) {
    return this.stage.ask({
      type: 'commitOffsets',
      ...this.#self,
      generation: this.generation,
      retentionMs: more.retentionMs ?? null,
      topics: [
        { name: topic, partitions: [{ index, offset, leaderEpoch: 7, metadata: more.metadata ?? '' }] },
      ],
    })
  }
}

/** All that a group has joins (again); afterwards it is Stable and each holds its own assignment. */
export function stabilize(...clients: Client[]): void {
  const joins = clients.map((client) => client.join())
  const [first] = clients
  for (let delays = 0; delays < 20 && joins.some(({ isOpen }) => isOpen); delays++) {
    first?.stage.advance(first.stage.settings.groupInitialRebalanceDelayMs)
  }
  for (const [index, client] of clients.entries()) client.accept(joins[index] ?? client.joinOnce())
  const syncs = clients.map((client) => client.sync())
  for (const [index, client] of clients.entries()) {
    assert.equal(syncs[index]?.value.assignment.toString(), `${client.memberId}@${client.generation}`)
  }
}
