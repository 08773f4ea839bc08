/**
 * One member of one quorum, as its broker sees it: takes batches, tells who waits what became of them, moves the log start.
 *
 *     propose --- log.append, core 'proposed' ---> stirred
 *     end of turn: loop.ts: log.write -> [sync queue] -> core 'durable' -> stirred
 *     end of turn: the high watermark has risen -> waiters, listeners
 */
import { assert } from '../base/assert.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import { members } from '../raft/membership.ts'
import type { Message } from '../raft/message.ts'
import type { Raft } from '../raft/raft.ts'
import { batchSize, stamp } from '../records/batch.ts'
import { Acknowledgements, type Promised } from './acknowledgements.ts'
import type { BallotFile } from './ballot-file.ts'
import { Committed } from './committed.ts'
import { Confirmations } from './confirmations.ts'
import { areWhole, type Entries } from './entries.ts'
import { Loop } from './loop.ts'
import { isClosed, isOffline, leadershipLost, notLeader } from './refusals.ts'
import type { Proposed, Replica, ReplicaProgress, ReplicaSettings } from './replica.ts'
import type { ReplicaEvent } from './replica-event.ts'
import { SlowLeader } from './slow-leader.ts'
import { standings } from './standings.ts'
import { StartMoves } from './start-moves.ts'
import type { HostEvent, MemberOptions, PulseEvent, Surroundings, Told } from './surroundings.ts'
import { Uncommitted } from './uncommitted.ts'
import { VoterChanges } from './voter-changes.ts'
import type { OnSettled } from './waiters.ts'
import { Watchers } from './watchers.ts'

export class Member implements Replica {
  readonly name: string
  readonly log: Log
  /** In the list of those whose turn must be drained; for the host. */
  isStirred = false
  readonly #raft: Raft<Entries>
  readonly #loop: Loop
  readonly #surroundings: Surroundings
  readonly #ballotFile: BallotFile
  readonly #acknowledgements: Acknowledgements
  readonly #uncommitted = new Uncommitted()
  readonly #starts: StartMoves
  readonly #slowLeader: SlowLeader | null
  readonly #voters: VoterChanges
  readonly #watchers = new Watchers()
  readonly #confirmations = new Confirmations((question) =>
    this.#loop.step({ type: 'confirm', question, nowMs: this.#surroundings.nowMs() }),
  )
  #uncommittedBytesMax: number
  readonly #committed: Committed
  #fault: Faulted | null = null
  #closing: Promise<void> | null = null
  #isClosed = false
  #told: Told

  constructor(options: MemberOptions) {
    const { name, log, raft, surroundings, settings, ballotFile, identities, slowLeader } = options
    this.name = name
    this.log = log
    this.#raft = raft
    this.#surroundings = surroundings
    this.#ballotFile = ballotFile
    this.#uncommittedBytesMax = settings.uncommittedBytesMax
    this.#committed = new Committed(log, raft)
    this.#acknowledgements = new Acknowledgements(log, raft, this.#committed)
    this.#acknowledgements.floor = settings.minInsyncReplicas ?? 1
    this.#told = { role: '', epoch: -1, isReady: false, leaderId: -1, start: log.start }
    this.#starts = new StartMoves({
      name,
      log,
      retainedFrom: options.hasMachine ? 0 : Infinity,
      run: (work) => this.#loop.inFlight.run(work),
      onRaised: (position) => this.#loop.trimmed(position),
      onFault: (error) => this.#fail(error),
    })
    this.#slowLeader = slowLeader && new SlowLeader(slowLeader, raft, () => surroundings.nowMs())
    this.#voters = new VoterChanges({
      name,
      log,
      raft,
      identities,
      nowMs: () => surroundings.nowMs(),
      step: (event) => this.#loop.step(event),
      isWrittenDurable: () => this.#loop.isWrittenDurable,
      tell: (level, event, message) => this.#tell(level, event, message),
    })
    this.#loop = new Loop({
      log,
      raft,
      ballotFile,
      settings,
      syncs: surroundings.syncs,
      nowMs: () => surroundings.nowMs(),
      stir: () => surroundings.stir(this),
      flushIn: (delayMs) => surroundings.flushIn(this, delayMs),
      post: ({ to, message }) => surroundings.post(to, name, message),
      onStartMark: (offset, position) => this.#starts.add({ position, offset, settled: null }),
      onTruncated: (position) => this.#starts.truncate(position, leadershipLost()),
      onReset: () => {
        this.#starts.reset()
        this.#tell('info', 'replica.installed', `the log begins anew at ${log.start}`)
      },
      onRenounced: () => surroundings.renounce(),
      onConfirmed: (question) => this.#confirmations.confirmed(question),
      onDamagedImage: (why) => this.#tell('warn', 'replica.install.failed', why),
      images: options.images,
      watermarkFile: options.watermarkFile,
      hasMachine: () => this.#starts.retainedFrom < Infinity,
      disksOf: (of) => identities.disksOf(of),
      onFault: (error) => this.#fail(error),
    })
    this.#voters.recognize()
    this.#starts.recover(log, log.base.position)
    surroundings.stir(this)
  }

  get role(): Replica['role'] {
    return this.isServed ? this.#raft.role : 'follower'
  }
  get epoch(): number {
    return this.#raft.epoch
  }
  get leaderId(): number {
    return this.isServed ? this.#raft.leaderId : -1
  }
  get isWrittenDurable(): boolean {
    return this.#loop.isWrittenDurable
  }
  get voters(): readonly number[] {
    return this.#raft.membership.voters
  }
  get isReady(): boolean {
    return this.isServed && this.#committed.isReady
  }
  get highWatermark(): number {
    return this.#committed.offset
  }
  get fault(): Faulted | null {
    return this.#fault
  }
  /** When it next wants a tick. */
  get deadlineMs(): number {
    return this.#isOff ? Infinity : this.#raft.deadlineMs
  }

  get observers(): readonly number[] {
    return this.#raft.observers
  }
  get inSync(): readonly number[] {
    return this.isReady ? this.#raft.inSync(this.#surroundings.nowMs()) : []
  }

  progress(): readonly ReplicaProgress[] {
    return this.isServed ? standings(this.#raft, this.log, this.#surroundings.nowMs()) : []
  }

  async changeVoters(voters: readonly number[]): Promise<void> {
    this.#checkLeads()
    await this.#voters.change(voters)
  }

  async confirmLeadership(): Promise<void> {
    this.#checkDisk()
    if (!this.isReady || this.#closing !== null) throw notLeader(this.name)
    if (members(this.#raft.membership).length > 1) await this.#confirmations.wait()
  }

  abandonChange(): void {
    this.#loop.step({ type: 'abandonChange' })
  }

  observe(observers: readonly number[]): void {
    this.#loop.step({ type: 'observers', observers, nowMs: this.#surroundings.nowMs() })
  }

  /** A peer was met, and its disk is known to the host now. */
  identified(): void {
    if (!this.#isOff) this.#voters.recognize()
  }

  propose(batch: Buffer): Proposed {
    assert(batchSize(batch, 0) === batch.length, 'one batch is proposed at a time')
    this.#checkLeads()
    const { log } = this
    const { bytes } = this.#uncommitted
    if (bytes > 0 && bytes + batch.length > this.#uncommittedBytesMax) {
      throw new Refused('NOT_ENOUGH_REPLICAS', `${bytes} bytes of '${this.name}' are not committed yet`)
    }
    const baseOffset = log.end
    const { epoch } = this.#raft
    stamp(batch, 0, { baseOffset, leaderEpoch: epoch })
    try {
      log.append(batch)
    } catch (error) {
      throw this.#fail(error)
    }
    const endOffset = log.end
    this.#uncommitted.take(batch.length)
    this.#loop.step({ type: 'proposed', units: endOffset - baseOffset })
    return { baseOffset, endOffset, epoch }
  }

  onCommitted(endOffset: number, epoch: number, callback: OnSettled): void {
    this.#onSettled('committed', endOffset, epoch, callback)
  }

  onWritten(endOffset: number, epoch: number, callback: OnSettled): void {
    this.#onSettled('written', endOffset, epoch, callback)
  }

  #onSettled(promised: Promised, endOffset: number, epoch: number, callback: OnSettled): void {
    const isHere = endOffset <= this.#acknowledgements.end(promised)
    if (this.#fault !== null) callback(isOffline(this.name, this.#fault))
    else if (this.#told.role === 'leader' && this.#raft.role === 'leader' && this.#raft.epoch === epoch) {
      if (isHere) callback(null)
      else this.#acknowledgements.add(promised, endOffset, callback)
    } else callback(isHere && this.log.epochOf(endOffset - 1) === epoch ? null : leadershipLost())
  }

  async raiseStart(offset: number): Promise<number> {
    this.#checkLeads()
    return await this.#starts.propose(offset, this.highWatermark, () => {
      try {
        return this.#loop.propose({ kind: 'logStart', offset })
      } catch (error) {
        throw this.#fail(error)
      }
    })
  }

  retainFrom(offset: number): void {
    this.#starts.retainedFrom = offset
    this.#surroundings.stir(this)
  }

  async whenReady(): Promise<void> {
    if (this.isReady) return
    this.#checkDisk()
    if (this.#isOff) throw isClosed(this.name)
    await this.#watchers.untilReady()
  }

  onAdvance(listener: (replica: Replica) => void): () => void {
    return this.#watchers.add(listener)
  }

  configure(settings: ReplicaSettings): void {
    this.#uncommittedBytesMax = settings.uncommittedBytesMax
    this.#acknowledgements.floor = settings.minInsyncReplicas ?? 1
    this.#loop.configure(settings)
  }

  campaign(): void {
    this.#loop.step({ type: 'campaign', nowMs: this.#surroundings.nowMs() })
  }

  transferLeadership(to: number): void {
    this.#loop.step({ type: 'transfer', to, nowMs: this.#surroundings.nowMs() })
  }

  receive(from: number, message: Message<Entries>): void {
    if (this.#isOff) return
    if (message.type === 'append' && message.entries !== null && !areWhole(message.entries)) {
      this.#tell('warn', 'replica.append.damaged', `an append from ${from} came damaged, and was dropped`)
      return
    }
    const wasEstranged = this.#raft.isEstranged(from)
    this.#loop.step({ type: 'receive', from, message, nowMs: this.#surroundings.nowMs() })
    if (!wasEstranged && this.#raft.isEstranged(from)) this.#voters.forgot(from)
  }

  /** What concerns all members of a broker. */
  step(event: HostEvent): void {
    this.#loop.step(event)
  }

  /** How it is with the pulses of a peer, or with this broker's own. */
  pulsed(event: PulseEvent): void {
    this.#loop.note(event)
    this.#surroundings.turned(this)
  }

  flushDue(): void {
    this.#loop.flushDue()
  }

  /** The end of a turn. */
  drain(): void {
    if (!this.isServed) return
    try {
      this.#loop.drain()
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#uncommitted.turn(this.log.end)
    this.#advance()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Neither offline nor closed. While closing it still finishes what it has begun. */
  get isServed(): boolean {
    return this.#fault === null && !this.#isClosed
  }

  get #isOff(): boolean {
    return this.#fault !== null || this.#closing !== null
  }

  /** @throws Refused */
  #checkDisk(): void {
    if (this.#fault !== null) throw isOffline(this.name, this.#fault)
  }

  /** @throws Refused */
  #checkLeads(): void {
    this.#checkDisk()
    if (this.#closing === null && this.#raft.isReady && this.#raft.acceptsProposals) return
    throw notLeader(this.name)
  }

  /** What this turn has changed, for those who wait for it. */
  #advance(): void {
    const committed = this.#committed.turn()
    const { log, role, epoch, isReady, leaderId } = this
    const told = this.#told
    const hasTurned =
      epoch !== told.epoch || role !== told.role || isReady !== told.isReady || leaderId !== told.leaderId
    const isOther = hasTurned || log.start !== told.start
    if (isOther) this.#told = { role, epoch, isReady, leaderId, start: log.start }
    this.#voters.settle(isReady, leadershipLost)
    this.#surroundings.turned(this)
    this.#slowLeader?.turn((to, message) => {
      this.#tell('warn', 'replica.leader.slow', message)
      this.transferLeadership(to)
    })
    const hasLost = told.role === 'leader' && (role !== 'leader' || epoch !== told.epoch)
    if (hasLost) this.#refuseAll(leadershipLost(), notLeader(this.name))
    this.#confirmations.turnOver()
    if (hasTurned && this.voters.length > 1)
      this.#tell('debug', 'replica.role', `${role}${isReady ? ', ready' : ''}, epoch ${epoch}`)
    if (committed === 'fallen') this.#tell('warn', 'replica.cut.below.commit', this.#committed.sentence)
    this.#uncommitted.commit(this.highWatermark)
    this.#acknowledgements.release()
    this.#starts.maybeRaise(Math.min(this.#raft.highWatermark, log.durablePosition))
    if (isReady) this.#watchers.ready()
    if (isOther || committed !== 'same') this.#watchers.tell(this)
  }

  /** The disk has failed this partition. Returns what callers are told. @throws `error` when it is none of the disk's */
  #fail(error: unknown): Refused {
    if (!(error instanceof Faulted)) throw error
    const refused = isOffline(this.name, this.#fault ?? error)
    if (this.#fault !== null) return refused
    this.#fault = error
    if (this.#raft.hasPledged) this.#surroundings.renounce()
    this.#loop.stop()
    this.#tell('error', 'replica.faulted', `offline until the broker restarts: ${error.message}`)
    this.#refuseAll(refused, refused)
    this.#watchers.hopeless(refused)
    this.#watchers.tell(this)
    return refused
  }

  /** `refused` is for what was to be committed, `unconfirmed` for who asked whether it leads. */
  #refuseAll(refused: Refused, unconfirmed: Refused): void {
    this.#confirmations.refuse(unconfirmed)
    this.#uncommitted.reset()
    this.#acknowledgements.refuse(refused)
    this.#starts.refuse(refused)
    this.#voters.refuse(refused)
  }

  /** What was taken is written, synced and answered; then the log closes. */
  async #close(): Promise<void> {
    this.drain()
    await this.#loop.flush()
    this.drain()
    await this.#loop.inFlight.idle()
    if (this.#raft.hasPledged) this.#surroundings.renounce()
    this.#loop.stop()
    this.#surroundings.forget(this)
    this.#refuseAll(leadershipLost(), notLeader(this.name))
    this.#watchers.hopeless(isClosed(this.name))
    this.#isClosed = true
    this.#watchers.tell(this)
    this.#ballotFile.close()
    await this.log.close()
  }

  #tell(level: ReplicaEvent['level'], event: ReplicaEvent['event'], message: string): void {
    this.#surroundings.onEvent({ level, event, message, replica: this.name, epoch: this.epoch })
  }
}
