/**
 * The smallest driver of the core: a log of entries in memory, a "disk" that holds what was synced, and nothing that happens by
 * itself. Golden conversations and random schedules both run on it.
 */
import assert from 'node:assert/strict'
import type { EpochStart } from '../../src/raft/extents.ts'
import type { PlacedMembership } from '../../src/raft/membership.ts'
import type { Envelope, Install, Message } from '../../src/raft/message.ts'
import { Raft } from '../../src/raft/raft.ts'
import type { Ballot, InstallRequest, Operation } from '../../src/raft/ready.ts'
import type { PeerPulses, RaftSettings } from '../../src/raft/state.ts'
import { describeMembership } from './describe.ts'

/** One entry of the log: a mark ('E') or a batch, `units` positions wide. */
export interface Entry {
  readonly at: number
  readonly units: number
  readonly epoch: number
  readonly label: string
  /** Of a mark of voters. */
  readonly membership?: PlacedMembership
}

/** Where a log begins, what is in force there, and the image that stands for what is gone. */
export interface Base {
  readonly start: number
  readonly epoch: number
  readonly membership: PlacedMembership | null
}

export interface Disk {
  base?: Base
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
  readonly pulses?: PeerPulses
  /** Its disk is not synced, by choice. */
  readonly mayForget?: () => boolean
  /** It cannot stand by its word. */
  readonly renounce?: () => void
  /** Hears everything that happens, for conversations. */
  readonly tell?: (line: string) => void
}

/** What a sync that has begun will have made durable. */
type Sync = { entries: readonly Entry[]; base: Base; truncations: number }

const everything: Base = { start: 0, epoch: 0, membership: null }
/** An image is so many pieces of four bytes. */
const pieceBytes = 4
const imageBytes = 6

function membershipsIn(entries: readonly Entry[]): PlacedMembership[] {
  return entries.flatMap(({ membership }) => (membership === undefined ? [] : [membership]))
}

export function endOf(entries: readonly Entry[]): number {
  const last = entries.at(-1)
  return last === undefined ? 0 : last.at + last.units
}

export class Member {
  readonly id: number
  readonly disk: Disk
  readonly raft: Raft<readonly Entry[]>
  entries: Entry[]
  base: Base
  /** What came of an image, and what was decided when it was whole. */
  #image = { position: -1, received: 0 }
  #install: Install | null = null
  readonly #options: MemberOptions
  #sync: Sync | null = null
  #ballot: Ballot | null = null
  #promises: Envelope<readonly Entry[]>[] = []
  #said = ''
  #nowMs: number

  /** Starts, or starts again, from what the disk holds. */
  constructor(options: MemberOptions, disk: Disk, nowMs: number) {
    this.#options = options
    this.id = options.id
    this.#nowMs = nowMs
    this.disk = disk
    this.entries = [...disk.entries]
    this.base = disk.base ?? everything
    const { start, epoch: startEpoch, membership } = this.base
    const initial = { voters: options.voters, outgoing: [], disks: [], position: -1 }
    const epochs: EpochStart[] = []
    for (const { epoch, at } of this.entries) {
      if (epoch !== (epochs.at(-1)?.epoch ?? this.base.epoch)) epochs.push({ epoch, from: at })
    }
    this.raft = new Raft({
      id: options.id,
      memberships: [membership ?? initial, ...membershipsIn(this.entries)],
      membershipsIn,
      ballot: disk.ballot,
      extents: { start, startEpoch, end: this.end, durable: this.end, epochs },
      settings: options.settings,
      random: options.random,
      ...(options.pulses === undefined ? {} : { pulses: options.pulses }),
      ...(options.mayForget === undefined ? {} : { mayForget: options.mayForget }),
      nowMs,
    })
  }

  get end(): number {
    return this.entries.length === 0 ? this.base.start : endOf(this.entries)
  }
  get wantsInstall(): boolean {
    return this.#install !== null
  }

  /** All of it is committed, and an image stands for it. */
  trim(position: number): void {
    const at = this.entries.findIndex((entry) => entry.at >= position)
    const gone = this.entries.slice(0, at < 0 ? this.entries.length : at)
    const epoch = gone.at(-1)?.epoch ?? this.base.epoch
    const newest = membershipsIn(gone).at(-1) ?? this.base.membership
    this.base = { start: position, epoch, membership: newest }
    this.entries = this.entries.slice(gone.length)
    this.raft.step({ type: 'trimmed', position })
    this.#tell(`log: begins at ${position}`)
  }

  /** The image that was whole is in place of the log, durably. */
  endInstall(): void {
    const install = this.#install
    assert.ok(install !== null, 'an image is whole')
    this.#install = null
    const { position, positionEpoch, membership } = install
    this.base = { start: position, epoch: positionEpoch, membership }
    this.entries = []
    this.disk.base = this.base
    this.disk.entries = []
    this.#sync = null
    this.#tell(`log: begins anew at ${position}`)
    this.raft.step({ type: 'reset', position, positionEpoch, membership })
  }

  get wantsSync(): boolean {
    if (this.#install !== null) return false
    return this.#sync !== null || this.entries.length !== this.disk.entries.length || !this.#isDiskCurrent()
  }
  get wantsBallot(): boolean {
    return this.#ballot !== null
  }

  /** As leader: a batch of so many records. */
  propose(label: string, units: number): void {
    this.entries.push({ at: this.end, units, epoch: this.raft.epoch, label })
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
      if (ready.renounced) {
        this.#options.renounce?.()
        this.#tell('its word is void')
      }
      if (ready.confirmed >= 0) this.#tell(`confirmed ${ready.confirmed}`)
      this.#promises.push(...ready.promises)
      for (const request of ready.installs) leaving.push(this.#pieceFor(request))
      for (const piece of ready.pieces) this.#take(piece, leaving)
      for (const { to, from, epoch } of ready.reads) {
        const first = this.entries.findIndex(({ at }) => at === from)
        assert.ok(first >= 0, 'a read begins at an entry')
        const entries = this.entries.slice(first, first + this.#options.appendEntriesMax)
        const until = endOf(entries)
        this.raft.step({ type: 'read', to, from, until, bytes: until - from, entries, epoch })
      }
      if (ready.reads.length === 0) break
    }
    assert.equal(this.end, this.raft.endPosition, 'core and log move in step')
    if (this.#ballot !== null) return leaving
    return leaving.concat(this.#takePromises())
  }

  receive(from: number, message: Message<readonly Entry[]>, nowMs: number): void {
    this.#nowMs = nowMs
    this.raft.step({ type: 'receive', from, message, nowMs })
  }

  /** A sync begins: it covers what the log holds now. */
  beginSync(): void {
    this.#sync ??= { entries: [...this.entries], base: this.base, truncations: this.raft.truncations }
  }

  /** The sync that has begun (or begins now) ends. */
  endSync(): void {
    this.beginSync()
    const { entries, base, truncations } = this.#sync as Sync
    this.#sync = null
    // What was cut meanwhile is cut on disk too, sooner or later; here at once.
    const cut = truncations !== this.raft.truncations
    const kept = cut ? this.disk.entries.filter((entry) => this.entries.includes(entry)) : entries
    this.disk.base = this.base
    this.disk.entries = kept.filter(({ at }) => at >= this.base.start)
    const position = Math.max(base.start, endOf(entries))
    this.raft.step({ type: 'durable', position, truncations })
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

  #pieceFor({ to, position, received, epoch }: InstallRequest): Envelope<readonly Entry[]> {
    const { base } = this
    const at = position === base.start ? received : 0
    const initial = { voters: this.#options.voters, outgoing: [], disks: [], position: -1 }
    return {
      to,
      message: {
        type: 'install',
        epoch,
        position: base.start,
        positionEpoch: base.epoch,
        offset: base.start,
        start: base.start,
        membership: base.membership ?? initial,
        size: imageBytes,
        crc: 0,
        at,
        piece: Buffer.alloc(Math.min(pieceBytes, imageBytes - at)),
      },
    }
  }

  #take(piece: Install, leaving: Envelope<readonly Entry[]>[]): void {
    if (this.#image.position !== piece.position) this.#image = { position: piece.position, received: 0 }
    const image = this.#image
    if (piece.at === image.received) image.received += piece.piece.length
    const { position, received } = image
    const { leaderId, epoch } = this.raft
    if (received < piece.size) {
      leaving.push({ to: leaderId, message: { type: 'installed', epoch, position, received } })
      return
    }
    this.#image = { position: -1, received: 0 }
    this.#install = piece
    this.#tell(`image at ${position} is whole`)
    this.raft.step({ type: 'installing', nowMs: this.#nowMs })
  }

  #apply(operation: Operation<readonly Entry[]>): void {
    switch (operation.type) {
      case 'truncate': {
        this.entries = this.entries.filter(({ at }) => at < operation.position)
        assert.equal(this.end, operation.position, 'a cut lies between entries')
        this.#tell(`log: cut at ${operation.position}`)
        break
      }
      case 'append': {
        const fresh = operation.entries.filter(({ at }) => at >= operation.from)
        assert.equal(fresh[0]?.at, this.end, 'an append continues the log')
        this.entries.push(...fresh)
        this.#tell(`log: ${describeEntries(fresh)}`)
        break
      }
      case 'epochStart': {
        const mark = { at: this.end, units: 1, epoch: operation.epoch, label: 'E' }
        this.entries.push(mark)
        this.#tell(`log: ${describeEntries([mark])}`)
        break
      }
      case 'voters': {
        const { voters, outgoing } = operation
        const at = this.end
        const membership = { voters, outgoing, disks: [], position: at }
        const mark = {
          at,
          units: 1,
          epoch: this.raft.epoch,
          label: describeMembership(membership),
          membership,
        }
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
