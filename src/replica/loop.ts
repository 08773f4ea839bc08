/**
 * The loop of one member: events go into its core, and what the core's `Ready` asks is done with the log, the ballot and the
 * peers (see raft/ready.ts for the order).
 *
 * Nothing awaits in the middle of a decision; what an await brings back is an event, and the core checks whether it still
 * concerns it.
 */
import { assert } from '../base/assert.ts'
import { releaseAll } from '../base/buffer-pool.ts'
import { Refused } from '../base/errors.ts'
import type { Log, Mark } from '../log/log.ts'
import type { Event } from '../raft/event.ts'
import type { Envelope, Install } from '../raft/message.ts'
import type { Raft } from '../raft/raft.ts'
import type { InstallRequest, Operation, Read, Ready } from '../raft/ready.ts'
import type { BallotFile } from './ballot-file.ts'
import { Ballots } from './ballots.ts'
import { appendEntries, type Entries, readEntries } from './entries.ts'
import { InFlight } from './in-flight.ts'
import { Reassembly, Source } from './installs.ts'
import { LogSync } from './log-sync.ts'
import type { ReplicaSettings } from './replica.ts'
import type { SyncQueue } from './sync-queue.ts'
import type { WatermarkFile } from './watermark-file.ts'

const nothing = Buffer.alloc(0)

export interface LoopOptions {
  readonly log: Log
  readonly raft: Raft<Entries>
  readonly ballotFile: BallotFile
  readonly settings: ReplicaSettings
  readonly syncs: SyncQueue
  readonly images: { readonly pieceBytes: number; readonly bytesMax: number }
  readonly watermarkFile: WatermarkFile
  /** The log is of no use without an image. */
  readonly hasMachine: () => boolean
  readonly disksOf: (of: { voters: readonly number[]; outgoing: readonly number[] }) => readonly string[]
  readonly nowMs: () => number
  /** Have `drain` called at the end of this turn. */
  readonly stir: () => void
  /** Have `flushDue` called in so many milliseconds, or somewhat later. */
  readonly flushIn: (delayMs: number) => void
  readonly post: (envelope: Envelope<Entries>) => void
  /** A mark of the log's start was appended, or everything from a position on was cut. */
  readonly onStartMark: (offset: number, position: number) => void
  readonly onTruncated: (position: number) => void
  /** The log was replaced by another. */
  readonly onReset: () => void
  readonly onDamagedImage: (why: string) => void
  /** It cannot stand by the word that it gave others. */
  readonly onRenounced: () => void
  /** It led when this question had been asked, and all before it. */
  readonly onConfirmed: (question: number) => void
  /** Gets what a disk throws, and what it does not. */
  readonly onFault: (error: unknown) => void
}

export class Loop {
  readonly inFlight = new InFlight()
  readonly #options: LoopOptions
  readonly #log: Log
  readonly #raft: Raft<Entries>
  readonly #ballots: Ballots<Envelope<Entries>>
  readonly #sync: LogSync
  readonly #source: Source
  readonly #reassembly: Reassembly
  /** What they are to read is being written. */
  #readsDue: Read[] = []
  #isOff = false
  #isInstalling = false

  constructor(options: LoopOptions) {
    const { log, raft, syncs, onFault, nowMs } = options
    const { inFlight } = this
    this.#options = options
    this.#log = log
    this.#raft = raft
    this.#source = new Source(log, raft.membershipAt(0))
    this.#reassembly = new Reassembly(options.images.bytesMax)
    log.onWritten = options.stir
    this.#sync = new LogSync({
      log,
      settings: options.settings,
      syncs,
      inFlight,
      flushIn: options.flushIn,
      truncations: () => raft.truncations,
      onDurable: (position, truncations) => {
        // While the log is replaced, what a sync says may be about either.
        if (!this.#isInstalling) this.step({ type: 'durable', position, truncations })
      },
      onFault,
    })
    this.#ballots = new Ballots({
      file: options.ballotFile,
      syncs,
      inFlight,
      send: (promises) => this.#post(promises),
      onStored: (epoch) => this.step({ type: 'balloted', epoch, nowMs: nowMs() }),
      onFault,
    })
  }

  /** As the settings have it. */
  get isWrittenDurable(): boolean {
    return this.#sync.isWrittenDurable
  }

  step(event: Event<Entries>): void {
    if (this.#isOff) return
    this.#raft.step(event)
    this.#options.stir()
  }

  /** What only changes when the core wants a tick: thousands of members hear of it at once, and none has anything to do. */
  note(event: Event<Entries>): void {
    if (!this.#isOff) this.#raft.step(event)
  }

  /** As leader: a mark takes its place in the order. Returns its position. @throws Faulted */
  propose(mark: Mark): number {
    const position = this.#appendMark(mark, this.#raft.epoch)
    this.step({ type: 'proposed', units: 1 })
    return position
  }

  /** The log begins at this position now. */
  trimmed(position: number): void {
    // One that is being replaced is the core's business no more.
    if (!this.#isInstalling) this.step({ type: 'trimmed', position })
  }

  configure(settings: ReplicaSettings): void {
    this.#sync.configure(settings)
    this.#options.stir()
  }

  flushDue(): void {
    if (!this.#isOff) this.#sync.flushDue()
  }

  /** Does all that has come up. @throws Faulted */
  drain(): void {
    if (this.#isOff) return
    do this.#apply(this.#raft.ready())
    while (this.#maybeCountWritten())
    for (const read of this.#readsDue.splice(0)) this.#maybeRead(read)
    if (this.#isWatermarkKept) {
      const { watermarkFile, nowMs } = this.#options
      watermarkFile.maybeStore(this.#raft.highWatermark, nowMs())
    }
  }

  /** Writes and syncs what is left. */
  async flush(): Promise<void> {
    await this.inFlight.idle()
    if (this.#isOff) return
    await this.#sync.close()
    if (this.#isWatermarkKept) this.#options.watermarkFile.store(this.#raft.highWatermark)
  }

  /** Nothing is written or sent any more. */
  stop(): void {
    this.#isOff = true
    this.#ballots.stop()
  }

  /** A sole voter knows it as soon as it leads. */
  get #isWatermarkKept(): boolean {
    return this.#raft.membership.voters.length > 1 && !this.isWrittenDurable
  }

  #apply(ready: Ready<Entries>): void {
    const log = this.#log
    for (const operation of ready.operations) this.#operate(operation)
    if (!this.#isInstalling) {
      assert(log.endPosition === this.#raft.endPosition, 'core and log end at the same position')
      if (log.writtenPosition < log.endPosition) log.write()
      this.#sync.maybeRequest()
    }
    if (ready.ballot !== null) this.#ballots.store(ready.ballot)
    this.#post(ready.messages)
    this.#ballots.promise(ready.promises)
    for (const read of ready.reads) this.#maybeRead(read)
    for (const request of ready.installs) this.#sendPiece(request)
    for (const piece of ready.pieces) this.#takePiece(piece)
    if (ready.renounced) this.#options.onRenounced()
    if (ready.confirmed >= 0) this.#options.onConfirmed(ready.confirmed)
  }

  #operate(operation: Operation<Entries>): void {
    const log = this.#log
    switch (operation.type) {
      case 'truncate':
        log.truncate(operation.position)
        this.#sync.truncated(operation.position)
        this.#options.onTruncated(operation.position)
        break
      case 'append': {
        const from = log.endPosition
        appendEntries(log, operation.entries)
        releaseAll(operation.entries.batches)
        for (const { mark, position } of operation.entries.marks) {
          if (position < from) continue
          this.#sync.marked(position + 1)
          if (mark.kind === 'logStart') this.#options.onStartMark(mark.offset, position)
        }
        break
      }
      case 'epochStart':
        this.#appendMark({ kind: 'epochStart', leaderId: operation.leaderId }, operation.epoch)
        break
      case 'voters': {
        const { voters, outgoing } = operation
        this.#appendMark(
          { kind: 'voters', voters, outgoing, disks: this.#options.disksOf(operation) },
          this.#raft.epoch,
        )
      }
    }
  }

  #appendMark(mark: Mark, epoch: number): number {
    const position = this.#log.appendMark(mark, epoch)
    this.#sync.marked(position + 1)
    return position
  }

  /** Where written counts as durable, the core hears of it at once. */
  #maybeCountWritten(): boolean {
    if (this.#isInstalling) return false
    const position = this.#sync.counted
    if (position <= this.#raft.durablePosition) return false
    this.#raft.step({ type: 'durable', position, truncations: this.#raft.truncations })
    return true
  }

  #post(envelopes: readonly Envelope<Entries>[]): void {
    if (this.#isOff) return
    for (const envelope of envelopes) this.#options.post(envelope)
  }

  #sendPiece(request: InstallRequest): void {
    const { images, hasMachine, onDamagedImage } = this.#options
    const message = this.#source.piece(request, images.pieceBytes, hasMachine())
    if (message !== null) this.#post([{ to: request.to, message }])
    else onDamagedImage(`there is no image here that replica ${request.to} could begin with`)
  }

  #takePiece(piece: Install): void {
    if (this.#isInstalling) return
    const { position } = piece
    const { epoch, leaderId } = this.#raft
    switch (this.#reassembly.take(piece)) {
      case 'more': {
        const { received } = this.#reassembly
        this.#post([{ to: leaderId, message: { type: 'installed', epoch, position, received } }])
        break
      }
      case 'whole':
        this.#isInstalling = true
        this.inFlight.run(this.#install(piece, this.#reassembly.release()))
        break
      case 'damaged':
        this.#options.onDamagedImage(`an image from ${leaderId} came damaged; it is sent again`)
        break
      case 'large':
        this.#options.onDamagedImage(
          `an image of ${piece.size} bytes from ${leaderId} is larger than allowed`,
        )
    }
  }

  /** A machine's image first: one that is further than its log is sound, a log that has gone further than its image is not. */
  async #install(install: Install, image: Buffer): Promise<void> {
    const { offset, start, position, positionEpoch, membership } = install
    const { voters, outgoing, disks } = membership
    this.step({ type: 'installing', nowMs: this.#options.nowMs() })
    try {
      const isMachines = this.#options.hasMachine()
      if (isMachines) await this.#log.images.write(offset, positionEpoch, image)
      const producers = isMachines ? nothing : image
      const mark = { kind: 'voters', voters, outgoing, disks } as const
      await this.#log.reset({ offset, position, epoch: positionEpoch, start, voters: mark, producers })
    } catch (error) {
      this.#options.onFault(error)
      return
    }
    this.#isInstalling = false
    this.#sync.truncated(position)
    this.#options.onReset()
    this.step({ type: 'reset', position, positionEpoch, membership })
  }

  /** Now, or when something of it is written. */
  #maybeRead(read: Read): void {
    const { writtenPosition, endPosition } = this.#log
    const isBeingWritten = read.from >= writtenPosition && read.from < endPosition
    if (!isBeingWritten) this.inFlight.run(this.#read(read))
    else if (this.#raft.epoch === read.epoch) this.#readsDue.push(read)
  }

  async #read({ to, from, bytesMax, epoch }: Read): Promise<void> {
    const raft = this.#raft
    const isStill = (): boolean => !this.#isOff && raft.epoch === epoch && raft.role === 'leader'
    try {
      const boundPosition = this.#log.writtenPosition
      const read = await readEntries(this.#log, { from, boundPosition, bytesMax }, isStill)
      if (read !== null) this.step({ type: 'read', to, from, epoch, ...read })
      else if (isStill()) this.step({ type: 'peerLost', peer: to })
    } catch (error) {
      // The log was trimmed above `from` meanwhile: where does the follower stand now?
      if (error instanceof Refused) this.step({ type: 'peerLost', peer: to })
      else this.#options.onFault(error)
    }
  }
}
