/** Conversations with the coordinator of a group, rule by rule (docs: the classic group protocol of Kafka), in virtual time. */
import t from 'tap'
import { encodeSubscription } from '../../../src/protocol/consumer-protocol.ts'
import { Client, Stage, stabilize } from './stage.ts'

const day = 86_400_000
const subscribed = (...topics: string[]) => encodeSubscription({ topics }, 0)

t.test('a new member is sent back with an id, and joins with that (KIP-394)', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const first = a.joinOnce().value
  t.match(first, { type: 'memberIdRequired', memberId: /^a-/ })
  t.equal(stage.phase(), 'Empty', 'an id that was given out is no member')
  a.memberId = first.memberId
  const join = a.joinOnce()
  t.ok(join.isOpen, 'the first generation waits for others')
  stage.advance(3000)
  const joined = a.accept(join)
  t.match(joined, { generation: 1, leader: a.memberId, protocol: 'range', protocolType: 'consumer' })
  t.strictSame(joined.members, [{ memberId: a.memberId, instanceId: null, metadata: Buffer.from('a:range') }])
})

t.test('clients before version 4 join at once, for they could not come back', async (t) => {
  const stage = new Stage()
  const old = new Client(stage, 'old', { version: 3 })
  const join = old.joinOnce()
  t.ok(join.isOpen)
  stage.advance(3000)
  t.match(old.accept(join).memberId, /^old-/)
})

t.test('a member id that nobody was given is unknown', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  a.memberId = 'made up'
  t.equal(a.joinOnce().refused, 'UNKNOWN_MEMBER_ID', 'without a group')
  stabilize(new Client(stage, 'b'))
  t.equal(a.joinOnce().refused, 'UNKNOWN_MEMBER_ID', 'with one')
  t.equal(a.sync().refused, 'UNKNOWN_MEMBER_ID')
  t.equal(a.heartbeat().refused, 'UNKNOWN_MEMBER_ID')
})

t.test('a pending id is waited for, until it joins, leaves or is over (KAFKA-7909)', async (t) => {
  const start = () => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    stabilize(a)
    const late = new Client(stage, 'late', { sessionTimeoutMs: 20_000 })
    late.memberId = late.joinOnce().value.memberId
    const again = a.joinOnce()
    t.ok(again.isOpen, 'the rebalance waits for the pending id')
    return { stage, a, late, again }
  }
  const joining = start()
  const lateJoin = joining.late.joinOnce()
  t.equal(joining.a.accept(joining.again).members.length, 2)
  t.equal(joining.late.accept(lateJoin).generation, 2)

  const leaving = start()
  t.strictSame(leaving.late.leave().value.members[0]?.error, 'NONE')
  t.equal(leaving.a.accept(leaving.again).generation, 2, 'a pending id can leave')

  const expiring = start()
  expiring.stage.advance(19_999)
  t.ok(expiring.again.isOpen)
  expiring.stage.advance(1)
  t.equal(expiring.a.accept(expiring.again).generation, 2, 'a pending id expires with its session')
  t.equal(expiring.late.joinOnce().refused, 'UNKNOWN_MEMBER_ID')
})

t.test(
  'a group of which only pending ids are left becomes Empty, and they are its next members',
  async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    stabilize(a)
    const late = new Client(stage, 'late')
    late.memberId = late.joinOnce().value.memberId
    a.leave()
    t.equal(stage.phase(), 'Empty')
    const join = late.joinOnce()
    stage.advance(3000)
    t.equal(late.accept(join).generation, 3)
  },
)

t.test(
  'the delay of the first generation grows as long as members come, up to the rebalance time-out',
  async (t) => {
    const stage = new Stage()
    const clients = ['a', 'b', 'c', 'd'].map((name) => new Client(stage, name, { rebalanceTimeoutMs: 7000 }))
    const joins = clients.map((client) => {
      const join = client.join()
      stage.advance(2000)
      return join
    })
    t.ok(joins.every(({ isOpen }) => !isOpen) || stage.nowMs < 8000)
    stage.advance(3000)
    const generations = clients.map(
      (client, index) => client.accept(joins[index] ?? client.joinOnce()).generation,
    )
    t.strictSame(generations, [1, 1, 1, 1], 'all that came within 7 s share the first generation')

    const alone = new Stage()
    const only = new Client(alone, 'only')
    const join = only.join()
    alone.advance(2999)
    t.ok(join.isOpen)
    alone.advance(1)
    t.notOk(join.isOpen, 'nobody else came: one delay')
  },
)

t.test('only a group that was Empty waits for the delay', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  stabilize(a)
  const b = new Client(stage, 'b')
  const joinB = b.join()
  const joinA = a.joinOnce()
  t.notOk(joinA.isOpen || joinB.isOpen, 'all have joined: at once')
})

t.test('a session that is too short or too long is refused', async (t) => {
  const stage = new Stage()
  const refused = (sessionTimeoutMs: number) =>
    new Client(stage, 'a', { sessionTimeoutMs }).joinOnce().refused
  t.equal(refused(5999), 'INVALID_SESSION_TIMEOUT')
  t.equal(refused(1_800_001), 'INVALID_SESSION_TIMEOUT')
  t.equal(refused(6000), undefined)
  t.equal(refused(1_800_000), undefined)
})

t.test('the protocol is one that all speak, by vote; without one a member is refused', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a', { protocols: ['range', 'roundrobin', 'sticky'] })
  const b = new Client(stage, 'b', { protocols: ['sticky', 'roundrobin'] })
  const c = new Client(stage, 'c', { protocols: ['sticky', 'roundrobin', 'range'] })
  stabilize(a, b, c)
  t.equal(stage.ask({ type: 'describeGroup', groupId: 'g' }).value?.protocol, 'sticky', 'two votes to one')
  const other = new Client(stage, 'd', { protocols: ['range'] })
  t.equal(other.joinOnce().refused, 'INCONSISTENT_GROUP_PROTOCOL', 'not all speak range')
  const connect = new Client(stage, 'e', { protocolType: 'connect', protocols: ['sticky'] })
  t.equal(connect.joinOnce().refused, 'INCONSISTENT_GROUP_PROTOCOL', 'another type')
  const none = new Client(new Stage(), 'f', { protocols: [] })
  t.equal(none.joinOnce().refused, 'INCONSISTENT_GROUP_PROTOCOL', 'an empty group wants at least one')
})

t.test('the roster is for the leader alone; every member gets its own assignment', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b')
  const joinA = a.join()
  const joinB = b.join()
  stage.advance(6000)
  t.equal(a.accept(joinA).members.length, 2)
  t.equal(b.accept(joinB).members.length, 0)
  t.equal(b.generation, 1, 'one generation for one join phase')
  t.equal(stage.phase(), 'CompletingRebalance')
  const syncB = b.sync()
  t.ok(syncB.isOpen, 'a follower waits for the leader')
  const before = stage.changes
  const syncA = a.sync()
  t.equal(stage.changes, before + 1, 'the assignment is replicated once')
  t.equal(syncA.value.assignment.toString(), `${a.memberId}@1`)
  t.equal(syncB.value.assignment.toString(), `${b.memberId}@1`)
  t.strictSame(
    { type: syncB.value.protocolType, protocol: syncB.value.protocol },
    { type: 'consumer', protocol: 'range' },
  )
  t.equal(stage.phase(), 'Stable')
  t.equal(b.sync().value.assignment.toString(), `${b.memberId}@1`, 'and gets it again on request')
})

t.test('whom the leader leaves out gets no bytes, and no error', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b')
  const joins = [a.join(), b.join()] as const
  stage.advance(6000)
  a.accept(joins[0])
  b.accept(joins[1])
  a.roster = a.roster.filter(({ memberId }) => memberId === a.memberId)
  const syncB = b.sync()
  a.sync()
  t.equal(syncB.value.assignment.length, 0)
})

t.test('a sync is checked: generation, protocol, phase', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  stabilize(a)
  t.equal(a.sync({ type: 'consumer', name: 'range' }).refused, undefined)
  t.equal(a.sync({ type: 'connect', name: 'range' }).refused, 'INCONSISTENT_GROUP_PROTOCOL')
  t.equal(a.sync({ type: 'consumer', name: 'sticky' }).refused, 'INCONSISTENT_GROUP_PROTOCOL')
  a.generation--
  t.equal(a.sync().refused, 'ILLEGAL_GENERATION')
  a.generation++
  new Client(stage, 'b').join()
  t.equal(a.sync().refused, 'REBALANCE_IN_PROGRESS')
})

t.test('members that never sync are given up, be it the leader', async (t) => {
  const stage = new Stage()
  const traits = { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 30_000 }
  const a = new Client(stage, 'a', traits)
  const b = new Client(stage, 'b', traits)
  const joins = [a.join(), b.join()] as const
  stage.advance(6000)
  a.accept(joins[0])
  b.accept(joins[1])
  const sync = b.sync()
  stage.advance(20_000)
  t.equal(sync.refused, 'REBALANCE_IN_PROGRESS', 'the leader is out: again')
  t.equal(b.accept(b.joinOnce()).leader, b.memberId)
  t.equal(a.heartbeat().refused, 'UNKNOWN_MEMBER_ID')
})

t.test('a heartbeat hears where its group is', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b')
  stabilize(a, b)
  t.equal(a.heartbeat().reply, null, 'Stable')
  const join = a.joinOnce()
  t.equal(b.heartbeat().refused, 'REBALANCE_IN_PROGRESS', 'PreparingRebalance: join again')
  b.generation--
  t.equal(b.heartbeat().refused, 'ILLEGAL_GENERATION')
  const joinB = b.joinOnce()
  a.accept(join)
  b.accept(joinB)
  t.equal(stage.phase(), 'CompletingRebalance')
  t.equal(b.heartbeat().reply, null, 'CompletingRebalance')
})

t.test('a member that is silent for its session is out, and the others share anew', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b', { sessionTimeoutMs: 30_000 })
  stabilize(a, b)
  for (let beats = 0; beats < 10; beats++) {
    stage.advance(9999)
    t.equal(a.heartbeat().reply, null, 'heartbeats keep it')
    b.heartbeat()
  }
  stage.advance(10_000)
  t.equal(stage.phase(), 'PreparingRebalance')
  t.equal(b.heartbeat().refused, 'REBALANCE_IN_PROGRESS')
  t.equal(a.heartbeat().refused, 'UNKNOWN_MEMBER_ID')
  t.equal(b.accept(b.joinOnce()).members.length, 1)
})

t.test(
  'a member whose join or sync is parked is not expired; a new one is after five minutes (KAFKA-7610)',
  async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a', { rebalanceTimeoutMs: 3_600_000 })
    const b = new Client(stage, 'b', { rebalanceTimeoutMs: 3_600_000, sessionTimeoutMs: 1_800_000 })
    stabilize(a, b)
    const parked = a.joinOnce()
    stage.advance(1_000_000)
    t.ok(parked.isOpen, 'a session of 10 s, and still there after 1000')
    const fresh = new Client(stage, 'fresh')
    const join = fresh.join()
    stage.advance(299_999)
    t.ok(join.isOpen)
    stage.advance(1)
    t.equal(join.refused, 'UNKNOWN_MEMBER_ID', 'its client may be long gone')
    const joinB = b.joinOnce()
    t.equal(a.accept(parked).members.length, 2)
    b.accept(joinB)
    const sync = b.sync()
    for (let beats = 0; beats < 200; beats++) {
      stage.advance(9000)
      a.heartbeat()
    }
    t.ok(sync.isOpen, 'neither does a parked sync let the member expire')
    a.sync()
    t.equal(sync.value.assignment.toString(), `${b.memberId}@${b.generation}`)
  },
)

t.test(
  'the rebalance time-out is the longest of the members; dynamic ones that stay away are out',
  async (t) => {
    const stage = new Stage()
    const traits = { sessionTimeoutMs: 1_000_000 }
    const a = new Client(stage, 'a', { ...traits, rebalanceTimeoutMs: 10_000 })
    const b = new Client(stage, 'b', { ...traits, rebalanceTimeoutMs: 50_000 })
    stabilize(a, b)
    const join = a.joinOnce()
    stage.advance(49_999)
    t.ok(join.isOpen)
    stage.advance(1)
    t.equal(a.accept(join).members.length, 1)
    t.equal(b.heartbeat().refused, 'UNKNOWN_MEMBER_ID')
  },
)

t.test('a tiny rebalance time-out neither throws nor rings for ever', async (t) => {
  const stage = new Stage()
  const traits = { rebalanceTimeoutMs: 1, sessionTimeoutMs: 60_000 }
  const a = new Client(stage, 'a', { ...traits, instanceId: 'a' })
  const b = new Client(stage, 'b', traits)
  stabilize(a, b)
  b.leave()
  stage.advance(59_000)
  t.equal(stage.phase(), 'PreparingRebalance', 'waits for the static member')
  stage.advance(1000)
  t.equal(stage.phase(), 'Empty', 'whose session is over now')
})

t.test(
  'joining again in Stable: a follower with the same metadata is just told; a leader, or a change, rebalances',
  async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const b = new Client(stage, 'b')
    stabilize(a, b)
    const generation = b.generation
    t.match(b.joinOnce().value, { type: 'joined', generation, members: [] })
    t.equal(stage.phase(), 'Stable')
    b.traits.metadata = Buffer.from('other topics')
    const changed = b.joinOnce()
    t.ok(changed.isOpen)
    t.equal(stage.phase(), 'PreparingRebalance')
    const leader = a.joinOnce()
    a.accept(leader)
    b.accept(changed)
    a.sync()
    b.sync()
    t.equal(stage.phase(), 'Stable')
    t.ok(a.joinOnce().isOpen, 'a leader wants a new assignment')
  },
)

t.test(
  'a join that was answered and lost can be repeated while the group completes the rebalance',
  async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const join = a.join()
    stage.advance(3000)
    a.memberId = join.value.memberId
    const again = a.accept(a.joinOnce())
    t.match(again, { generation: 1 })
    t.equal(again.members.length, 1, 'the leader gets the roster again')
  },
)

t.test('a join while others sync sends them all back', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b')
  const joins = [a.join(), b.join()] as const
  stage.advance(6000)
  a.accept(joins[0])
  b.accept(joins[1])
  const sync = b.sync()
  b.traits.metadata = Buffer.from('changed')
  const joinB = b.joinOnce()
  t.equal(sync.refused, 'REBALANCE_IN_PROGRESS')
  const joinA = a.joinOnce()
  t.equal(a.accept(joinA).generation, 2)
  t.equal(b.accept(joinB).generation, 2)
})

t.test('a join that is sent again takes over; the one before is answered too', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const first = a.join()
  const second = a.joinOnce()
  t.equal(first.refused, 'REBALANCE_IN_PROGRESS')
  stage.advance(6000)
  t.equal(a.accept(second).generation, 1)
})

t.test('leaving: one rebalance for a list, with a verdict for each', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b', { instanceId: 'ib' })
  const c = new Client(stage, 'c')
  stabilize(a, b, c)
  const left = stage.ask({
    type: 'leave',
    groupId: 'g',
    members: [
      { memberId: '', instanceId: 'ib' },
      { memberId: c.memberId, instanceId: null },
      { memberId: 'nobody', instanceId: null },
      { memberId: '', instanceId: 'nobody' },
    ],
  })
  t.strictSame(
    left.value.members.map(({ error }) => error),
    ['NONE', 'NONE', 'UNKNOWN_MEMBER_ID', 'UNKNOWN_MEMBER_ID'],
  )
  t.equal(a.accept(a.joinOnce()).members.length, 1)
  t.equal(
    stage.ask({ type: 'leave', groupId: 'none', members: [{ memberId: 'x', instanceId: null }] }).value
      .members[0]?.error,
    'UNKNOWN_MEMBER_ID',
  )
})

t.test('a member that leaves while its join is parked hears of it', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  const join = a.join()
  a.leave()
  t.equal(join.refused, 'UNKNOWN_MEMBER_ID')
  stage.advance(3000)
  t.equal(stage.phase(), 'Empty')
})

t.test('the last to leave empties the group, and that is replicated', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  stabilize(a)
  a.leave()
  t.match(stage.replica.groups.get('g')?.membership, { generation: 2, protocolType: 'consumer', members: [] })
  t.equal(stage.state.live.size, 0, 'nothing of it stays in memory but its record')
  stabilize(new Client(stage, 'b'))
  t.equal(stage.replica.groups.get('g')?.membership.generation, 3, 'generations go on')
})

t.test('static members', async (t) => {
  t.test('leave nothing behind when they stop: no rebalance until their session is over', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a', { instanceId: 'ia', sessionTimeoutMs: 60_000 })
    const b = new Client(stage, 'b', { instanceId: 'ib', sessionTimeoutMs: 60_000 })
    stabilize(a, b)
    t.match(a.memberId, /^ia-/, 'named after the instance, and not sent back')
    stage.advance(59_000)
    a.heartbeat()
    t.equal(stage.phase(), 'Stable')
    stage.advance(1000)
    t.equal(stage.phase(), 'PreparingRebalance')
  })

  t.test('take their place again with a new id, without a rebalance, and fence the old one', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a', { instanceId: 'ia' })
    const b = new Client(stage, 'b', { instanceId: 'ib' })
    stabilize(a, b)
    const generation = b.generation
    const again = new Client(stage, 'b', { instanceId: 'ib' })
    const before = stage.changes
    t.match(again.accept(again.joinOnce()), { generation, skipAssignment: false, members: [] })
    t.equal(stage.changes, before + 1, 'the new id is replicated')
    t.not(again.memberId, b.memberId)
    t.equal(again.sync().value.assignment.toString(), `${b.memberId}@${generation}`, 'the old assignment')
    t.equal(again.heartbeat().reply, null)
    t.equal(b.heartbeat().refused, 'FENCED_INSTANCE_ID')
    t.equal(b.sync().refused, 'FENCED_INSTANCE_ID')
    t.equal(b.joinOnce().refused, 'FENCED_INSTANCE_ID')
    t.equal(b.commit('t', 0, 1).refused, 'FENCED_INSTANCE_ID')
    t.equal(b.leave().value.members[0]?.error, 'FENCED_INSTANCE_ID')
    stage.checkReplica()
  })

  t.test(
    'that led are told to skip the assignment; old clients are told that another leads (KIP-814)',
    async (t) => {
      for (const version of [9, 8]) {
        const stage = new Stage()
        const a = new Client(stage, 'a', { instanceId: 'ia', version })
        const b = new Client(stage, 'b', { instanceId: 'ib', version })
        stabilize(a, b)
        const again = new Client(stage, 'a', { instanceId: 'ia', version })
        const joined = again.accept(again.joinOnce())
        if (version === 9) {
          t.ok(joined.skipAssignment)
          t.equal(joined.leader, again.memberId)
          t.equal(joined.members.length, 2, 'it still learns who is there')
        } else {
          t.notOk(joined.skipAssignment)
          t.equal(joined.leader, a.memberId)
          t.equal(joined.members.length, 0)
        }
        t.equal(stage.phase(), 'Stable')
        t.ok(again.joinOnce().isOpen, 'it leads: a join of its own accord rebalances')
      }
    },
  )

  t.test('whose topics or protocol changed meanwhile cause a rebalance', async (t) => {
    const restart = (traits: { metadata?: Buffer; protocols?: string[] }) => {
      const stage = new Stage()
      const both = { protocols: ['range', 'sticky'] }
      const a = new Client(stage, 'a', { ...both, instanceId: 'ia', metadata: subscribed('x') })
      const b = new Client(stage, 'b', { ...both, instanceId: 'ib', metadata: subscribed('x', 'y') })
      stabilize(a, b)
      const again = new Client(stage, 'b', { ...both, instanceId: 'ib', ...traits })
      return again.joinOnce().isOpen
    }
    t.notOk(restart({ metadata: subscribed('y', 'x') }), 'the same topics in another order')
    t.notOk(
      restart({ metadata: encodeSubscription({ topics: ['x', 'y'], userData: Buffer.from('new') }, 0) }),
      'what an assignor remembers is lost in a restart',
    )
    t.ok(restart({ metadata: subscribed('x', 'z') }), 'other topics')
    t.ok(restart({ metadata: subscribed('x', 'y'), protocols: ['sticky'] }), 'another protocol')
  })

  t.test('are replaced in every phase; whoever waits with the old id is fenced (KAFKA-8500)', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const b = new Client(stage, 'b', { instanceId: 'ib' })
    const joinA = a.join()
    const joinB = b.join()
    const b2 = new Client(stage, 'b', { instanceId: 'ib' })
    const joinB2 = b2.join()
    t.equal(joinB.refused, 'FENCED_INSTANCE_ID', 'PreparingRebalance')
    stage.advance(9000)
    a.accept(joinA)
    b2.accept(joinB2)
    const syncB2 = b2.sync()
    const b3 = new Client(stage, 'b', { instanceId: 'ib' })
    const joinB3 = b3.join()
    t.equal(syncB2.refused, 'FENCED_INSTANCE_ID', 'CompletingRebalance')
    t.ok(joinB3.isOpen, 'the leader knows only the old id: again')
    const roster = a.accept(a.joinOnce()).members.map(({ memberId }) => memberId)
    t.ok(roster.includes(b3.accept(joinB3).memberId))
  })

  t.test('stay in a rebalance that they miss, until they do not sync either', async (t) => {
    const stage = new Stage()
    const traits = { sessionTimeoutMs: 600_000, rebalanceTimeoutMs: 20_000 }
    const a = new Client(stage, 'a', traits)
    const b = new Client(stage, 'b', { ...traits, instanceId: 'ib' })
    stabilize(a, b)
    const join = a.joinOnce()
    stage.advance(20_000)
    t.equal(a.accept(join).members.length, 2)
    a.sync()
    t.equal(stage.phase(), 'Stable')
    stage.advance(20_000)
    t.equal(a.accept(a.joinOnce()).members.length, 1)
  })

  t.test('need no new room in a full group', async (t) => {
    const stage = new Stage({ groupMaxSize: 1 })
    stabilize(new Client(stage, 'a', { instanceId: 'ia' }))
    t.equal(new Client(stage, 'b', { instanceId: 'ib' }).joinOnce().refused, 'GROUP_MAX_SIZE_REACHED')
    t.equal(new Client(stage, 'a', { instanceId: 'ia' }).joinOnce().refused, undefined)
  })
})

t.test('a group has no more members than allowed, nor more pending ids', async (t) => {
  const stage = new Stage({ groupMaxSize: 2 })
  const a = new Client(stage, 'a')
  const b = new Client(stage, 'b')
  stabilize(a, b)
  t.equal(new Client(stage, 'c').joinOnce().refused, 'GROUP_MAX_SIZE_REACHED')
  t.equal(a.heartbeat().reply, null, 'the others do not notice')
  const other = { groupId: 'other' }
  new Client(stage, 'd', other).joinOnce()
  new Client(stage, 'e', other).joinOnce()
  t.equal(new Client(stage, 'f', other).joinOnce().refused, 'GROUP_MAX_SIZE_REACHED')
  const few = new Stage({ groupsMax: 1 })
  new Client(few, 'a', { groupId: 'one' }).joinOnce()
  t.equal(new Client(few, 'a', { groupId: 'two' }).joinOnce().refused, 'POLICY_VIOLATION')
})

t.test('a limit that was lowered lets all join again and turns away the last', async (t) => {
  const stage = new Stage()
  const clients = ['a', 'b', 'c'].map((name) => new Client(stage, name))
  stabilize(...clients)
  Object.assign(stage.settings, { groupMaxSize: 2 })
  stage.failOver()
  t.equal(stage.phase(), 'PreparingRebalance')
  const [a, b, c] = clients.map((client) => client.joinOnce())
  t.equal(c?.refused, 'GROUP_MAX_SIZE_REACHED')
  t.notOk(a?.isOpen || b?.isOpen, 'and waits no longer for it')
})

t.test('offsets', async (t) => {
  const fetch = (stage: Stage, topic: string, ...partitions: number[]) =>
    stage
      .ask({ type: 'fetchOffsets', groupId: 'g', topics: [{ name: topic, partitions }] })
      .value.topics[0]?.partitions.map(({ offset }) => offset)

  t.test('come back as committed; what is not committed is -1, never 0 (R-40)', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    stabilize(a)
    a.commit('t', 1, 42, { metadata: 'note' })
    t.strictSame(stage.ask({ type: 'fetchOffsets', groupId: 'g', topics: null }).value.topics, [
      { name: 't', partitions: [{ index: 1, offset: 42, leaderEpoch: 7, metadata: 'note' }] },
    ])
    t.strictSame(fetch(stage, 't', 0, 1), [-1, 42])
    t.strictSame(fetch(stage, 'unknown', 0), [-1])
    stage.checkReplica()
  })

  t.test('are fenced by member and generation', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const b = new Client(stage, 'b')
    stabilize(a, b)
    t.equal(a.commit('t', 0, 1).refused, undefined)
    const zombie = new Client(stage, 'zombie')
    Object.assign(zombie, { memberId: 'gone', generation: a.generation })
    t.equal(zombie.commit('t', 0, 9).refused, 'UNKNOWN_MEMBER_ID')
    a.generation--
    t.equal(a.commit('t', 0, 9).refused, 'ILLEGAL_GENERATION')
    a.generation++
    const simple = new Client(stage, 'simple')
    t.equal(
      simple.commit('t', 0, 9).refused,
      'UNKNOWN_MEMBER_ID',
      'without membership only while it is Empty',
    )
    const joinA = a.joinOnce()
    t.equal(b.commit('t', 0, 2).refused, undefined, 'PreparingRebalance: before giving partitions away')
    b.joinOnce()
    a.accept(joinA)
    t.equal(a.commit('t', 0, 9).refused, 'REBALANCE_IN_PROGRESS', 'CompletingRebalance')
    t.strictSame(fetch(stage, 't', 0), [2])
    const none = new Client(stage, 'none', { groupId: 'none' })
    Object.assign(none, { memberId: 'x', generation: 3 })
    t.equal(none.commit('t', 0, 9).refused, 'GROUP_ID_NOT_FOUND')
  })

  t.test('of consumers without membership make a simple group', async (t) => {
    const stage = new Stage()
    t.equal(new Client(stage, 'simple').commit('t', 0, 5).refused, undefined)
    t.strictSame(fetch(stage, 't', 0), [5])
    t.strictSame(stage.ask({ type: 'listGroups' }).value, [
      { groupId: 'g', protocolType: '', phase: 'Empty' },
    ])
  })

  t.test('may carry so much text and no more', async (t) => {
    const stage = new Stage({ offsetMetadataMaxBytes: 10 })
    const simple = new Client(stage, 'simple')
    t.equal(
      simple.commit('t', 0, 5, { metadata: '0123456789' }).value.topics[0]?.partitions[0]?.error,
      'NONE',
    )
    const long = simple.commit('t', 0, 6, { metadata: '0123456789a' })
    t.equal(long.value.topics[0]?.partitions[0]?.error, 'OFFSET_METADATA_TOO_LARGE')
    t.strictSame(fetch(stage, 't', 0), [5])
  })

  t.test('a commit is a sign of life', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    stabilize(a)
    for (let commits = 0; commits < 5; commits++) {
      stage.advance(9000)
      t.equal(a.commit('t', 0, commits).refused, undefined)
    }
  })

  t.test('are deleted only of topics that nobody subscribes to (KIP-496)', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a', { metadata: subscribed('wanted') })
    stabilize(a)
    a.commit('wanted', 0, 1)
    a.commit('other', 0, 1)
    const deleted = stage.ask({
      type: 'deleteOffsets',
      groupId: 'g',
      topics: [
        { name: 'wanted', partitions: [0] },
        { name: 'other', partitions: [0, 5] },
      ],
    })
    const errors = deleted.value.topics.flatMap(({ partitions }) => partitions.map(({ error }) => error))
    t.strictSame(errors, ['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE', 'NONE'])
    t.strictSame([fetch(stage, 'wanted', 0), fetch(stage, 'other', 0)], [[1], [-1]])
    t.strictSame([...(stage.state.groups.get('g')?.offsets.keys() ?? [])], ['wanted'], 'and leave nothing')
    const ask = (groupId: string) =>
      stage.ask({ type: 'deleteOffsets', groupId, topics: [{ name: 'x', partitions: [0] }] })
    t.equal(ask('none').refused, 'GROUP_ID_NOT_FOUND')
    stabilize(new Client(stage, 'c', { groupId: 'connect', protocolType: 'connect' }))
    t.equal(ask('connect').refused, 'NON_EMPTY_GROUP')
    stabilize(new Client(stage, 'd', { groupId: 'odd', metadata: Buffer.from('no subscription') }))
    const odd = ask('odd').value.topics[0]?.partitions[0]?.error
    t.equal(odd, 'GROUP_SUBSCRIBED_TO_TOPIC', 'what cannot be read may want every topic')
    stage.checkReplica()
  })

  t.test('of a deleted topic are forgotten in every group', async (t) => {
    const stage = new Stage()
    new Client(stage, 'a').commit('gone', 0, 5)
    new Client(stage, 'b', { groupId: 'h' }).commit('gone', 0, 6)
    new Client(stage, 'b', { groupId: 'h' }).commit('kept', 0, 7)
    stage.ask({ type: 'forgetTopics', names: ['gone', 'unknown'] })
    t.strictSame(fetch(stage, 'gone', 0), [-1])
    t.strictSame([...(stage.state.groups.get('h')?.offsets.keys() ?? [])], ['kept'])
    const before = stage.changes
    stage.ask({ type: 'forgetTopics', names: ['gone'] })
    t.equal(stage.changes, before, 'nothing to replicate')
    stage.checkReplica()
  })

  t.test('expire (KIP-211)', async (t) => {
    const check = 600_000
    t.test('of a group without members, counted from when the last one left', async (t) => {
      const stage = new Stage()
      const a = new Client(stage, 'a')
      stabilize(a)
      a.commit('t', 0, 5)
      stage.advance(9000)
      a.leave()
      stage.advance(7 * day - 1000)
      t.strictSame(fetch(stage, 't', 0), [5])
      stage.advance(1000 + check)
      t.strictSame(fetch(stage, 't', 0), [-1])
      t.equal(stage.phase(), 'Dead', 'and the group with them')
      t.equal(stage.state.groups.size, 0)
      stage.checkReplica()
    })
    t.test('of a simple group each for itself, counted from its commit', async (t) => {
      const stage = new Stage()
      const simple = new Client(stage, 'simple')
      simple.commit('t', 0, 5)
      stage.advance(day)
      simple.commit('t', 1, 6)
      stage.advance(6 * day + check)
      t.strictSame(fetch(stage, 't', 0, 1), [-1, 6])
      stage.advance(day + check)
      t.equal(stage.phase(), 'Dead')
    })
    t.test('of a stable group only for topics that it no longer subscribes to', async (t) => {
      const stage = new Stage()
      const traits = { sessionTimeoutMs: 1_800_000 }
      const a = new Client(stage, 'a', { ...traits, metadata: subscribed('wanted') })
      stabilize(a)
      a.commit('wanted', 0, 1)
      a.commit('other', 0, 2)
      const b = new Client(stage, 'b', { ...traits, groupId: 'connect', protocolType: 'connect' })
      stabilize(b)
      b.commit('other', 0, 3)
      for (let hours = 0; hours < 7 * 24 + 1; hours++) {
        for (const half of [1, 2]) {
          t.equal(a.heartbeat().reply, null, { half })
          b.heartbeat()
          stage.advance(1_799_999)
        }
      }
      t.strictSame([fetch(stage, 'wanted', 0), fetch(stage, 'other', 0)], [[1], [-1]])
      t.ok(stage.state.groups.get('connect')?.offsets.has('other'), 'nobody knows what others subscribe to')
    })
    t.test('but a group that somebody is about to join stays', async (t) => {
      const stage = new Stage()
      const a = new Client(stage, 'a')
      stabilize(a)
      a.leave()
      stage.advance(check - 5000)
      const late = new Client(stage, 'late')
      late.memberId = late.joinOnce().value.memberId
      stage.advance(9000)
      t.ok(stage.state.groups.has('g'))
      stage.advance(check)
      t.equal(stage.phase(), 'Dead')
    })
    t.test('as the client wishes where it says so (OffsetCommit 2 to 4)', async (t) => {
      const stage = new Stage()
      const simple = new Client(stage, 'simple')
      simple.commit('t', 0, 5, { retentionMs: day })
      simple.commit('t', 1, 5, { retentionMs: 2 ** 63 })
      stage.advance(day + check)
      t.strictSame(fetch(stage, 't', 0, 1), [-1, 5])
      stage.advance(30 * day)
      t.strictSame(fetch(stage, 't', 1), [5])
      stage.checkReplica()
    })
    t.test('step by step when there are many', async (t) => {
      const stage = new Stage({ offsetsRetentionMs: day })
      for (let group = 0; group < 30; group++) {
        const partitions = Array.from({ length: 1000 }, (_, index) => ({
          index,
          offset: 1,
          leaderEpoch: -1,
          metadata: '',
        }))
        stage.ask({
          type: 'commitOffsets',
          groupId: `g${group}`,
          generation: -1,
          memberId: '',
          instanceId: null,
          retentionMs: null,
          topics: [{ name: 't', partitions }],
        })
      }
      stage.advance(day + check)
      t.equal(stage.state.groups.size, 0)
    })
  })
})

t.test('groups are described and listed; metadata only of a protocol that all have agreed on', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a', { instanceId: 'ia' })
  stabilize(a)
  const describe = () => stage.ask({ type: 'describeGroup', groupId: 'g' }).value
  t.match(describe(), {
    groupId: 'g',
    phase: 'Stable',
    protocolType: 'consumer',
    protocol: 'range',
    members: [
      {
        memberId: a.memberId,
        instanceId: 'ia',
        clientId: 'a',
        clientHost: '/127.0.0.1',
        metadata: Buffer.from('a:range'),
        assignment: Buffer.from(`${a.memberId}@1`),
      },
    ],
  })
  a.joinOnce()
  t.match(describe(), {
    phase: 'CompletingRebalance',
    protocol: '',
    members: [{ metadata: Buffer.alloc(0) }],
  })
  t.equal(stage.ask({ type: 'describeGroup', groupId: 'none' }).value, null)
  new Client(stage, 'simple', { groupId: 'h' }).commit('t', 0, 1)
  t.strictSame(stage.ask({ type: 'listGroups' }).value, [
    { groupId: 'h', protocolType: '', phase: 'Empty' },
    { groupId: 'g', protocolType: 'consumer', phase: 'CompletingRebalance' },
  ])
})

t.test('a group is deleted when it has no members', async (t) => {
  const stage = new Stage()
  const a = new Client(stage, 'a')
  stabilize(a)
  a.commit('t', 0, 5)
  const remove = () => stage.ask({ type: 'deleteGroup', groupId: 'g' })
  t.equal(remove().refused, 'NON_EMPTY_GROUP')
  a.leave()
  const late = new Client(stage, 'late')
  late.memberId = late.joinOnce().value.memberId
  t.equal(remove().reply, null)
  t.equal(remove().refused, 'GROUP_ID_NOT_FOUND')
  t.equal(late.joinOnce().refused, 'UNKNOWN_MEMBER_ID')
  t.equal(stage.state.live.size + stage.state.groups.size, 0)
  stage.checkReplica()
})

t.test('when the coordinator moves', async (t) => {
  t.test('a stable group goes on, with a whole session for everybody', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const b = new Client(stage, 'b')
    stabilize(a, b)
    a.commit('t', 0, 5)
    stage.advance(9000)
    stage.failOver()
    stage.advance(9000)
    t.equal(a.heartbeat().reply, null)
    t.equal(b.heartbeat().reply, null)
    t.equal(b.sync().value.assignment.toString(), `${b.memberId}@1`)
    t.equal(a.commit('t', 0, 6).refused, undefined)
    stage.advance(10_000)
    t.equal(stage.phase(), 'Empty', 'and no longer than that')
  })
  t.test('a generation that was being formed starts over, and nobody waits in vain', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a')
    const b = new Client(stage, 'b')
    stabilize(a)
    const joinB = b.join()
    a.accept(a.joinOnce())
    b.accept(joinB)
    const sync = b.sync()
    stage.failOver()
    t.equal(sync.refused, 'NOT_COORDINATOR')
    t.equal(b.sync().refused, 'UNKNOWN_MEMBER_ID')
    t.equal(a.sync().refused, 'ILLEGAL_GENERATION')
    a.generation = 1
    t.equal(a.heartbeat().reply, null, 'the last generation that had an assignment')
    stabilize(a)
    t.equal(a.generation, 2)
  })
  t.test('the topics of a stable group are known from its record', async (t) => {
    const stage = new Stage()
    const a = new Client(stage, 'a', { metadata: subscribed('wanted') })
    stabilize(a)
    a.commit('other', 0, 1)
    stage.failOver()
    const ask = (name: string) =>
      stage.ask({ type: 'deleteOffsets', groupId: 'g', topics: [{ name, partitions: [0] }] }).value.topics[0]
        ?.partitions[0]?.error
    t.strictSame([ask('wanted'), ask('other')], ['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE'])
  })
})

t.test('text that is too long to be kept is refused, not replicated', async (t) => {
  const stage = new Stage()
  const long = '\ufffd'.repeat(11_000)
  const refused = (traits: object) => new Client(stage, 'a', traits).joinOnce().refused
  t.equal(refused({ instanceId: long }), 'INVALID_REQUEST')
  t.equal(refused({ groupId: long }), 'INVALID_REQUEST')
  t.equal(refused({ protocols: [long] }), 'INVALID_REQUEST')
  t.equal(refused({ protocolType: long }), 'INVALID_REQUEST')
  t.equal(new Client(stage, 'a', { groupId: long }).commit('t', 0, 1).refused, 'INVALID_REQUEST')
  const wide = new Stage({ offsetMetadataMaxBytes: 1_000_000 })
  const committed = new Client(wide, 'a').commit('t', 0, 1, { metadata: long })
  t.equal(committed.value.topics[0]?.partitions[0]?.error, 'OFFSET_METADATA_TOO_LARGE')
})

t.test('a thousand members', async (t) => {
  const stage = new Stage()
  const clients = Array.from({ length: 1000 }, (_, index) => new Client(stage, `m${index}`, { version: 3 }))
  stabilize(...clients)
  t.ok(clients.every((client) => client.heartbeat().refused === undefined))
  t.equal(stage.state.alarms.size, 1, 'one alarm for all of them')
  stage.advance(10_000)
  t.equal(stage.phase(), 'Empty')
})
