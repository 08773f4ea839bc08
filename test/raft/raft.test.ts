/** The arithmetic of the core against brute force, and what conversations cannot say. */
import t from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type EpochStart, Extents } from '../../src/raft/extents.ts'
import type { Membership } from '../../src/raft/membership.ts'
import type { Run } from '../../src/raft/message.ts'
import { majority, reached, tally } from '../../src/raft/quorum.ts'
import { Raft } from '../../src/raft/raft.ts'
import { type Entry, Member } from './member.ts'

const settings = {
  electionTimeoutMs: 1000,
  heartbeatMs: 100,
  appendBytesMax: 1000,
  inflightBytesMax: 1000,
  inflightAppendsMax: 4,
}

const range = (end: number): number[] => Array.from({ length: end }, (_, index) => index)

function simple(voters: readonly number[]): Membership {
  return { voters, outgoing: [], disks: [] }
}

t.test('majorities', async (t) => {
  const random = new SeededRandom(1)
  for (let round = 0; round < 2000; round++) {
    const count = 1 + random.below(7)
    const voters = Array.from({ length: count }, (_, index) => index + 1)
    const values = new Map(voters.map((voter) => [voter, random.below(6)]))
    const value = reached(simple(voters), (voter) => values.get(voter) ?? 0)
    const holders = (least: number) => voters.filter((voter) => (values.get(voter) ?? 0) >= least).length
    if (holders(value) * 2 <= count) t.fail(`${value} is not reached by a majority of ${[...values]}`)
    if (holders(value + 1) * 2 > count) t.fail(`more than ${value} is reached by ${[...values]}`)

    const answers = new Map<number, boolean>()
    for (const voter of voters) if (random.chance(0.7)) answers.set(voter, random.chance(0.5))
    const yes = [...answers.values()].filter(Boolean).length
    const open = count - answers.size
    const expected = yes * 2 > count ? 'won' : (yes + open) * 2 > count ? 'open' : 'lost'
    if (tally(simple(voters), answers) !== expected) t.fail(`${[...answers]} of ${count} is ${expected}`)
  }
  // Joint: a majority of each set for itself, whatever they share.
  for (let round = 0; round < 2000; round++) {
    const pick = () => [1, 2, 3, 4, 5, 6].filter(() => random.chance(0.5))
    const joint = { voters: [7, ...pick()], outgoing: [8, ...pick()], disks: [] }
    const values = new Map(range(9).map((voter) => [voter, random.below(6)]))
    const of = (voter: number) => values.get(voter) ?? 0
    const answers = new Map(
      range(9)
        .filter(() => random.chance(0.7))
        .map((voter) => [voter, random.chance(0.5)]),
    )
    const both = [simple(joint.voters), simple(joint.outgoing)]
    t.equal(reached(joint, of), Math.min(...both.map((one) => reached(one, of))))
    const outcomes = both.map((one) => tally(one, answers))
    const expected = outcomes.includes('lost') ? 'lost' : outcomes.includes('open') ? 'open' : 'won'
    if (tally(joint, answers) !== expected)
      t.fail(`${[...answers]} of ${JSON.stringify(joint)} is ${expected}`)
  }
  t.same([1, 2, 3, 4, 5, 6].map(majority), [1, 2, 2, 3, 3, 4])
})

t.test('extents say the same as a list with one epoch for each unit', async (t) => {
  const random = new SeededRandom(2)
  for (let round = 0; round < 60; round++) {
    let units: number[] = []
    let start = 0
    const extents = new Extents({ start: 0, startEpoch: 0, end: 0, durable: 0, epochs: [] })
    const before = (position: number): number => units[position - 1] ?? 0
    for (let step = 0; step < 20; step++) {
      const dice = random.float()
      if (dice < 0.6) {
        const epoch = Math.max(1, extents.lastEpoch + random.below(2))
        const width = 1 + random.below(4)
        extents.append(epoch, width)
        units.push(...Array.from({ length: width }, () => epoch))
      } else if (dice < 0.8 && extents.end > start) {
        const position = start + random.below(extents.end - start)
        extents.truncate(position)
        units = units.slice(0, position)
      } else {
        start = start + random.below(extents.end - start + 1)
        extents.trim(start)
      }
      const epochs = Array.from({ length: extents.end - start + 1 }, (_, at) =>
        extents.epochBefore(start + at),
      )
      t.same(
        epochs,
        epochs.map((_, at) => before(start + at)),
        { diagnostic: false },
      )
      const epoch = random.below(extents.lastEpoch + 2)
      const bound = start + random.below(extents.end - start + 1)
      let last = bound
      while (last >= start && before(last) > epoch) last--
      t.equal(extents.lastAtMost(epoch, bound), last < start ? -1 : last)

      const other = changed(units, random)
      const from = start + random.below(Math.min(extents.end, other.length) - start + 1 || 1)
      if (from > other.length) continue
      let parts = from
      while (parts < other.length && parts < units.length && other[parts] === units[parts]) parts++
      t.equal(extents.firstDifference(from, runsOf(other, from)), parts)
      t.same(extents.runs(bound, extents.end), runsOf(units, bound))
    }
    t.equal(extents.end, units.length)
  }
})

/** The same log with another tail of newer epochs. */
function changed(units: readonly number[], random: SeededRandom): number[] {
  const kept = units.slice(0, random.below(units.length + 1))
  const epoch = Math.max(units.at(-1) ?? 0, 1) + random.below(2)
  return [...kept, ...Array.from({ length: random.below(4) }, () => epoch)]
}

function runsOf(units: readonly number[], from: number): Run[] {
  const runs: Run[] = []
  for (let at = from; at < units.length; at++) {
    const epoch = units[at] ?? 0
    if (runs.at(-1)?.epoch === epoch) runs.pop()
    runs.push({ epoch, until: at + 1 })
  }
  return runs
}

function member(options: { voters: readonly number[]; epoch?: number; epochs?: EpochStart[]; end?: number }) {
  return new Raft<string>({
    id: 1,
    memberships: [{ ...simple(options.voters), position: -1 }],
    membershipsIn: () => [],
    ballot: { epoch: options.epoch ?? 0, votedFor: -1 },
    extents: {
      start: 0,
      startEpoch: 0,
      end: options.end ?? 0,
      durable: options.end ?? 0,
      epochs: options.epochs ?? [],
    },
    settings,
    random: () => 0,
    nowMs: 0,
  })
}

t.test('R-07, R-13: who has lost an election has voted all the same', async (t) => {
  const raft = member({ voters: [1, 2, 3] })
  const vote = { preVote: false, transfer: false, lastEpoch: 0, endPosition: 0 }
  raft.step({ type: 'campaign', nowMs: 0 })
  raft.step({
    type: 'receive',
    from: 2,
    nowMs: 0,
    message: { type: 'voteReply', epoch: 1, preVote: true, granted: true },
  })
  t.same(raft.ready().ballot, { epoch: 1, votedFor: 1 })
  for (const from of [2, 3]) {
    raft.step({
      type: 'receive',
      from,
      nowMs: 0,
      message: { type: 'voteReply', epoch: 1, preVote: false, granted: false },
    })
  }
  t.equal(raft.role, 'follower')
  raft.step({ type: 'receive', from: 2, nowMs: 0, message: { type: 'voteRequest', epoch: 1, ...vote } })
  t.match(raft.ready().promises.at(-1)?.message, { type: 'voteReply', granted: false })
  t.equal(raft.votedFor, 1)
})

t.test('R-13: a refusal of a newer epoch is no vote, nor is one of a stranger', async (t) => {
  const raft = member({ voters: [1, 2, 3] })
  const reply = { type: 'voteReply', preVote: false, granted: true } as const
  raft.step({ type: 'campaign', nowMs: 0 })
  raft.step({ type: 'receive', from: 2, nowMs: 0, message: { ...reply, epoch: 1, preVote: true } })
  raft.step({ type: 'balloted', epoch: 1, nowMs: 0 })
  raft.step({ type: 'receive', from: 9, nowMs: 0, message: { ...reply, epoch: 1 } })
  t.equal(raft.role, 'candidate', 'member 9 is no voter')
  raft.step({ type: 'receive', from: 2, nowMs: 0, message: { ...reply, epoch: 4 } })
  t.equal(raft.role, 'follower')
  t.equal(raft.epoch, 4)
})

t.test('a newer epoch in the log than in the ballot is a vote that is spent', async (t) => {
  const raft = member({ voters: [1, 2, 3], epoch: 3, epochs: [{ epoch: 5, from: 0 }], end: 2 })
  t.equal(raft.epoch, 5)
  raft.step({
    type: 'receive',
    from: 2,
    nowMs: 5000,
    message: {
      type: 'voteRequest',
      epoch: 5,
      preVote: false,
      transfer: false,
      lastEpoch: 5,
      endPosition: 9,
    },
  })
  t.match(raft.ready().promises.at(-1)?.message, { granted: false })
})

t.test('a sole voter needs no tick and writes no ballot', async (t) => {
  const raft = member({ voters: [1] })
  t.equal(raft.deadlineMs, Infinity)
  const { operations, ballot, messages, promises } = raft.ready()
  t.same(
    { operations, ballot, messages, promises },
    {
      operations: [{ type: 'epochStart', epoch: 1, leaderId: 1 }],
      ballot: null,
      messages: [],
      promises: [],
    },
  )
  t.equal(raft.role, 'leader')
  t.equal(raft.isReady, false)
  raft.step({ type: 'durable', position: 1, truncations: 0 })
  t.equal(raft.isReady, true)
  t.equal(raft.ready(), raft.ready(), 'nothing to say costs nothing')
})

t.test('who is no voter never campaigns', async (t) => {
  const raft = member({ voters: [2, 3] })
  raft.step({ type: 'tick', nowMs: 1e9 })
  raft.step({ type: 'campaign', nowMs: 1e9 })
  t.equal(raft.role, 'follower')
  t.equal(raft.deadlineMs, Infinity)
})

t.test('R-19: what is committed is not even looked at by a later append', async (t) => {
  const raft = member({ voters: [1, 2] })
  const append = {
    type: 'append',
    epoch: 1,
    from: 0,
    fromEpoch: 0,
    entries: 'E r',
    highWatermark: 2,
    attempt: 0,
  } as const
  const from = { type: 'receive', from: 2, nowMs: 0 } as const
  raft.step({ ...from, message: { ...append, runs: [{ epoch: 1, until: 2 }] } })
  raft.step({ type: 'durable', position: 2, truncations: 0 })
  t.equal(raft.highWatermark, 2)
  // A "leader" of a newer epoch that never saw them: it cannot have been elected.
  raft.step({ ...from, message: { ...append, epoch: 2, runs: [{ epoch: 2, until: 1 }] } })
  t.equal(raft.endPosition, 2, 'what lies below the high watermark is not even looked at')
  t.equal(raft.highWatermark, 2)
})

t.test('R-22: what was trimmed still knows the epoch before it', async (t) => {
  const raft = member({ voters: [1], epochs: [{ epoch: 3, from: 0 }], end: 5, epoch: 3 })
  raft.ready()
  raft.step({ type: 'durable', position: 6, truncations: 0 })
  raft.step({ type: 'trimmed', position: 6 })
  raft.step({ type: 'proposed', units: 2 })
  raft.step({ type: 'durable', position: 8, truncations: 0 })
  t.equal(raft.highWatermark, 8)
  t.equal(raft.epoch, 4)
})

t.test('a read for a follower that comes back after the log was trimmed is of no use', async (t) => {
  const raft = member({ voters: [1, 2], epochs: [{ epoch: 1, from: 0 }], end: 9, epoch: 1 })
  const from = { type: 'receive', from: 2, nowMs: 2000 } as const
  raft.step({ type: 'campaign', nowMs: 2000 })
  raft.step({ ...from, message: { type: 'voteReply', epoch: 2, preVote: true, granted: true } })
  raft.step({ type: 'balloted', epoch: 2, nowMs: 2000 })
  raft.step({ ...from, message: { type: 'voteReply', epoch: 2, preVote: false, granted: true } })
  // The follower holds five units of nine.
  raft.step({
    ...from,
    message: { type: 'conflict', epoch: 2, from: 9, position: 5, positionEpoch: 1, attempt: 0 },
  })
  raft.step({ ...from, message: { type: 'appended', epoch: 2, matched: 5, durable: 5 } })
  t.match(raft.ready().reads, [{ to: 2, from: 5 }])
  // It catches up another way, all is committed, and the log is trimmed before the read ends.
  raft.step({ type: 'durable', position: 10, truncations: 0 })
  raft.step({ ...from, message: { type: 'appended', epoch: 2, matched: 10, durable: 10 } })
  t.equal(raft.highWatermark, 10)
  raft.step({ type: 'trimmed', position: 8 })
  raft.step({ type: 'read', to: 2, from: 5, until: 10, bytes: 100, entries: 'units', epoch: 2 })
  t.notOk(raft.ready().messages.some(({ message }) => message.type === 'append' && message.from === 5))
})

t.test(
  'R-27: nothing touches a log that is being replaced; then it goes on from the new start',
  async (t) => {
    const raft = member({ voters: [1, 2], epochs: [{ epoch: 1, from: 0 }], end: 3, epoch: 1 })
    const from = { type: 'receive', from: 2, nowMs: 0 } as const
    const membership = { ...simple([1, 2]), position: -1 }
    const place = { epoch: 2, position: 10, positionEpoch: 2, offset: 8, start: 8, membership }
    const install = { type: 'install', ...place, size: 0, crc: 0, at: 0, piece: Buffer.alloc(0) } as const
    raft.step({ ...from, message: install })
    t.equal(raft.ready().pieces.length, 1)
    raft.step({ type: 'installing', nowMs: 0 })
    const runs = [{ epoch: 2, until: 5 }]
    const append = {
      type: 'append',
      epoch: 2,
      fromEpoch: 1,
      runs,
      entries: 'units',
      highWatermark: 0,
    } as const
    raft.step({ ...from, message: { ...append, from: 2, attempt: 0 } })
    raft.step({ ...from, message: install })
    raft.step({ type: 'campaign', nowMs: 0 })
    raft.step({ ...from, message: { type: 'timeoutNow', epoch: 2 } })
    const ready = raft.ready()
    t.same([ready.operations, ready.pieces, raft.role, raft.endPosition], [[], [], 'follower', 3])
    // A sync of the old log ends meanwhile; one that began before ends afterwards.
    const { truncations } = raft
    raft.step({ type: 'reset', position: 10, positionEpoch: 2, membership })
    raft.step({ type: 'durable', position: 12, truncations })
    t.same([raft.endPosition, raft.durablePosition, raft.highWatermark], [10, 10, 10])
    t.match(raft.ready().promises.at(-1)?.message, { type: 'appended', matched: 10, durable: 10 })
    raft.step({
      ...from,
      message: { ...append, from: 10, fromEpoch: 2, runs: [{ epoch: 2, until: 12 }], attempt: 0 },
    })
    t.equal(raft.endPosition, 12)
    // An image that is late.
    raft.step({ ...from, message: install })
    t.same([raft.ready().pieces, raft.endPosition], [[], 12])
  },
)

t.test('R-26: a million units that part are brought together in a few round trips', async (t) => {
  // Both have led in turn, and nobody heard of it: twenty epochs each, of 50,000 units.
  const logOf = (first: number): Entry[] => {
    const entries: Entry[] = [{ at: 0, units: 1, epoch: 1, label: 'E' }]
    for (let round = 0; round < 20; round++) {
      const epoch = first + 2 * round
      const at = 1 + round * 50_000
      entries.push({ at, units: 1, epoch, label: 'E' }, { at: at + 1, units: 49_999, epoch, label: 'x' })
    }
    return entries
  }
  const make = (id: number, first: number): Member => {
    const entries = logOf(first)
    const disk = { entries, ballot: { epoch: entries.at(-1)?.epoch ?? 0, votedFor: id } }
    const options = {
      id,
      voters: [1, 2],
      settings: { ...settings, inflightBytesMax: 1e9, inflightAppendsMax: 64 },
      random: () => 0.5,
      appendEntriesMax: 100,
    }
    return new Member(options, disk, 0)
  }
  const [one, two] = [make(1, 2), make(2, 3)]
  two.raft.step({ type: 'campaign', nowMs: 10_000 })
  let toFollower = 0
  for (let round = 0; round < 200 && two.raft.highWatermark < two.end; round++) {
    for (const [member, other] of [
      [two, one],
      [one, two],
    ] as const) {
      const leaving = [...member.turn(), ...member.endBallot(10_000)]
      if (member.wantsSync) member.endSync()
      leaving.push(...member.turn())
      for (const { message } of leaving) {
        if (message.type === 'append') toFollower++
        other.receive(member.id, message, 10_000)
      }
    }
  }
  t.equal(one.end, two.end)
  t.equal(two.raft.highWatermark, 1_000_002)
  t.comment(`${toFollower} appends and probes`)
  t.ok(toFollower <= 50, `${toFollower} appends and probes`)
})
