/** Any mixture of joins, syncs, heartbeats, leaves, restarts, elections and time: what must hold at every step, and in the end. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { JoinReply } from '../../../src/machines/groups/commands.ts'
import { type Call, Client, Stage } from './stage.ts'

type Step =
  | { do: 'join' | 'sync' | 'heartbeat' | 'leave' | 'commit' | 'restart' | 'change'; client: number }
  | { do: 'advance'; ms: number }
  /** These behave like real clients for a while. */
  | { do: 'settle'; clients: readonly number[] }
  | { do: 'failOver' | 'deleteGroup' | 'removeInstance' | 'forgetTopic' }

const clients = 6
const byClient = fc.record({
  do: fc.constantFrom(
    'join',
    'join',
    'join',
    'sync',
    'sync',
    'heartbeat',
    'leave',
    'commit',
    'restart',
    'change',
  ),
  client: fc.nat(clients - 1),
})
const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: byClient },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('advance'),
        ms: fc.constantFrom(0, 1, 1000, 3000, 7000, 20_000),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('settle'),
        clients: fc.uniqueArray(fc.nat(clients - 1), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('failOver', 'deleteGroup', 'removeInstance', 'forgetTopic'),
      }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 150 },
)

/** A client that keeps what it was told, as real ones do, and sends whatever it is told to at any moment. */
class Player extends Client {
  #join: Call<JoinReply> | undefined
  #isSentBack = false
  absorb(): void {
    const call = this.#join
    if (call === undefined || call.isOpen) return
    this.#join = undefined
    if (call.reply?.type === 'joined') this.accept(call)
    else if (call.reply?.type === 'memberIdRequired') this.memberId = call.reply.memberId
    else if (call.refused !== 'REBALANCE_IN_PROGRESS' && call.refused !== 'NOT_COORDINATOR') this.restart()
  }

  restart(): void {
    this.#join = undefined
    this.memberId = ''
    this.generation = -1
    this.isLeader = false
    this.roster = []
  }

  /** What a consumer's poll loop does. */
  behave(): void {
    this.absorb()
    if (this.#join?.isOpen) return
    const { refused } = this.heartbeat()
    if (refused === undefined) {
      this.sync()
      return
    }
    if (refused === 'UNKNOWN_MEMBER_ID' && !this.#isSentBack) this.restart()
    this.#join = this.joinOnce()
    this.#isSentBack = this.#join.reply?.type === 'memberIdRequired'
    this.absorb()
  }

  play(step: Extract<Step, { client: number }>): void {
    switch (step.do) {
      case 'join':
        this.#join = this.joinOnce()
        return
      case 'sync':
        this.sync()
        return
      case 'heartbeat':
        this.heartbeat()
        return
      case 'leave':
        this.leave()
        return
      case 'commit':
        this.commit('t', step.client, this.generation + 1)
        return
      case 'restart':
        this.restart()
        return
      case 'change':
        this.traits.metadata = Buffer.from(`changed at ${this.stage.nowMs}`)
    }
  }
}

/** Who was told to lead a generation, and how far generations have come: both since the last election. */
class Watch {
  readonly #leaders = new Map<number, string>()
  #generation = -1

  constructor(readonly stage: Stage) {}

  /** A static member keeps its place under a new id: what counts is the instance before the last dash. */
  leads(memberId: string, generation: number): void {
    const place = memberId.startsWith('i') ? memberId.replace(/-\d+$/, '') : memberId
    assert.equal(this.#leaders.get(generation) ?? place, place, 'one leader in a generation')
    this.#leaders.set(generation, place)
  }

  look(): void {
    const group = this.stage.state.live.get('g')
    const generation = group?.generation ?? this.stage.state.groups.get('g')?.membership.generation
    if (generation === undefined) {
      this.forget()
      return
    }
    assert.ok(generation >= this.#generation, 'generations only grow')
    this.#generation = generation
    if (group?.phase !== 'Stable') return
    for (const { assignment } of group.members.values()) {
      assert.ok(
        assignment.toString().endsWith(`@${generation}`),
        'an assignment by the leader of this generation',
      )
    }
  }

  /** An election, or the group is gone: the last replicated generation goes on, or the count starts anew. */
  forget(): void {
    this.#leaders.clear()
    this.#generation = -1
  }
}

t.test('whatever clients do', async (t) => {
  let stable = 0
  const property = fc.property(steps, fc.integer({ min: 3, max: 9 }), (steps, version) => {
    const stage = new Stage({ groupMaxSize: 4 })
    const watch = new Watch(stage)
    const players = Array.from({ length: clients }, (_, index) => {
      const isStatic = index % 3 === 0
      const name = `c${index}`
      return new Player(stage, name, {
        version,
        sessionTimeoutMs: 6000 + index * 1000,
        rebalanceTimeoutMs: 5000 + index * 5000,
        protocols: index % 2 === 0 ? ['range', 'sticky'] : ['sticky', 'range'],
        ...(isStatic ? { instanceId: `i${index}` } : {}),
      })
    })
    for (const step of [{ do: 'settle', clients: [0, 1, 2, 3] } as const, ...steps]) {
      perform(stage, watch, players, step)
      for (const player of players) {
        const before = player.generation
        player.absorb()
        if (player.isLeader && player.generation !== before) watch.leads(player.memberId, player.generation)
      }
      watch.look()
      if (stage.state.live.get('g')?.phase === 'Stable') stable++
      const waiting = [...(stage.state.live.get('g')?.members.values() ?? [])].filter(
        (m) => m.waiting !== null,
      )
      assert.equal(stage.waiting, waiting.length, 'who has not been answered is waiting for something')
    }
    stage.checkReplica()
    stage.advance(2_000_000)
    assert.equal(stage.waiting, 0, 'in the end everybody is answered')
    assert.equal(stage.state.live.size, 0, 'and a group that all have left is empty')
    stage.checkReplica()
    stage.advance(8 * 86_400_000)
    assert.equal(stage.state.groups.size, 0, 'and forgotten after a week')
  })
  fc.assert(property, { numRuns: 200 })
  t.ok(stable > 200, `the steps reached a stable group ${stable} times`)
})

function perform(stage: Stage, watch: Watch, players: readonly Player[], step: Step): void {
  switch (step.do) {
    case 'advance':
      stage.advance(step.ms)
      return
    case 'settle':
      for (let rounds = 0; rounds < 12; rounds++) {
        for (const client of step.clients) players[client]?.behave()
        stage.advance(3000)
      }
      return
    case 'failOver':
      stage.checkReplica()
      stage.failOver()
      watch.forget()
      return
    case 'deleteGroup':
      stage.ask({ type: 'deleteGroup', groupId: 'g' })
      return
    case 'removeInstance':
      stage.ask({ type: 'leave', groupId: 'g', members: [{ memberId: '', instanceId: 'i0' }] })
      return
    case 'forgetTopic':
      stage.ask({ type: 'forgetTopics', names: ['t'] })
      return
    default:
      players[step.client]?.play(step)
  }
}
