/**
 * What of a log is durable: which files have to be synced for it, the syncs, and the barrier that says so
 * after a crash. The caller sees to it that syncs do not overlap.
 */
import type { Disk } from '../io/world.ts'
import type { Barrier, Durable } from './barrier.ts'
import type { Journal } from './journal.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { Segment } from './segment.ts'
import type { Segments } from './segments.ts'

export interface DurabilityOptions {
  readonly disk: Disk
  readonly folder: string
  readonly journal: Journal
  readonly segments: Segments
  readonly snapshots: ProducerSnapshots
  readonly barrier: Barrier
}

export class Durability {
  readonly #disk: Disk
  readonly #folder: string
  readonly #journal: Journal
  readonly #all: Segments
  readonly #snapshots: ProducerSnapshots
  readonly #barrier: Barrier
  #position: number
  /**
   * Written since the last sync. Of a sealed one the index counts, too: it is never checked as a whole again.
   */
  readonly #segments = new Map<Segment, { isSealed: boolean }>()
  /** Names in it may not be durable. Before the first sync ever that of the journal is not: a barrier must never outlive it. */
  #isFolderDirty: boolean
  /** The name of the folder itself may not be durable: until the first sync ever. */
  #isParentDirty: boolean
  /** Syncs under way, and what they will have made durable: lowered by truncations, never raised. */
  readonly #turns = new Set<{ offset: number; position: number }>()

  /** `position`: what is known to be durable. */
  constructor(options: DurabilityOptions, position: number) {
    this.#disk = options.disk
    this.#folder = options.folder
    this.#journal = options.journal
    this.#all = options.segments
    this.#snapshots = options.snapshots
    this.#barrier = options.barrier
    this.#position = position
    this.#isFolderDirty = !options.barrier.exists
    this.#isParentDirty = !options.barrier.exists
  }

  /** Exclusive position of what is durable. */
  get position(): number {
    return this.#position
  }

  noteSegment(segment: Segment, isSealed: boolean): void {
    const known = this.#segments.get(segment)
    if (known === undefined) this.#segments.set(segment, { isSealed })
    else known.isSealed ||= isSealed
  }

  forget(segment: Segment): void {
    this.#segments.delete(segment)
  }

  /** A name in the folder has come or gone. */
  noteFolder(): void {
    this.#isFolderDirty = true
  }

  /** The log was cut: whatever is under way, no more than this is durable. */
  lower(place: Durable): void {
    this.#position = Math.min(this.#position, place.position)
    for (const turn of this.#turns) {
      if (turn.position <= place.position) continue
      turn.position = place.position
      turn.offset = place.offset
    }
  }

  /** Whether a crash would take the loss of what lies above `position` for damage. */
  isBelowBarrier(position: number): boolean {
    return position < this.#barrier.durable.position
  }

  /** Makes all that is written, which is `written`, durable. Returns the durable end. @throws Faulted */
  async sync(written: Durable): Promise<number> {
    const turn = { ...written }
    this.#turns.add(turn)
    try {
      await this.#syncFiles()
      this.#snapshots.prune((offset) => this.#all.has(offset))
      if (!this.#barrier.exists) {
        await this.#barrier.create({ ...turn })
        await this.#disk.syncFolder(this.#folder)
      }
      this.#position = Math.max(this.#position, turn.position)
      if (this.#position === turn.position) this.#barrier.write(turn)
    } finally {
      this.#turns.delete(turn)
    }
    return this.#position
  }

  /** Makes it durable that nothing above the durable end counts. @throws Faulted */
  async lowerBarrier(): Promise<void> {
    const position = this.#position
    this.#barrier.write({ position, offset: this.#journal.marks.offsetAt(position) })
    await Promise.all([this.#barrier.sync(), this.syncFolder()])
  }

  /** Makes it durable that files were cut, and some removed. @throws Faulted */
  async syncCuts(): Promise<void> {
    await Promise.all([...this.#segmentSyncs(), this.syncFolder()])
  }

  async syncFolder(): Promise<void> {
    this.#isFolderDirty = false
    await this.#disk.syncFolder(this.#folder)
  }

  #segmentSyncs(): Promise<void>[] {
    const work: Promise<void>[] = []
    for (const [segment, { isSealed }] of this.#segments) {
      work.push(syncSegment(segment, segment.file))
      if (isSealed) work.push(syncSegment(segment, segment.indexFile))
    }
    this.#segments.clear()
    return work
  }

  async #syncFiles(): Promise<void> {
    const work = this.#segmentSyncs()
    if (this.#journal.isDirty) work.push(this.#journal.sync())
    if (this.#snapshots.isDirty) work.push(this.#snapshots.sync())
    if (this.#isFolderDirty) work.push(this.syncFolder())
    if (this.#isParentDirty) {
      this.#isParentDirty = false
      work.push(this.#disk.syncFolder(this.#folder.slice(0, this.#folder.lastIndexOf('/'))))
    }
    await Promise.all(work)
  }
}

async function syncSegment(segment: Segment, file: { sync(): Promise<void> }): Promise<void> {
  try {
    await file.sync()
  } catch (error) {
    if (!segment.isRemoved) throw error // else the file went while this waited for its turn
  }
}
