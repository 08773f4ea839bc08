/** The consensus core: three members in memory, what a proposal costs from the leader's step to the high watermark of all. */
import type { Envelope } from '../../src/raft/message.ts'
import { Raft } from '../../src/raft/raft.ts'
import type { Micro } from './measure.ts'

/** All that an entry is here: how many units. */
type Units = number

const voters = [1, 2, 3]
const settings = {
  electionTimeoutMs: 1000,
  heartbeatMs: 100,
  appendBytesMax: 1 << 20,
  inflightBytesMax: 8 << 20,
  inflightAppendsMax: 16,
}

export function raftMicros(): Micro[] {
  const three = new Quorum(voters)
  const sole = new Quorum([1])
  return [
    { what: 'proposal to a quorum of three, committed everywhere', run: () => three.propose() },
    { what: 'proposal to a quorum of one', run: () => sole.propose() },
  ]
}

class Quorum {
  readonly #members: readonly Raft<Units>[]
  readonly #leader: Raft<Units>

  constructor(ids: readonly number[]) {
    const membership = { voters: ids, outgoing: [], disks: [], position: -1 }
    this.#members = ids.map(
      (id) =>
        new Raft<Units>({
          id,
          memberships: [membership],
          membershipsIn: () => [],
          ballot: { epoch: 0, votedFor: -1 },
          extents: { start: 0, startEpoch: 0, end: 0, durable: 0, epochs: [] },
          settings,
          random: () => 0.5,
          nowMs: 0,
        }),
    )
    const [first] = this.#members
    if (first === undefined) throw new Error('a quorum has members')
    this.#leader = first
    first.step({ type: 'campaign', nowMs: 0 })
    this.#settle()
    if (first.role !== 'leader') throw new Error('the first member leads')
  }

  propose(): void {
    this.#leader.step({ type: 'proposed', units: 1 })
    this.#settle()
    const { highWatermark, endPosition } = this.#leader
    if (highWatermark !== endPosition) throw new Error('what was proposed is committed')
  }

  /** Until nobody has anything to say. What is appended is durable at once. */
  #settle(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false
      for (const member of this.#members) {
        for (const { to, message } of drain(member)) {
          isMoving = true
          this.#members[to - 1]?.step({ type: 'receive', from: member.id, message, nowMs: 0 })
        }
      }
    }
  }
}

function drain(member: Raft<Units>): Envelope<Units>[] {
  const leaving: Envelope<Units>[] = []
  for (;;) {
    const { ballot, messages, promises, reads, operations } = member.ready()
    if (ballot !== null) member.step({ type: 'balloted', epoch: ballot.epoch, nowMs: 0 })
    if (operations.length > 0 || member.durablePosition < member.endPosition)
      member.step({ type: 'durable', position: member.endPosition, truncations: member.truncations })
    leaving.push(...messages, ...promises)
    for (const { to, from, epoch } of reads) {
      const until = member.endPosition
      member.step({ type: 'read', to, from, until, bytes: 1, entries: until - from, epoch })
    }
    if (
      ballot === null &&
      operations.length === 0 &&
      reads.length === 0 &&
      messages.length + promises.length === 0
    )
      return leaving
  }
}
