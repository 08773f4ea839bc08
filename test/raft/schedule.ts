/**
 * Random schedules of one quorum: messages are delayed, reordered, lost and repeated, members crash (losing what was not
 * durable) and pause, disks are slow. After every step the invariants of Raft figure 3 are checked from god's view; at the end
 * everything is repaired and the quorum must commit again.
 */
import assert from 'node:assert/strict'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { majority } from '../../src/raft/quorum.ts'
import type { RaftSettings } from '../../src/raft/state.ts'
import type { Pulse } from '../../src/replica/pulses.ts'
import { Host, type Said } from './host.ts'
import { type Disk, type Entry, Member } from './member.ts'

export interface Schedule {
  readonly seed: number
  readonly voters: number
  /** Voters come and go, logs are trimmed. */
  readonly changes?: boolean
  /** Quorums fall silent when nothing happens, and brokers send pulses. */
  readonly quiet?: boolean
}

export interface Outcome {
  readonly committed: number
  readonly epochs: number
  readonly truncations: number
  /** Configurations that were appended; images that were put in place. */
  readonly configurations: number
  readonly installs: number
  /** The largest number of messages under way between any two members. */
  readonly underWay: number
  /** Heartbeats and answers that gave a word. */
  readonly pledges: number
}

type UnderWay = { to: number; from: number; message: Said; dueMs: number }
type PulseUnderWay = { to: number; from: number; pulse: Pulse; dueMs: number }

export class RandomQuorum {
  readonly #random: SeededRandom
  readonly #ids: readonly number[]
  readonly #voters: readonly number[]
  readonly #changes: { voters: number; trim: number }
  #configurations = 0
  #installs = 0
  readonly #settings: RaftSettings
  readonly #faults: { loss: number; repeat: number; crash: number; cut: number; slowDisk: number }
  readonly #disks = new Map<number, Disk>()
  readonly #members = new Map<number, Member>()
  readonly #isQuiet: boolean
  readonly #hosts = new Map<number, Host>()
  #pulses: PulseUnderWay[] = []
  #pledges = 0
  readonly #cut = new Set<string>()
  readonly #leaders = new Map<number, number>()
  /** By position: the entry that was committed there, and the epoch that the committing leader was in. */
  readonly #committed = new Map<number, { entry: Entry; inEpoch: number }>()
  readonly #watermarks = new Map<number, number>()
  readonly #cutOff = new WeakMap<Member, number>()
  #network: UnderWay[] = []
  #nowMs = 0
  #proposals = 0
  #truncations = 0
  #underWay = 0
  #isCalm = false

  constructor(schedule: Schedule) {
    this.#random = new SeededRandom(schedule.seed)
    this.#isQuiet = schedule.quiet === true
    const others = schedule.changes === true ? 2 : 0
    this.#ids = Array.from({ length: schedule.voters + others }, (_, index) => index + 1)
    this.#voters = this.#ids.slice(0, schedule.voters)
    const random = this.#random
    // Swarm: each run tosses which faults it has at all, and its own limits; tiny appends find what large ones hide.
    // Where faults never rest, nothing is ever quiet.
    const share = this.#isQuiet ? 0.2 : 1
    const toss = (most: number): number => (random.chance(0.6) ? random.float() * most * share : 0)
    this.#faults = {
      loss: toss(0.3),
      repeat: toss(0.2),
      crash: toss(0.02),
      cut: toss(0.02),
      slowDisk: toss(0.9),
    }
    this.#changes =
      schedule.changes === true ? { voters: toss(0.05), trim: toss(0.02) } : { voters: 0, trim: 0 }
    this.#settings = {
      electionTimeoutMs: 150,
      heartbeatMs: 30,
      appendBytesMax: 100,
      inflightBytesMax: pick(random, [1, 10, 1000]),
      inflightAppendsMax: pick(random, [1, 2, 16]),
    }
    this.#appendEntriesMax = pick(random, [1, 2, 16])
    for (const id of this.#ids) {
      this.#disks.set(id, { entries: [], ballot: { epoch: 0, votedFor: -1 } })
      this.#start(id)
    }
  }

  readonly #appendEntriesMax: number

  run(steps: number): Outcome {
    for (let step = 0; step < steps; step++) this.#step()
    this.#repair()
    return {
      committed: Math.max(...this.#watermarks.values()),
      epochs: this.#leaders.size,
      truncations: this.#truncations,
      configurations: this.#configurations,
      installs: this.#installs,
      underWay: this.#underWay,
      pledges: this.#pledges,
    }
  }

  #step(): void {
    const random = this.#random
    this.#nowMs += random.below(8)
    for (const id of this.#ids) {
      const member = this.#members.get(id)
      if (member === undefined) {
        if (this.#isCalm || random.chance(0.05)) this.#start(id)
        continue
      }
      if (!this.#isCalm && random.chance(this.#faults.crash)) {
        this.#crash(id, member)
        continue
      }
      if (this.#isQuiet && random.chance(0.3)) {
        this.#post(id, member.turn())
        this.#hosts.get(id)?.tick(this.#others(id), this.#nowMs)
      }
      if (random.chance(0.3)) member.raft.step({ type: 'tick', nowMs: this.#nowMs })
      if (member.raft.isReady && member.raft.acceptsProposals && random.chance(this.#proposes)) {
        member.propose(`p${this.#proposals++}`, 1 + random.below(3))
      }
      if (member.raft.role === 'leader' && random.chance(0.002)) {
        const to = pick(random, this.#ids)
        member.raft.step({ type: 'transfer', to, nowMs: this.#nowMs })
      }
      if (!this.#isCalm && random.chance(this.#changes.voters)) this.#changeVoters(member)
      if (random.chance(this.#changes.trim)) this.#trim(member)
      if (random.chance(0.01)) member.raft.step({ type: 'peerLost', peer: pick(random, this.#ids) })
      this.#work(id, member)
    }
    if (!this.#isCalm && random.chance(this.#faults.cut)) this.#recut()
    this.#deliver()
    for (const [id, member] of this.#members) this.#check(id, member)
  }

  /** Quorums that always have something to do are never quiet. */
  get #proposes(): number {
    if (this.#isQuiet) return Math.floor(this.#nowMs / 1000) % 2 === 0 ? 0.1 : 0.002
    return this.#isCalm ? 0.02 : 0.2
  }

  #others(id: number): number[] {
    return this.#ids.filter((other) => other !== id)
  }

  #changeVoters(member: Member): void {
    const random = this.#random
    const some = this.#ids.filter(() => random.chance(0.5))
    const dice = random.float()
    if (dice < 0.2) member.raft.step({ type: 'abandonChange' })
    else if (dice < 0.4) member.raft.step({ type: 'observers', observers: some, nowMs: this.#nowMs })
    else
      member.raft.step({
        type: 'changeVoters',
        voters: some.length > 0 ? some : [pick(random, this.#ids)],
        nowMs: this.#nowMs,
      })
  }

  #trim(member: Member): void {
    const { highWatermark, durablePosition } = member.raft
    const bound = Math.min(highWatermark, durablePosition)
    const ends = member.entries.map(({ at, units }) => at + units).filter((end) => end <= bound)
    if (ends.length > 0) member.trim(pick(this.#random, ends))
  }

  /** Disk and core of one member. */
  #work(id: number, member: Member): void {
    const random = this.#random
    this.#post(id, member.turn())
    if (member.wantsInstall && !random.chance(this.#faults.slowDisk)) {
      member.endInstall()
      this.#installs++
    }
    if (member.wantsSync && random.chance(0.5)) member.beginSync()
    if (member.wantsSync && !random.chance(this.#faults.slowDisk)) member.endSync()
    if (member.wantsBallot && !random.chance(this.#faults.slowDisk)) {
      this.#post(id, member.endBallot(this.#nowMs))
    }
    this.#post(id, member.turn())
  }

  #post(from: number, envelopes: readonly { to: number; message: UnderWay['message'] }[]): void {
    const random = this.#random
    for (const { to, message } of envelopes) {
      this.#hosts.get(from)?.sends(message)
      if (this.#cut.has(`${from}->${to}`) || (!this.#isCalm && random.chance(this.#faults.loss))) continue
      const copies = !this.#isCalm && random.chance(this.#faults.repeat) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        const delayMs = random.chance(0.05) && !this.#isCalm ? random.below(300) : random.below(8)
        this.#network.push({ from, to, message, dueMs: this.#nowMs + delayMs })
      }
    }
    this.#underWay = Math.max(this.#underWay, this.#network.length)
  }

  #postPulse(from: number, to: number, pulse: Pulse): void {
    const random = this.#random
    if (this.#cut.has(`${from}->${to}`) || (!this.#isCalm && random.chance(this.#faults.loss))) return
    const delayMs = random.chance(0.05) && !this.#isCalm ? random.below(300) : random.below(8)
    this.#pulses.push({ from, to, pulse, dueMs: this.#nowMs + delayMs })
  }

  #deliverPulses(): void {
    const due = this.#pulses.filter(({ dueMs }) => dueMs <= this.#nowMs)
    this.#pulses = this.#pulses.filter(({ dueMs }) => dueMs > this.#nowMs)
    for (const { from, to, pulse } of due) {
      if (this.#cut.has(`${from}->${to}`)) continue
      this.#hosts.get(to)?.receive(from, pulse, this.#nowMs)
    }
  }

  #deliver(): void {
    this.#deliverPulses()
    const due = this.#network.filter(({ dueMs }) => dueMs <= this.#nowMs)
    this.#network = this.#network.filter(({ dueMs }) => dueMs > this.#nowMs)
    while (due.length > 0) {
      const at = this.#random.below(due.length)
      const [{ from, to, message }] = due.splice(at, 1) as [UnderWay]
      const member = this.#members.get(to)
      if (member === undefined || this.#cut.has(`${from}->${to}`)) continue
      member.receive(from, this.#hosts.get(to)?.checked(from, message) ?? message, this.#nowMs)
      // Not always: several messages may arrive in one turn.
      if (this.#random.chance(0.7)) this.#work(to, member)
    }
  }

  #recut(): void {
    const random = this.#random
    this.#cut.clear()
    if (random.chance(0.3)) return
    // Hunting: leaders that are cut off a moment after they won find more than chance does.
    const leader = this.#ids.find((id) => this.#members.get(id)?.raft.role === 'leader')
    if (leader !== undefined && random.chance(0.5)) {
      const friend = pick(random, this.#ids)
      for (const id of this.#ids) {
        if (id !== leader && id !== friend) this.#cut.add(`${leader}->${id}`).add(`${id}->${leader}`)
      }
      return
    }
    for (const a of this.#ids) {
      for (const b of this.#ids) if (a !== b && random.chance(0.3)) this.#cut.add(`${a}->${b}`)
    }
  }

  #crash(id: number, member: Member): void {
    const random = this.#random
    const disk = member.disk
    // What was written and not synced may be there or not: any prefix of it.
    const isSame = disk.base === member.base
    const same = disk.entries.findIndex((entry, index) => member.entries[index] !== entry)
    if (isSame && same === -1 && random.chance(0.5)) {
      const kept = random.below(member.entries.length - disk.entries.length + 1)
      disk.entries = member.entries.slice(0, disk.entries.length + kept)
    }
    this.#members.delete(id)
    this.#pledges += this.#hosts.get(id)?.pledges ?? 0
    this.#hosts.delete(id)
    this.#watermarks.delete(id)
  }

  #start(id: number): void {
    const disk = this.#disks.get(id)
    assert.ok(disk !== undefined)
    const host = new Host({
      seed: this.#random.below(1_000_000),
      everyMs: this.#settings.heartbeatMs,
      silenceMs: this.#settings.electionTimeoutMs / 2,
      send: (to, pulse) => this.#postPulse(id, to, pulse),
    })
    const options = {
      ...(this.#isQuiet ? { pulses: host, renounce: host.renounce } : {}),
      id,
      voters: this.#voters,
      settings: this.#settings,
      random: () => this.#random.float(),
      appendEntriesMax: this.#appendEntriesMax,
    }
    const member = new Member(options, disk, this.#nowMs)
    this.#members.set(id, member)
    if (!this.#isQuiet) return
    host.member = member
    this.#hosts.set(id, host)
  }

  #check(id: number, member: Member): void {
    const { raft } = member
    if (raft.truncations > (this.#cutOff.get(member) ?? 0)) this.#truncations++
    this.#cutOff.set(member, raft.truncations)
    if (raft.role === 'leader') {
      const known = this.#leaders.get(raft.epoch)
      assert.ok(known === undefined || known === id, `election safety: epoch ${raft.epoch}: ${known}, ${id}`)
      if (known === undefined) this.#checkComplete(member)
      this.#leaders.set(raft.epoch, id)
    }
    const before = this.#watermarks.get(id) ?? 0
    assert.ok(raft.highWatermark >= before, 'the high watermark never goes back')
    if (raft.highWatermark > before) this.#commit(member, before)
    this.#watermarks.set(id, raft.highWatermark)
  }

  /** Leader completeness: a new leader holds all that earlier epochs committed.  @source Raft 5.4.3 */
  #checkComplete(member: Member): void {
    const own = new Set(member.entries)
    for (const { entry, inEpoch } of this.#committed.values()) {
      // A candidate of an older epoch may win late, as a leader that nobody needs: completeness is not about it.
      if (inEpoch >= member.raft.epoch) continue
      if (entry.at < member.base.start) continue
      assert.ok(own.has(entry), `leader completeness: ${member.id} in epoch ${member.raft.epoch}`)
    }
  }

  #commit(member: Member, from: number): void {
    const { highWatermark, epoch } = member.raft
    for (const entry of member.entries) {
      if (entry.at < from || entry.at >= highWatermark) continue
      const known = this.#committed.get(entry.at)
      if (known !== undefined) {
        assert.equal(entry, known.entry, 'state machine safety: one entry for each committed position')
        continue
      }
      const isOn = (id: number): boolean => {
        const disk = this.#disks.get(id)
        return (
          disk !== undefined && ((disk.base?.start ?? 0) > entry.at || disk.entries.lastIndexOf(entry) !== -1)
        )
      }
      // In a joint configuration at least of those it leads to; see membership.ts.
      const newest = member.entries.findLast(
        ({ at, membership }) => membership !== undefined && at <= entry.at,
      )
      const voters = newest?.membership?.voters ?? member.base.membership?.voters ?? this.#voters
      const holders = voters.filter(isOn)
      if (entry.membership !== undefined) this.#configurations++
      assert.ok(
        holders.length >= majority(voters.length),
        `durable on a majority when committed: ${entry.at} on ${holders.join(' ')}`,
      )
      this.#committed.set(entry.at, { entry, inEpoch: epoch })
    }
  }

  /** No more faults: a leader, new commits, and the same log everywhere. */
  #repair(): void {
    this.#isCalm = true
    this.#cut.clear()
    const before = Math.max(0, ...this.#watermarks.values())
    for (let step = 0; step < 4000; step++) {
      this.#step()
      const leader = [...this.#members.values()].find(({ raft }) => raft.isReady)
      const { membership, isMembershipCommitted } = leader?.raft ?? {
        membership: null,
        isMembershipCommitted: false,
      }
      const isSettled = isMembershipCommitted && membership !== null && membership.outgoing.length === 0
      if (
        this.#members.size < this.#ids.length ||
        membership === null ||
        !(isSettled || membership.position < 0)
      ) {
        assert.ok(step < 3999, 'a repaired quorum has a leader and finishes its change')
        continue
      }
      const members = [...this.#members.values()].filter(({ id }) => membership.voters.includes(id))
      const least = Math.min(...members.map(({ raft }) => raft.highWatermark))
      if (members.length > 0 && least > before) break
      assert.ok(step < 3999, 'a repaired quorum commits again')
    }
    this.#checkMatching()
  }

  /** Log matching: where two logs hold the same epoch at a place, they are equal up to there.  @source Raft 5.3 */
  #checkMatching(): void {
    const members = [...this.#members.values()]
    for (const a of members) {
      for (const b of members) {
        const from = Math.max(a.base.start, b.base.start)
        const [these, those] = [a, b].map(({ entries }) => entries.filter(({ at }) => at >= from)) as [
          Entry[],
          Entry[],
        ]
        let last = Math.min(these.length, those.length) - 1
        while (last >= 0 && these[last]?.epoch !== those[last]?.epoch) last--
        assert.deepEqual(these.slice(0, last + 1), those.slice(0, last + 1), 'log matching')
        assert.ok(a.end >= a.raft.highWatermark)
      }
    }
  }
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)] as T
}
