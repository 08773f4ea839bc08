/**
 * Every short history of a quorum whose voters change: in each step some members reach each other and nobody else, and one of
 * them stands for election, begins a change, or goes on with what it has; what it sets off comes to its end among them, or only as far
 * as the first messages, so that they act and nobody hears of it. Histories that have led to the same state go on as one.
 *
 * Time never helps: nobody waits, no leader gives up by itself, and no vote is refused because a leader was heard.
 */
import assert from 'node:assert/strict'
import type { Envelope } from '../../src/raft/message.ts'
import { describeMembership } from './describe.ts'
import { type Disk, describeEntries, type Entry, Member } from './member.ts'

export interface Scope {
  readonly voters: readonly number[]
  /** Are there, and no voters at first. */
  readonly others: readonly number[]
  /** What the voters may be changed to, by any leader at any time. */
  readonly targets: readonly (readonly number[])[]
  readonly steps: number
  readonly epochs: number
}

interface Step {
  readonly reachable: readonly number[]
  readonly who: number
  /** null: go on; -1: campaign; else the index of a target. */
  readonly what: number | null
  readonly isCutShort: boolean
}

export interface Explored {
  readonly states: number
  readonly histories: number
  /** Leaders that were seen, in how many states of a joint configuration. */
  readonly joint: number
  readonly committedChanges: number
}

const settings = {
  electionTimeoutMs: 1e9,
  heartbeatMs: 1,
  appendBytesMax: 1000,
  inflightBytesMax: 1000,
  inflightAppendsMax: 4,
}

export function explore(scope: Scope): Explored {
  const ids = [...scope.voters, ...scope.others]
  const seen = new Set<string>()
  // The first voter leads, and all have its epoch.
  let frontier: Step[][] = [[{ reachable: ids, who: ids[0] ?? 0, what: -1, isCutShort: false }]]
  const explored = { states: 0, histories: 0, joint: 0, committedChanges: 0 }
  for (let length = 0; length <= scope.steps; length++) {
    const next: Step[][] = []
    for (const history of frontier) {
      const world = new SmallWorld(scope)
      for (const step of history) world.step(step)
      explored.histories++
      const state = world.describe()
      if (seen.has(state)) continue
      seen.add(state)
      explored.states++
      if (world.isJoint) explored.joint++
      if (world.hasCommittedChange) explored.committedChanges++
      if (length < scope.steps) for (const step of world.possible(ids)) next.push([...history, step])
    }
    frontier = next
  }
  return explored
}

class SmallWorld {
  readonly #scope: Scope
  readonly #members = new Map<number, Member>()
  readonly #leaders = new Map<number, number>()
  readonly #committed = new Map<number, Entry>()
  #nowMs = 0

  constructor(scope: Scope) {
    this.#scope = scope
    for (const id of [...scope.voters, ...scope.others]) {
      const disk: Disk = { entries: [], ballot: { epoch: 0, votedFor: -1 } }
      const options = { id, voters: scope.voters, settings, random: () => 0, appendEntriesMax: 100 }
      this.#members.set(id, new Member(options, disk, 0))
    }
  }

  get isJoint(): boolean {
    return [...this.#members.values()].some(
      ({ raft }) => raft.role === 'leader' && raft.membership.outgoing.length > 0,
    )
  }

  get hasCommittedChange(): boolean {
    return [...this.#committed.values()].some(({ membership }) => membership?.outgoing.length === 0)
  }

  possible(ids: readonly number[]): Step[] {
    const { targets, epochs } = this.#scope
    const steps: Step[] = []
    for (let bits = 1; bits < 2 ** ids.length; bits++) {
      const reachable = ids.filter((_, index) => (bits >> index) % 2 === 1)
      for (const who of reachable) {
        const { role, epoch, isReady, change } = this.#member(who).raft
        const add = (what: number | null): void => {
          steps.push({ reachable, who, what, isCutShort: false })
          if (reachable.length > 1) steps.push({ reachable, who, what, isCutShort: true })
        }
        if (role !== 'leader') {
          if (epoch < epochs) add(-1)
          continue
        }
        if (reachable.length > 1) add(null)
        if (isReady && change === 'none') for (const index of targets.keys()) add(index)
      }
    }
    return steps
  }

  step({ reachable, who, what, isCutShort }: Step): void {
    this.#nowMs += 10
    const { raft } = this.#member(who)
    if (what === -1) {
      // As if its leader had asked for it: so no vote is refused because a leader was heard.
      raft.step({
        type: 'receive',
        from: raft.leaderId,
        message: { type: 'timeoutNow', epoch: raft.epoch },
        nowMs: this.#nowMs,
      })
    } else {
      for (const peer of this.#members.keys()) raft.step({ type: 'peerLost', peer })
      if (what !== null) {
        raft.step({ type: 'changeVoters', voters: this.#scope.targets[what] ?? [], nowMs: this.#nowMs })
      }
      raft.step({ type: 'tick', nowMs: this.#nowMs })
    }
    this.#run(reachable, isCutShort ? 1 : 40)
    // A newcomer that was not reached is not waited for.
    if (raft.change === 'waiting') raft.step({ type: 'abandonChange' })
    this.#run([], 1)
  }

  /** The same for two histories after which everybody will do the same. */
  describe(): string {
    return [...this.#members.values()]
      .map(({ id, raft, entries }) => {
        const { role, epoch, votedFor, highWatermark, isReady } = raft
        const log = entries.map(
          (entry) =>
            `${describeEntries([entry])}${entry.membership === undefined ? '' : describeMembership(entry.membership)}`,
        )
        return `${id} ${role} ${isReady} ${epoch} ${votedFor} ${highWatermark} ${log.join(' ')}`
      })
      .join('; ')
  }

  #run(reachable: readonly number[], roundsMax: number): void {
    let posted: (Envelope<readonly Entry[]> & { from: number })[] = []
    for (let round = 0; round <= roundsMax; round++) {
      const arriving = posted
      posted = []
      for (const { from, to, message } of arriving) {
        if (reachable.includes(from) && reachable.includes(to))
          this.#member(to).receive(from, message, this.#nowMs)
      }
      for (const [from, member] of this.#members) {
        for (let worked = true; worked; ) {
          for (const envelope of member.turn()) posted.push({ from, ...envelope })
          worked = member.wantsBallot || member.wantsSync
          if (member.wantsBallot)
            for (const envelope of member.endBallot(this.#nowMs)) posted.push({ from, ...envelope })
          if (member.wantsSync) member.endSync()
        }
        this.#check(member)
      }
      if (posted.length === 0) return
    }
  }

  #check({ id, raft, entries }: Member): void {
    if (raft.role === 'leader') {
      const known = this.#leaders.get(raft.epoch) ?? id
      assert.equal(known, id, `two leaders in epoch ${raft.epoch}: ${this.describe()}`)
      this.#leaders.set(raft.epoch, id)
    }
    for (const entry of entries) {
      if (entry.at >= raft.highWatermark) break
      const known = this.#committed.get(entry.at) ?? entry
      assert.equal(describeEntries([known]), describeEntries([entry]), `two histories: ${this.describe()}`)
      this.#committed.set(entry.at, entry)
    }
  }

  #member(id: number): Member {
    const member = this.#members.get(id)
    assert.ok(member !== undefined)
    return member
  }
}
