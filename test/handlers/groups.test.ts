/** The APIs of groups over the wire format, version by version. */
import fc from 'fast-check'
import t from 'tap'
import { Malformed } from '../../src/base/bytes.ts'
import { errorCode } from '../../src/base/error-codes.ts'
import { Refused } from '../../src/base/errors.ts'
import { groupPartition } from '../../src/broker/coordinators.ts'
import { DeleteGroups } from '../../src/protocol/apis/delete-groups.ts'
import { DescribeGroups } from '../../src/protocol/apis/describe-groups.ts'
import { FindCoordinator } from '../../src/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../src/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../../src/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../src/protocol/apis/leave-group.ts'
import { ListGroups } from '../../src/protocol/apis/list-groups.ts'
import { OffsetCommit } from '../../src/protocol/apis/offset-commit.ts'
import { OffsetDelete } from '../../src/protocol/apis/offset-delete.ts'
import { OffsetFetch } from '../../src/protocol/apis/offset-fetch.ts'
import { SyncGroup } from '../../src/protocol/apis/sync-group.ts'
import type { AnyApi } from '../../src/protocol/notation.ts'
import { frameOf } from '../server/fixture.ts'
import { startGroups } from './groups-fixture.ts'

type Fixture = ReturnType<typeof startGroups>
const versionsOf = ({ min, max }: AnyApi) => Array.from({ length: max - min + 1 }, (_, step) => min + step)

const join = (version: number, memberId = '', more: object = {}) => ({
  groupId: 'g',
  sessionTimeoutMs: 10_000,
  memberId,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
  ...(version >= 1 ? { rebalanceTimeoutMs: 30_000 } : {}),
  ...(version >= 5 ? { groupInstanceId: null } : {}),
  ...more,
})

/** One member of 'g', in the version's own way, with its assignment. */
async function stableMember(groups: Fixture, version = 9, more: object = {}): Promise<string> {
  await groups.ensure()
  let memberId = ''
  if (version >= 4 && !('groupInstanceId' in more)) {
    memberId = (await groups.ask(JoinGroup, version, join(version, '', more))).memberId
  }
  const joining = groups.ask(JoinGroup, version, join(version, memberId, more))
  groups.advance(3000)
  const joined = await joining
  await groups.ask(SyncGroup, 3, {
    groupId: 'g',
    generationId: joined.generationId,
    memberId: joined.memberId,
    assignments: [{ memberId: joined.memberId, assignment: Buffer.from('mine') }],
    ...('groupInstanceId' in more ? more : { groupInstanceId: null }),
  } as never)
  return joined.memberId
}

t.test('JoinGroup and SyncGroup in every version', async (t) => {
  for (const version of versionsOf(JoinGroup)) {
    const groups = startGroups()
    await groups.ensure()
    let memberId = ''
    if (version >= 4) {
      const sentBack = await groups.ask(JoinGroup, version, join(version))
      t.equal(sentBack.errorCode, errorCode('MEMBER_ID_REQUIRED'), `v${version} is sent back with an id`)
      memberId = sentBack.memberId
    }
    const joining = groups.ask(JoinGroup, version, join(version, memberId))
    groups.advance(3000)
    const joined = await joining
    t.match(joined, {
      errorCode: 0,
      generationId: 1,
      protocolName: 'range',
      protocolType: version >= 7 ? 'consumer' : null,
      leader: joined.memberId,
      members: [{ memberId: joined.memberId, metadata: Buffer.from('topics') }],
    })
    t.equal(
      groups.stages[0]?.state.live.get('g')?.members.get(joined.memberId)?.rebalanceTimeoutMs,
      version >= 1 ? 30_000 : 10_000,
    )
  }
  for (const version of versionsOf(SyncGroup)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    const synced = await groups.ask(SyncGroup, version, {
      groupId: 'g',
      generationId: 1,
      memberId,
      assignments: [],
      ...(version >= 3 ? { groupInstanceId: null } : {}),
      ...(version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}),
    } as never)
    t.match(synced, { errorCode: 0, assignment: Buffer.from('mine') })
    if (version >= 5) t.match(synced, { protocolType: 'consumer', protocolName: 'range' })
  }
})

t.test('refused joins and syncs can be encoded in every version', async (t) => {
  for (const version of versionsOf(JoinGroup)) {
    const groups = startGroups()
    const before = await groups.ask(JoinGroup, version, join(version))
    t.equal(before.errorCode, errorCode('COORDINATOR_NOT_AVAILABLE'), 'no topic of groups yet')
    await groups.ensure()
    const unknown = await groups.ask(JoinGroup, version, join(version, 'nobody'))
    t.match(unknown, {
      errorCode: errorCode('UNKNOWN_MEMBER_ID'),
      memberId: 'nobody',
      generationId: -1,
      members: [],
    })
    const unnamed = await groups.ask(JoinGroup, version, join(version, '', { groupId: '' }))
    t.equal(unnamed.errorCode, errorCode('INVALID_GROUP_ID'))
    const short = await groups.ask(JoinGroup, version, join(version, '', { sessionTimeoutMs: 1 }))
    t.equal(short.errorCode, errorCode('INVALID_SESSION_TIMEOUT'))
  }
  const groups = startGroups()
  const memberId = await stableMember(groups)
  const sync = (version: number, more: object) =>
    groups.ask(SyncGroup, version, {
      groupId: 'g',
      generationId: 1,
      memberId,
      assignments: [],
      ...more,
    } as never)
  const nameless = await sync(5, { groupInstanceId: null, protocolType: 'consumer', protocolName: null })
  t.equal(nameless.errorCode, errorCode('INCONSISTENT_GROUP_PROTOCOL'), 'version 5 names the protocol')
  t.equal((await sync(0, { generationId: 9 })).errorCode, errorCode('ILLEGAL_GENERATION'))
})

t.test('a member id is a string of the protocol, however long the name of the client', async (t) => {
  const groups = startGroups()
  await groups.ensure()
  const long = { groupInstanceId: 'i'.repeat(32_000) }
  const joining = groups.ask(JoinGroup, 9, join(9, '', long))
  groups.advance(3000)
  t.equal((await joining).errorCode, 0)
})

t.test('Heartbeat and LeaveGroup in every version', async (t) => {
  for (const version of versionsOf(Heartbeat)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    const beat = (generationId: number, groupId = 'g') =>
      groups.ask(Heartbeat, version, {
        groupId,
        generationId,
        memberId,
        ...(version >= 3 ? { groupInstanceId: null } : {}),
      } as never)
    t.equal((await beat(1)).errorCode, 0)
    t.equal((await beat(7)).errorCode, errorCode('ILLEGAL_GENERATION'))
    t.equal((await beat(1, '')).errorCode, errorCode('INVALID_GROUP_ID'))
  }
  for (const version of versionsOf(LeaveGroup)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    const leave = (id: string) =>
      groups.ask(
        LeaveGroup,
        version,
        (version < 3
          ? { groupId: 'g', memberId: id }
          : { groupId: 'g', members: [{ memberId: id, groupInstanceId: null }] }) as never,
      )
    const unknown = await leave('nobody')
    const left = await leave(memberId)
    if (version < 3) {
      t.equal(unknown.errorCode, errorCode('UNKNOWN_MEMBER_ID'))
      t.equal(left.errorCode, 0)
    } else {
      t.match(unknown, {
        errorCode: 0,
        members: [{ memberId: 'nobody', errorCode: errorCode('UNKNOWN_MEMBER_ID') }],
      })
      t.match(left, { errorCode: 0, members: [{ memberId, groupInstanceId: null, errorCode: 0 }] })
    }
    t.equal(groups.stages[0]?.phase(), 'Empty')
    t.match(groups.events.at(-1), { event: 'group.leave', memberId })
  }
})

t.test('OffsetCommit and OffsetFetch in every version', async (t) => {
  for (const version of versionsOf(OffsetCommit)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    const commit = (generation: number, member = memberId) =>
      groups.ask(OffsetCommit, version, {
        groupId: 'g',
        generationIdOrMemberEpoch: generation,
        memberId: member,
        topics: [
          {
            name: 'events',
            partitions: [0, 2, 3, -1].map((partitionIndex) => ({
              partitionIndex,
              committedOffset: 40 + partitionIndex,
              committedMetadata: partitionIndex === 0 ? null : 'note',
              ...(version >= 6 ? { committedLeaderEpoch: 5 } : {}),
            })),
          },
          { name: 'missing', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
        ],
        ...(version < 5 ? { retentionTimeMs: -1 } : {}),
        ...(version >= 7 ? { groupInstanceId: null } : {}),
      } as never)
    const codes = async (response: ReturnType<typeof commit>) =>
      (await response).topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
    const unknown = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
    t.strictSame(await codes(commit(1)), [[0, 0, unknown, unknown], [unknown]], `v${version}`)
    const stale = errorCode('ILLEGAL_GENERATION')
    t.strictSame(await codes(commit(0)), [[stale, stale, unknown, unknown], [unknown]])
  }
  for (const version of versionsOf(OffsetFetch)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    await groups.ask(OffsetCommit, 9, {
      groupId: 'g',
      generationIdOrMemberEpoch: 1,
      memberId,
      groupInstanceId: null,
      topics: [
        {
          name: 'events',
          partitions: [
            { partitionIndex: 1, committedOffset: 42, committedLeaderEpoch: 5, committedMetadata: 'note' },
          ],
        },
      ],
    })
    const asked = [
      { name: 'events', partitionIndexes: [0, 1] },
      { name: 'missing', partitionIndexes: [0] },
    ]
    const fetch = (topics: typeof asked | null) =>
      groups.ask(
        OffsetFetch,
        version,
        (version >= 8
          ? {
              groups: [
                { groupId: 'g', topics },
                { groupId: 'other', topics },
              ],
              requireStable: true,
            }
          : { groupId: 'g', topics, ...(version >= 7 ? { requireStable: true } : {}) }) as never,
      )
    const topicsOf = (response: Awaited<ReturnType<typeof fetch>>) =>
      version >= 8 ? (response.groups[0]?.topics ?? []) : response.topics
    const offsets = topicsOf(await fetch(asked)).map(({ partitions }) =>
      partitions.map(({ committedOffset, errorCode, metadata }) => [committedOffset, errorCode, metadata]),
    )
    t.strictSame(
      offsets,
      [
        [
          [-1, 0, ''],
          [42, 0, 'note'],
        ],
        [[-1, 0, '']],
      ],
      `v${version}: none is -1 without an error`,
    )
    if (version >= 5) t.equal(topicsOf(await fetch(asked))[0]?.partitions[1]?.committedLeaderEpoch, 5)
    if (version >= 2) {
      const all = topicsOf(await fetch(null))
      t.match(all, [{ name: 'events', partitions: [{ partitionIndex: 1, committedOffset: 42 }] }])
    }
    const [executor] = groups.executors
    if (executor !== undefined) executor.refused = new Refused('NOT_COORDINATOR')
    const refused = await fetch(asked)
    const moved = errorCode('NOT_COORDINATOR')
    if (version === 1) t.match(refused.topics[0]?.partitions[0], { committedOffset: -1, errorCode: moved })
    else if (version < 8) t.match(refused, { errorCode: moved, topics: [] })
    else t.match(refused.groups, [{ groupId: 'g', errorCode: moved }, { groupId: 'other' }])
  }
})

t.test('a commit for a group that is gone has the error that its version knows', async (t) => {
  const groups = startGroups()
  await groups.ensure()
  const commit = async (version: number) => {
    const response = await groups.ask(OffsetCommit, version, {
      groupId: 'gone',
      generationIdOrMemberEpoch: 3,
      memberId: 'm',
      groupInstanceId: null,
      topics: [
        { name: 'events', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
      ],
    })
    return response.topics[0]?.partitions[0]?.errorCode
  }
  t.equal(await commit(8), errorCode('ILLEGAL_GENERATION'))
  t.equal(await commit(9), errorCode('GROUP_ID_NOT_FOUND'))
})

t.test('OffsetDelete', async (t) => {
  const groups = startGroups()
  await groups.ensure()
  const remove = (groupId: string, ...topics: string[]) =>
    groups.ask(OffsetDelete, 0, {
      groupId,
      topics: topics.map((name) => ({ name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 3 }] })),
    })
  t.equal((await remove('none', 'missing')).errorCode, errorCode('GROUP_ID_NOT_FOUND'))
  t.equal((await remove('none', 'events')).errorCode, errorCode('GROUP_ID_NOT_FOUND'))
  await stableMember(groups)
  const { topics } = await remove('g', 'events', 'missing')
  const unknown = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  t.strictSame(
    topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
    [
      [errorCode('GROUP_SUBSCRIBED_TO_TOPIC'), unknown],
      [unknown, unknown],
    ],
  )
})

t.test('DescribeGroups, ListGroups and DeleteGroups in every version', async (t) => {
  for (const version of versionsOf(DescribeGroups)) {
    const groups = startGroups()
    const memberId = await stableMember(groups, 9, { groupInstanceId: 'i' })
    const { groups: described } = await groups.ask(DescribeGroups, version, {
      groups: ['g', 'none'],
      ...(version >= 3 ? { includeAuthorizedOperations: true } : {}),
    })
    t.match(described, [
      {
        errorCode: 0,
        groupState: 'Stable',
        protocolType: 'consumer',
        protocolData: 'range',
        members: [
          {
            memberId,
            groupInstanceId: version >= 4 ? 'i' : null,
            clientHost: '/127.0.0.1',
            memberMetadata: Buffer.from('topics'),
            memberAssignment: Buffer.from('mine'),
          },
        ],
        authorizedOperations: version >= 3 ? 3400 : -2147483648,
      },
      { errorCode: 0, groupId: 'none', groupState: 'Dead', members: [] },
    ])
  }
  for (const version of versionsOf(ListGroups)) {
    const groups = startGroups({}, { partitions: 3 })
    await stableMember(groups)
    const list = async (filters: object = {}) =>
      (await groups.ask(ListGroups, version, filters)).groups.map(({ groupId, groupState }) => [
        groupId,
        groupState,
      ])
    t.strictSame(await list(), [['g', version >= 4 ? 'Stable' : '']])
    if (version >= 4) t.strictSame(await list({ statesFilter: ['stable', 'Empty'] }), [['g', 'Stable']])
    if (version >= 4) t.strictSame(await list({ statesFilter: ['Empty'] }), [])
    if (version >= 5) t.strictSame(await list({ typesFilter: ['Classic'] }), [['g', 'Stable']])
    if (version >= 5) t.strictSame(await list({ typesFilter: ['consumer'] }), [])
  }
  for (const version of versionsOf(DeleteGroups)) {
    const groups = startGroups()
    const memberId = await stableMember(groups)
    const remove = async () =>
      (await groups.ask(DeleteGroups, version, { groupsNames: ['g', 'none'] })).results.map(
        ({ errorCode }) => errorCode,
      )
    t.strictSame(await remove(), [errorCode('NON_EMPTY_GROUP'), errorCode('GROUP_ID_NOT_FOUND')])
    await groups.ask(LeaveGroup, 0, { groupId: 'g', memberId })
    t.strictSame(await remove(), [0, errorCode('GROUP_ID_NOT_FOUND')])
  }
})

t.test(
  'FindCoordinator in every version makes the topic of the groups, and names who leads it',
  async (t) => {
    for (const version of versionsOf(FindCoordinator)) {
      const groups = startGroups()
      const find = (key: string, keyType = 0) =>
        groups.ask(
          FindCoordinator,
          version,
          (version < 4
            ? { key, ...(version >= 1 ? { keyType } : {}) }
            : { coordinatorKeys: [key], keyType }) as never,
        )
      const found = async (keyType = 0) => {
        const response = await find('g', keyType)
        return version < 4 ? response : response.coordinators[0]
      }
      t.match(await found(), { errorCode: 0, nodeId: 1, host: 'one.example', port: 9092 })
      t.equal(groups.led.length, 1)
      groups.leader.leaderId = 2
      t.match(
        await found(),
        { errorCode: 0, nodeId: 2, host: 'two.example', port: 9092 },
        'who leads coordinates',
      )
      for (const nobody of [-1, 3]) {
        groups.leader.leaderId = nobody
        t.match(await found(), { errorCode: errorCode('COORDINATOR_NOT_AVAILABLE'), nodeId: -1, port: -1 })
      }
      groups.leader.leaderId = 1
      if (version >= 1) {
        t.match(await found(1), {
          errorCode: errorCode('INVALID_REQUEST'),
          errorMessage: /transactions/,
          nodeId: -1,
        })
      }
    }
  },
)

t.test('groups are spread as in Kafka', async (t) => {
  t.equal(groupPartition('', 50), 0)
  t.equal(groupPartition('my-group', 50), 36)
  t.equal(groupPartition('größe', 50), 7)
  t.equal(groupPartition('polygenelubricants', 50), 0, 'the hash that is its own negative')
})

t.test('errors of the log reach consumers as those of a coordinator', async (t) => {
  const groups = startGroups()
  await groups.ensure()
  const beatAfter = async (refused: Refused) => {
    for (const executor of groups.executors) executor.refused = refused
    const request = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
    return (await groups.ask(Heartbeat, 4, request)).errorCode
  }
  t.equal(await beatAfter(new Refused('REQUEST_TIMED_OUT')), errorCode('COORDINATOR_NOT_AVAILABLE'))
  t.equal(await beatAfter(new Refused('NOT_LEADER_OR_FOLLOWER')), errorCode('NOT_COORDINATOR'))
})

t.test('the offsets of deleted topics are forgotten, also those missed by a crash', async (t) => {
  const groups = startGroups({}, { partitions: 2 })
  await groups.ensure()
  for (const groupId of ['a', 'b']) {
    await groups.ask(OffsetCommit, 2, {
      groupId,
      memberId: '',
      topics: [
        { name: 'events', partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }] },
      ],
    })
  }
  const committed = () =>
    groups.stages.flatMap(({ state }) => [...state.groups.values()].map((g) => g.offsets.size))
  const { coordinators } = groups.broker
  const forgetBut = async (isKnown: (name: string) => boolean) => {
    for (const coordinator of coordinators.all()) await coordinators.forgetTopicsBut(coordinator, isKnown)
  }
  await forgetBut((name) => name === 'events')
  t.strictSame(committed(), [1, 1])
  await forgetBut(() => false)
  t.strictSame(committed(), [0, 0])
})

t.test('damaged requests are answered or malformed, and the coordinator goes on', async (t) => {
  const member = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: 'i' }
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'x' }]
  const requests: readonly (readonly [AnyApi, object])[] = [
    [FindCoordinator, { key: 'g', keyType: 0, coordinatorKeys: ['g'] }],
    [JoinGroup, join(9)],
    [SyncGroup, { ...member, protocolType: 'consumer', protocolName: 'range', assignments: [] }],
    [Heartbeat, member],
    [LeaveGroup, { groupId: 'g', memberId: 'm', members: [{ memberId: 'm', groupInstanceId: 'i' }] }],
    [OffsetCommit, { groupId: 'g', memberId: '', topics: [{ name: 'events', partitions }] }],
    [OffsetFetch, { groupId: 'g', topics: [], groups: [{ groupId: 'g', topics: null }] }],
    [OffsetDelete, { groupId: 'g', topics: [{ name: 'events', partitions: [{ partitionIndex: 0 }] }] }],
    [DescribeGroups, { groups: ['g'] }],
    [ListGroups, {}],
    [DeleteGroups, { groupsNames: ['g'] }],
  ]
  for (const [api, request] of requests) {
    const groups = startGroups()
    await groups.ensure()
    const damage = fc.record({
      version: fc.constantFrom(...versionsOf(api)),
      bytes: fc.array(fc.tuple(fc.nat(200), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { maxLength: 4 }),
      cut: fc.option(fc.nat(200)),
    })
    let answered = 0
    const property = fc.asyncProperty(damage, async ({ version, bytes, cut }) => {
      const frame = Buffer.from(frameOf(api, version, suited(api, version, request) as never, 1).subarray(4))
      // The first eight bytes say where the frame goes: that is somebody else's test.
      for (const [at, byte] of bytes) if (8 + at < frame.length) frame[8 + at] = byte
      try {
        const answer = groups.send(frame.subarray(0, cut === null ? frame.length : Math.max(9, cut)))
        // Nobody who is parked waits for ever.
        groups.advance(10_000_000)
        await answer
        answered++
      } catch (error) {
        if (!(error instanceof Malformed)) throw error
      }
    })
    await fc.assert(property, { numRuns: 200 })
    t.ok(answered > 0, `${api.name}: ${answered} answers`)
    for (const stage of groups.stages) stage.checkReplica()
  }
})

/** Without the fields that the version lacks. */
function suited(api: AnyApi, version: number, request: object): object {
  const lacks: { readonly [name: string]: readonly string[] } = {
    FindCoordinator: version < 4 ? ['coordinatorKeys', ...(version < 1 ? ['keyType'] : [])] : ['key'],
    JoinGroup: version < 5 ? ['groupInstanceId'] : [],
    SyncGroup: version < 3 ? ['groupInstanceId'] : [],
    Heartbeat: version < 3 ? ['groupInstanceId'] : [],
    LeaveGroup: version < 3 ? ['members'] : ['memberId'],
    OffsetFetch: version < 8 ? ['groups'] : ['groupId', 'topics'],
  }
  const without = lacks[api.name] ?? []
  return Object.fromEntries(Object.entries(request).filter(([field]) => !without.includes(field)))
}
