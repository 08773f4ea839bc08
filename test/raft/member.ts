/**
 * The smallest driver of the core: a log of entries in memory, a "disk" that holds what was synced, and nothing that happens by
 * itself. Golden conversations and random schedules both run on it.
 */
import assert from 'node:assert/strict'
import type { EpochStart } from '../../src/raft/extents.ts'
import type { Envelope, Message } from '../../src/raft/message.ts'
import { Raft } from '../../src/raft/raft.ts'
import type { Ballot, Operation } from '../../src/raft/ready.ts'
import type { RaftSettings } from '../../src/raft/state.ts'

/** One entry of the log: a mark ('E') or a batch, `units` positions wide. */
export interface Entry {
  readonly at: number
  readonly units: number
  readonly epoch: number
  readonly label: string
}

export interface Disk {
  entries: readonly Entry[]
  ballot: Ballot
}

export interface MemberOptions {
  readonly id: number
  readonly voters: readonly number[]
  readonly settings: RaftSettings
  readonly random: () => number
  /** Entries of one append at most, so that random schedules meet logs cut at every place. */
  readonly appendEntriesMax: number
  /** Hears everything that happens, for conversations. */
  readonly tell?: (line: string) => void
}

/** What a sync that has begun will have made durable. */
type Sync = { entries: readonly Entry[]; truncations: number }

export function endOf(entries: readonly Entry[]): number {
  const last = entries.at(-1)
  return last === undefined ? 0 : last.at + last.units
}

export class Member {
  readonly id: number
  readonly disk: Disk
  readonly raft: Raft<readonly Entry[]>
  entries: Entry[]
  readonly #options: MemberOptions
  #sync: Sync | null = null
  #ballot: Ballot | null = null
  #promises: Envelope<readonly Entry[]>[] = []
  #said = ''

  /** Starts, or starts again, from what the disk holds. */
  constructor(options: MemberOptions, disk: Disk, nowMs: number) {
    this.#options = options
    this.id = options.id
    this.disk = disk
    this.entries = [...disk.entries]
    const epochs: EpochStart[] = []
    for (const { epoch, at } of this.entries) {
      if (epoch !== epochs.at(-1)?.epoch) epochs.push({ epoch, from: at })
    }
    this.raft = new Raft({
      id: options.id,
      voters: options.voters,
      ballot: disk.ballot,
      extents: { start: 0, startEpoch: 0, end: endOf(this.entries), durable: endOf(this.entries), epochs },
      settings: options.settings,
      random: options.random,
      nowMs,
    })
  }

  get wantsSync(): boolean {
    return this.#sync !== null || this.entries.length !== this.disk.entries.length || !this.#isDiskCurrent()
  }
  get wantsBallot(): boolean {
    return this.#ballot !== null
  }

  /** As leader: a batch of so many records. */
  propose(label: string, units: number): void {
    this.entries.push({ at: endOf(this.entries), units, epoch: this.raft.epoch, label })
    this.raft.step({ type: 'proposed', units })
  }

  /** Drains the core; returns what may leave now. */
  turn(): Envelope<readonly Entry[]>[] {
    const leaving: Envelope<readonly Entry[]>[] = []
    for (;;) {
      const ready = this.raft.ready()
      for (const operation of ready.operations) this.#apply(operation)
      this.#tellRole()
      if (ready.ballot !== null) {
        this.#ballot = ready.ballot
        this.#tell(`ballot: epoch ${ready.ballot.epoch} for ${ready.ballot.votedFor}`)
      }
      leaving.push(...ready.messages)
      this.#promises.push(...ready.promises)
      for (const { to, from, epoch } of ready.reads) {
        const first = this.entries.findIndex(({ at }) => at === from)
        assert.ok(first >= 0, 'a read begins at an entry')
        const entries = this.entries.slice(first, first + this.#options.appendEntriesMax)
        const until = endOf(entries)
        this.raft.step({ type: 'read', to, from, until, bytes: until - from, entries, epoch })
      }
      if (ready.reads.length === 0) break
    }
    assert.equal(endOf(this.entries), this.raft.endPosition, 'core and log move in step')
    if (this.#ballot !== null) return leaving
    return leaving.concat(this.#takePromises())
  }

  receive(from: number, message: Message<readonly Entry[]>, nowMs: number): void {
    this.raft.step({ type: 'receive', from, message, nowMs })
  }

  /** A sync begins: it covers what the log holds now. */
  beginSync(): void {
    this.#sync ??= { entries: [...this.entries], truncations: this.raft.truncations }
  }

  /** The sync that has begun (or begins now) ends. */
  endSync(): void {
    this.beginSync()
    const { entries, truncations } = this.#sync as Sync
    this.#sync = null
    // What was cut meanwhile is cut on disk too, sooner or later; here at once.
    const cut = truncations !== this.raft.truncations
    this.disk.entries = cut ? this.disk.entries.filter((entry) => this.entries.includes(entry)) : entries
    this.raft.step({ type: 'durable', position: endOf(entries), truncations })
  }

  /** The ballot becomes durable; returns the promises that waited for it. */
  endBallot(nowMs: number): Envelope<readonly Entry[]>[] {
    if (this.#ballot === null) return []
    const { epoch } = this.#ballot
    this.disk.ballot = this.#ballot
    this.#ballot = null
    this.raft.step({ type: 'balloted', epoch, nowMs })
    return this.#takePromises()
  }

  #takePromises(): Envelope<readonly Entry[]>[] {
    const promises = this.#promises
    this.#promises = []
    return promises
  }

  #apply(operation: Operation<readonly Entry[]>): void {
    switch (operation.type) {
      case 'truncate': {
        this.entries = this.entries.filter(({ at }) => at < operation.position)
        assert.equal(endOf(this.entries), operation.position, 'a cut lies between entries')
        this.#tell(`log: cut at ${operation.position}`)
        break
      }
      case 'append': {
        const fresh = operation.entries.filter(({ at }) => at >= operation.from)
        assert.equal(fresh[0]?.at, endOf(this.entries), 'an append continues the log')
        this.entries.push(...fresh)
        this.#tell(`log: ${describeEntries(fresh)}`)
        break
      }
      case 'epochStart': {
        const mark = { at: endOf(this.entries), units: 1, epoch: operation.epoch, label: 'E' }
        this.entries.push(mark)
        this.#tell(`log: ${describeEntries([mark])}`)
      }
    }
  }

  #isDiskCurrent(): boolean {
    return this.disk.entries.at(-1) === this.entries.at(-1)
  }

  #tellRole(): void {
    const { role, epoch, isReady, highWatermark } = this.raft
    const said = `${role}${isReady ? ', ready' : ''}, epoch ${epoch}, hw ${highWatermark}`
    if (said === this.#said) return
    this.#said = said
    this.#tell(said)
  }

  #tell(line: string): void {
    this.#options.tell?.(`${this.id} ${line}`)
  }
}

/** `2:b*3@1`: at position 2 a batch of three records, of epoch 1. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries
    .map(({ at, units, epoch, label }) => `${at}:${label}${units > 1 ? `*${units}` : ''}@${epoch}`)
    .join(' ')
}
