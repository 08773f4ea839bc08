/**
 * What nobody in the cluster knows: every quorum seen as a whole, from outside. Who leads, what each disk holds durably, what was
 * ever committed; and what must hold of it after each turn of each member. The code under test knows nothing of it.
 *
 * A member is known by the folder of its log, in whose path its machine's name stands.
 */
import { isJoint, isVoter, members } from '../../src/raft/membership.ts'
import { Raft } from '../../src/raft/raft.ts'
import type { Entries } from '../../src/replica/entries.ts'
import { Member } from '../../src/replica/member.ts'
import type { Moment } from './faults.ts'
import {
  checkRestart,
  electableWithout,
  faultsOf,
  heldBy,
  misconfigured,
  overrated,
  type Quorum,
  regressions,
  type Seen,
} from './laws.ts'
import type { Recorder } from './recorder.ts'

/** Something that faults wait for. */
export interface Sight {
  readonly moment: Moment
  /** Whom it happened to. */
  readonly node: number
  /** Of the quorum. */
  readonly name: string
  readonly epoch: number
  /** In force there. */
  readonly voters: readonly number[]
}

export class Quorums {
  /** Told of what happens in quorums of several. */
  onSight: (sight: Sight) => void = () => {}
  readonly #recorder: Recorder
  readonly #quorums = new Map<string, Quorum>()
  readonly #wiped = new Set<number>()
  #unwatch: () => void = () => {}

  constructor(recorder: Recorder) {
    this.#recorder = recorder
  }

  /** Looks on from now on. */
  watch(): void {
    const { drain } = Member.prototype
    const { ready } = Raft.prototype
    const rafts = new WeakMap<Member, Raft<Entries>>()
    let draining: Member | null = null
    const after = (member: Member): void => {
      const raft = rafts.get(member)
      if (raft !== undefined) this.#look(member, raft)
    }
    Member.prototype.drain = function watched(this: Member): void {
      draining = this
      try {
        drain.call(this)
      } finally {
        draining = null
      }
      after(this)
    }
    Raft.prototype.ready = function watched(this: Raft<Entries>) {
      if (draining !== null) rafts.set(draining, this)
      return ready.call(this) as ReturnType<Raft<Entries>['ready']>
    } as typeof ready
    this.#unwatch = () => {
      Member.prototype.drain = drain
      Raft.prototype.ready = ready
    }
  }

  unwatch(): void {
    this.#unwatch()
  }

  /** Its process ends. What was durable stays known. */
  ended(node: number): void {
    for (const { seen } of this.#quorums.values()) {
      const one = seen.get(node)
      if (one === undefined) continue
      one.role = 'follower'
      one.isOver = true
    }
  }

  /** It runs on an empty disk, or on its own again. What it held is not lost: its disk is found in the end. */
  wiped(node: number, isWiped: boolean): void {
    if (isWiped) this.#wiped.add(node)
    else this.#wiped.delete(node)
  }

  unsynced(name: string): void {
    this.#quorum(name).isUnsynced = true
  }

  /** What a node leads together with others. */
  ledBy(node: number): string[] {
    return [...this.#quorums.values()]
      .filter(({ seen }) => {
        const one = seen.get(node)
        return one?.role === 'leader' && (one.member.voters.length > 1 || !one.member.voters.includes(node))
      })
      .map(({ name }) => name)
  }

  /** Who leads a quorum, by the newest epoch that was won; null for nobody. */
  leaderOf(name: string): Omit<Sight, 'moment'> | null {
    const quorum = this.#quorums.get(name)
    if (quorum === undefined) return null
    const epoch = Math.max(...quorum.leaders.keys())
    const node = quorum.leaders.get(epoch)
    const one = node === undefined ? undefined : quorum.seen.get(node)
    if (node === undefined || one === undefined) return null
    return { node, name, epoch, voters: one.raft.membership.voters }
  }

  /** Who led it before that epoch; -1 for nobody. */
  leaderBefore(name: string, epoch: number): number {
    const earlier = [...(this.#quorums.get(name)?.leaders ?? [])].filter(([one]) => one < epoch)
    return earlier.reduce((last, one) => (one[0] > last[0] ? one : last), [-1, -1])[1]
  }

  /** Where the log of a quorum begins on a node; it may have been closed since. */
  startOf(name: string, node: number): number {
    return this.#quorums.get(name)?.seen.get(node)?.member.log.start ?? 0
  }

  /** What is not at rest: a quorum without a leader, a voter of it whose log is not all committed, or that is behind. */
  restless(isAlive: (node: number) => boolean): string | null {
    for (const { name, seen } of this.#quorums.values()) {
      const live = [...seen].filter(([node]) => isAlive(node))
      const leader = live.find(([, { role }]) => role === 'leader')?.[1]
      if (leader === undefined) {
        if (canElect(live.map(([, one]) => one))) return `${name} has not elected anybody yet`
        // Deleted, or offline: nobody can read it, either.
        continue
      }
      const end = leader.raft.endPosition
      for (const voter of leader.raft.membership.voters) {
        const one = seen.get(voter)
        if (one === undefined) return `${name} is not on n${voter}`
        const { member, raft } = one
        if (member.fault !== null) return `${name} is offline on n${voter}: ${member.fault.message}`
        if (raft.highWatermark === end && raft.endPosition === end && raft.durablePosition === end) continue
        return `${name} on n${voter}: ${raft.highWatermark} committed and ${raft.durablePosition} durable of ${end}`
      }
    }
    return null
  }

  #quorum(name: string): Quorum {
    let quorum = this.#quorums.get(name)
    if (quorum === undefined) {
      const committed = { epochs: [], committedFrom: -1, commits: [] }
      quorum = { name, seen: new Map(), leaders: new Map(), isUnsynced: false, ...committed }
      this.#quorums.set(name, quorum)
    }
    return quorum
  }

  #look(member: Member, raft: Raft<Entries>): void {
    const { name, log } = member
    // While a log is replaced the core speaks of the old one.
    if (member.fault !== null || raft.isInstalling || raft.endPosition !== log.endPosition) return
    const node = nodeOf(log.folder)
    const quorum = this.#quorum(name)
    if (this.#wiped.has(node)) {
      if (member.role === 'leader') this.#recorder.violate(`${name} on n${node}: leads with an empty disk`)
      return
    }
    const before = quorum.seen.get(node)
    const now = seenOf(member, raft)
    const violate = (what: string): void => this.#recorder.violate(`${name} on n${node}: ${what}`)
    if (before !== undefined && before.member !== member) {
      // One that was taken out and comes again begins anew, and does not vote until it has all.
      if (isVoter(raft.membership, node)) checkRestart(quorum, before, now, violate)
      else now.isAnew = now.durable < before.durable
    } else now.isAnew = before?.isAnew ?? false
    quorum.seen.set(node, now)
    if (before?.member === member && !quorum.isUnsynced)
      for (const fault of regressions(now, before)) violate(fault)
    for (const fault of faultsOf(now)) violate(fault)
    if (!quorum.isUnsynced && raft.durablePosition > log.durablePosition)
      violate(`${raft.durablePosition} count as durable, and ${log.durablePosition} are`)
    if (now.role === 'leader' && before?.role !== 'leader') this.#elected(quorum, node, now, violate)
    this.#watchOut(quorum, node, before, now)
    if (quorum.isUnsynced) return
    if (now.cuts !== before?.cuts) {
      const fault = misconfigured(now)
      if (fault !== null) violate(fault)
    }
    if (now.role === 'leader')
      for (const fault of overrated(quorum, now, (id) => !this.#wiped.has(id))) violate(fault)
    if (now.committed > (before?.committed ?? now.committed)) {
      this.#checkCommit(quorum, now, before?.committed ?? 0, violate)
    }
  }

  #elected(quorum: Quorum, node: number, now: Seen, violate: (what: string) => void): void {
    const { epoch, raft, member } = now
    const leader = quorum.leaders.get(epoch)
    if (leader !== undefined && leader !== node) violate(`leads epoch ${epoch}, and so does n${leader}`)
    quorum.leaders.set(epoch, node)
    if (raft.membership.voters.length > 1) {
      // What only the leader before had may be lost.
      this.#recorder.disrupt()
      this.#recorder.mark('elected among several')
      this.#tell('elected', node, quorum, now)
    }
    if (quorum.isUnsynced) return
    // What leaders of earlier epochs had committed by now; a later one may have committed more (it is a stale leader then).
    const commit = quorum.commits.findLast((one) => one.epoch < epoch)
    if (commit === undefined || member.log.endPosition > commit.position) return
    violate(
      `leads epoch ${epoch} and ends at ${member.log.endPosition}, where ${commit.position} were committed`,
    )
  }

  #watchOut(quorum: Quorum, node: number, before: Seen | undefined, now: Seen): void {
    const { role, epoch, raft, configured } = now
    if (before?.member !== now.member) return
    // (A pre-vote is asked for in the epoch that is.)
    if (role === 'candidate' && epoch > before.epoch) this.#tell('stands', node, quorum, now)
    if (role === 'leader' && configured > before.configured && isJoint(raft.membership))
      this.#tell('reconfigures', node, quorum, now)
  }

  #tell(moment: Moment, node: number, { name }: Quorum, { epoch, raft: { membership } }: Seen): void {
    if (members(membership).length > 1) this.onSight({ moment, node, name, epoch, voters: membership.voters })
  }

  /** What has just become committed here: of the epochs that it always was, and on a majority of disks. */
  #checkCommit(quorum: Quorum, now: Seen, from: number, violate: (what: string) => void): void {
    const { raft, member, committed, role, epoch } = now
    const { log } = member
    for (let at = Math.max(from, log.base.position); at < committed; at++) {
      if (quorum.committedFrom < 0) quorum.committedFrom = at
      const index = at - quorum.committedFrom
      const unitEpoch = log.epochBefore(at + 1)
      const known = index < 0 ? undefined : quorum.epochs[index]
      if (known === undefined && index >= 0) quorum.epochs[index] = unitEpoch
      else if (known !== undefined && known !== unitEpoch)
        violate(`${at} was committed in epoch ${known}, and is again in ${unitEpoch}`)
    }
    if (role !== 'leader') return
    for (const law of [heldBy, electableWithout]) {
      const fault = law(quorum, raft.membership, committed, log.epochBefore(committed))
      if (fault !== null) violate(`${committed} is committed, ${fault}`)
    }
    const last = quorum.commits.at(-1)
    if (last?.epoch === epoch) last.position = Math.max(last.position, committed)
    else if (last === undefined || last.epoch < epoch) quorum.commits.push({ epoch, position: committed })
  }
}

function seenOf(member: Member, raft: Raft<Entries>): Seen {
  const { log, highWatermark } = member
  return {
    member,
    raft,
    highWatermark,
    committed: raft.highWatermark,
    start: log.start,
    epoch: raft.epoch,
    durable: log.durablePosition,
    role: member.role,
    configured: raft.membership.position,
    cuts: raft.truncations,
    isAnew: false,
    isOver: false,
  }
}

/** A majority of its voters runs. */
function canElect(seen: readonly Seen[]): boolean {
  const running = seen.filter(({ isOver, member }) => !isOver && member.isServed)
  return running.some(({ raft: { membership } }) => {
    const present = running.filter(({ member }) => membership.voters.includes(nodeOf(member.log.folder)))
    return present.length > membership.voters.length / 2
  })
}

/** '/srv/n3/data/...' is node 3's. */
function nodeOf(folder: string): number {
  return Number(/^\/srv\/n(\d+)\//.exec(folder)?.[1] ?? -1)
}
