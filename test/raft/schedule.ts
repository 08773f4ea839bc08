/**
 * Random schedules of one quorum: messages are delayed, reordered, lost and repeated, members crash (losing what was not
 * durable) and pause, disks are slow. After every step the invariants of Raft figure 3 are checked from god's view; at the end
 * everything is repaired and the quorum must commit again.
 */
import assert from 'node:assert/strict'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Message } from '../../src/raft/message.ts'
import { majority } from '../../src/raft/quorum.ts'
import type { RaftSettings } from '../../src/raft/state.ts'
import { type Disk, type Entry, endOf, Member } from './member.ts'

export interface Schedule {
  readonly seed: number
  readonly voters: number
}

export interface Outcome {
  readonly committed: number
  readonly epochs: number
  readonly truncations: number
  /** The largest number of messages under way between any two members. */
  readonly underWay: number
}

type UnderWay = { to: number; from: number; message: Message<readonly Entry[]>; dueMs: number }

export class RandomQuorum {
  readonly #random: SeededRandom
  readonly #ids: readonly number[]
  readonly #settings: RaftSettings
  readonly #faults: { loss: number; repeat: number; crash: number; cut: number; slowDisk: number }
  readonly #disks = new Map<number, Disk>()
  readonly #members = new Map<number, Member>()
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
    this.#ids = Array.from({ length: schedule.voters }, (_, index) => index + 1)
    const random = this.#random
    // Swarm: each run tosses which faults it has at all, and its own limits; tiny appends find what large ones hide.
    const toss = (most: number): number => (random.chance(0.6) ? random.float() * most : 0)
    this.#faults = {
      loss: toss(0.3),
      repeat: toss(0.2),
      crash: toss(0.02),
      cut: toss(0.02),
      slowDisk: toss(0.9),
    }
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
      underWay: this.#underWay,
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
      if (random.chance(0.3)) member.raft.step({ type: 'tick', nowMs: this.#nowMs })
      if (member.raft.isReady && member.raft.acceptsProposals && random.chance(0.2)) {
        member.propose(`p${this.#proposals++}`, 1 + random.below(3))
      }
      if (member.raft.role === 'leader' && random.chance(0.002)) {
        const to = pick(random, this.#ids)
        member.raft.step({ type: 'transfer', to, nowMs: this.#nowMs })
      }
      if (random.chance(0.01)) member.raft.step({ type: 'peerLost', peer: pick(random, this.#ids) })
      this.#work(id, member)
    }
    if (!this.#isCalm && random.chance(this.#faults.cut)) this.#recut()
    this.#deliver()
    for (const [id, member] of this.#members) this.#check(id, member)
  }

  /** Disk and core of one member. */
  #work(id: number, member: Member): void {
    const random = this.#random
    this.#post(id, member.turn())
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
      if (this.#cut.has(`${from}->${to}`) || (!this.#isCalm && random.chance(this.#faults.loss))) continue
      const copies = !this.#isCalm && random.chance(this.#faults.repeat) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        const delayMs = random.chance(0.05) && !this.#isCalm ? random.below(300) : random.below(8)
        this.#network.push({ from, to, message, dueMs: this.#nowMs + delayMs })
      }
    }
    this.#underWay = Math.max(this.#underWay, this.#network.length)
  }

  #deliver(): void {
    const due = this.#network.filter(({ dueMs }) => dueMs <= this.#nowMs)
    this.#network = this.#network.filter(({ dueMs }) => dueMs > this.#nowMs)
    while (due.length > 0) {
      const at = this.#random.below(due.length)
      const [{ from, to, message }] = due.splice(at, 1) as [UnderWay]
      const member = this.#members.get(to)
      if (member === undefined || this.#cut.has(`${from}->${to}`)) continue
      member.receive(from, message, this.#nowMs)
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
    const same = disk.entries.findIndex((entry, index) => member.entries[index] !== entry)
    if (same === -1 && random.chance(0.5)) {
      const kept = random.below(member.entries.length - disk.entries.length + 1)
      disk.entries = member.entries.slice(0, disk.entries.length + kept)
    }
    this.#members.delete(id)
    this.#watermarks.delete(id)
  }

  #start(id: number): void {
    const disk = this.#disks.get(id)
    assert.ok(disk !== undefined)
    const options = {
      id,
      voters: this.#ids,
      settings: this.#settings,
      random: () => this.#random.float(),
      appendEntriesMax: this.#appendEntriesMax,
    }
    this.#members.set(id, new Member(options, disk, this.#nowMs))
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
      const holders = this.#ids.filter((id) => this.#disks.get(id)?.entries.lastIndexOf(entry) !== -1)
      assert.ok(
        holders.length >= majority(this.#ids.length),
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
      const members = [...this.#members.values()]
      const least = Math.min(...members.map(({ raft }) => raft.highWatermark))
      if (members.length === this.#ids.length && least > before) break
      assert.ok(step < 3999, 'a repaired quorum commits again')
    }
    this.#checkMatching()
  }

  /** Log matching: where two logs hold the same epoch at a place, they are equal up to there.  @source Raft 5.3 */
  #checkMatching(): void {
    const members = [...this.#members.values()]
    for (const a of members) {
      for (const b of members) {
        let last = Math.min(a.entries.length, b.entries.length) - 1
        while (last >= 0 && a.entries[last]?.epoch !== b.entries[last]?.epoch) last--
        assert.deepEqual(a.entries.slice(0, last + 1), b.entries.slice(0, last + 1), 'log matching')
        assert.ok(endOf(a.entries) >= a.raft.highWatermark)
      }
    }
  }
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)] as T
}
