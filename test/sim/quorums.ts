/**
 * What nobody in the cluster knows: every quorum seen as a whole, from outside. Who leads, what each disk holds durably, what was
 * ever committed; and what must hold of it after each turn of each member. The code under test knows nothing of it.
 *
 * A member is known by the folder of its log, in whose path its machine's name stands.
 */
import { isVoter, type Membership } from '../../src/raft/membership.ts'
import { Raft } from '../../src/raft/raft.ts'
import type { Entries } from '../../src/replica/entries.ts'
import { Member } from '../../src/replica/member.ts'
import type { Recorder } from './recorder.ts'

export interface Elected {
  readonly node: number
  /** Of the quorum. */
  readonly name: string
  readonly epoch: number
}

/** One member as it was after its last turn. */
interface Seen {
  member: Member
  raft: Raft<Entries>
  highWatermark: number
  /** Position. */
  committed: number
  start: number
  epoch: number
  /** Position; survives the process. */
  durable: number
  role: Raft<Entries>['role']
}

/** One quorum, over all its members and their lives. */
interface Quorum {
  readonly name: string
  readonly seen: Map<number, Seen>
  /** By epoch, who led it. */
  readonly leaders: Map<number, number>
  /** The epochs of what was committed, from `committedFrom` on. */
  readonly epochs: number[]
  committedFrom: number
  /** How far, and by the leader of which epoch that was done last. */
  readonly commits: { epoch: number; position: number }[]
  /** Where written counts as durable, little of this can be asked for. */
  isUnsynced: boolean
}

export class Quorums {
  /** Told of everybody who wins an election among several. */
  onElected: (elected: Elected) => void = () => {}
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
      if (one !== undefined) one.role = 'follower'
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

  /** Who leads a quorum, by the newest epoch that was won; -1 for nobody. */
  leaderOf(name: string): number {
    const leaders = this.#quorums.get(name)?.leaders
    return leaders === undefined ? -1 : (leaders.get(Math.max(...leaders.keys())) ?? -1)
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
      // Deleted, or nobody leads it: then nobody could read it, either.
      if (leader === undefined) continue
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
    // One that was taken out and comes again begins anew, and does not vote until it has all.
    if (before !== undefined && before.member !== member && isVoter(raft.membership, node))
      checkRestart(quorum, before, now, violate)
    quorum.seen.set(node, now)
    if (before?.member === member && !quorum.isUnsynced)
      for (const fault of regressions(now, before)) violate(fault)
    for (const fault of faultsOf(now)) violate(fault)
    if (!quorum.isUnsynced && raft.durablePosition > log.durablePosition)
      violate(`${raft.durablePosition} count as durable, and ${log.durablePosition} are`)
    if (now.role === 'leader' && before?.role !== 'leader') this.#elected(quorum, node, now, violate)
    if (quorum.isUnsynced) return
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
      this.onElected({ node, name: quorum.name, epoch })
    }
    if (quorum.isUnsynced) return
    // What leaders of earlier epochs had committed by now; a later one may have committed more (it is a stale leader then).
    const commit = quorum.commits.findLast((one) => one.epoch < epoch)
    if (commit === undefined || member.log.endPosition > commit.position) return
    violate(
      `leads epoch ${epoch} and ends at ${member.log.endPosition}, where ${commit.position} were committed`,
    )
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
    const held = heldBy(quorum, raft.membership, committed, log.epochBefore(committed))
    if (held !== null) violate(`${committed} is committed, ${held}`)
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
  }
}

/** Which majority lacks it; null when none does. */
function heldBy(quorum: Quorum, membership: Membership, position: number, epoch: number): string | null {
  for (const voters of [membership.voters, membership.outgoing]) {
    const holders = voters.filter((voter) => {
      const one = quorum.seen.get(voter)
      return one !== undefined && one.durable >= position && agrees(one.member, position, epoch)
    })
    if (voters.length > 0 && holders.length <= voters.length / 2)
      return `and durable on [${holders.join(' ')}] of [${voters.join(' ')}] only`
  }
  return null
}

/** As far as its log still knows. */
function agrees({ log }: Member, position: number, epoch: number): boolean {
  const isInside = position > log.base.position && position <= log.endPosition
  return !isInside || log.epochBefore(position) === epoch
}

function checkRestart(quorum: Quorum, before: Seen, now: Seen, violate: (what: string) => void): void {
  if (quorum.isUnsynced || now.member.log.endPosition >= before.durable) return
  violate(`${before.durable} were durable, and after a restart the log ends at ${now.member.log.endPosition}`)
}

function* regressions(now: Seen, before: Seen): Generator<string> {
  if (now.highWatermark < before.highWatermark)
    yield `high watermark ${now.highWatermark} after ${before.highWatermark}`
  if (now.committed < before.committed) yield `${now.committed} committed after ${before.committed}`
  if (now.start < before.start) yield `log start ${now.start} after ${before.start}`
  if (now.epoch < before.epoch) yield `epoch ${now.epoch} after ${before.epoch}`
}

function* faultsOf({ member, highWatermark }: Seen): Generator<string> {
  const { start, end, base, durablePosition, writtenPosition } = member.log
  // Who was just installed or opened knows of nothing committed but where its log begins: the batch that holds the start.
  if (start > highWatermark && highWatermark > 0 && highWatermark !== base.offset)
    yield `log start ${start} above the high watermark ${highWatermark}`
  if (highWatermark > end) yield `high watermark ${highWatermark} above the end ${end}`
  if (durablePosition > writtenPosition) yield 'durable what is not written'
}

/** '/srv/n3/data/...' is node 3's. */
function nodeOf(folder: string): number {
  return Number(/^\/srv\/n(\d+)\//.exec(folder)?.[1] ?? -1)
}
