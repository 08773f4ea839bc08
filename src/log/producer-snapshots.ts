/**
 * Producer states beside the log, so that after a restart only what follows has to be read.
 * `<offset>.producers` holds the states of everything below that offset. Written when a segment is sealed. (A log that closes leaves
 * them in its marker, clean-marker.ts.) The last two are kept, and one for each segment, where it begins: when the log begins there one day, nothing
 * else tells of what lay below, and neither the barrier, which is written lazily, nor a truncation has to leave a later one of use.
 *
 *     uint32 crc32c of the rest, uint8 version, int64 offset, int32 epoch of the unit before it, uint32 count, entries
 *     entry: int64 producer id, int16 epoch, int64 last offset, int64 used ms, int32 coordinator epoch,
 *            int64 transaction start, uint8 batches: int32 first sequence, int32 last, int64 base offset, int64 last, int64 ms
 *
 * (offset, epoch) names one prefix of one history: a snapshot that a truncation should have removed, and that
 * a crash brought back, does not fit the log any more and is passed over.
 */
import { Malformed, Reader, Writer } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Disk, File } from '../io/world.ts'
import type { FilePool } from './file-pool.ts'
import { offsetName, offsetsIn, snapshotSuffix } from './names.ts'
import type { ProducerEntry, SequencedBatch } from './producers.ts'

const version = 1

export interface ProducerSnapshot {
  readonly offset: number
  readonly epoch: number
  readonly entries: readonly ProducerEntry[]
}

export class ProducerSnapshots {
  readonly #disk: Disk
  readonly #files: FilePool
  readonly #folder: string
  /** Offsets of those in the folder, ascending. */
  readonly #offsets: number[]
  readonly #unsynced = new Map<number, File>()
  /** Of those in the folder. */
  readonly #syncing = new Map<number, File>()
  #mayPrune = true
  /** Where the log begins, durably. */
  #base: number

  constructor(
    options: { disk: Disk; files: FilePool; folder: string },
    names: readonly string[],
    base: number,
  ) {
    this.#disk = options.disk
    this.#files = options.files
    this.#folder = options.folder
    this.#offsets = offsetsIn(names, snapshotSuffix)
    this.#base = base
  }

  /**
   * The newest at or below `offset` that is sound and fits the history; null when there is none.
   * `epochBefore` gives the epoch of the record before an offset, null where the history is not known any
   * more.
   */
  newest(offset: number, epochBefore: (offset: number) => number | null): ProducerSnapshot | null {
    for (const one of this.#offsets.toReversed()) {
      if (one > offset) continue
      const snapshot = this.#read(one)
      if (snapshot !== null && snapshot.epoch === (epochBefore(one) ?? snapshot.epoch)) return snapshot
    }
    return null
  }

  /** Whether there is a sound one of this history. */
  has(offset: number, epoch: number): boolean {
    return this.#read(offset)?.epoch === epoch
  }

  /** Not durable before `sync`. @throws Faulted */
  write(snapshot: ProducerSnapshot): void {
    const { offset } = snapshot
    // One that is there says the same, and may be durable already: never give that up.
    if (this.has(offset, snapshot.epoch)) return
    this.#remove(offset)
    this.#write(offset, encode(snapshot))
    this.#mayPrune = true
    const above = this.#offsets.findIndex((one) => one > offset)
    this.#offsets.splice(above < 0 ? this.#offsets.length : above, 0, offset)
  }

  /**
   * After a crash those from the barrier on may be in the page cache only: the same bytes once more, for `sync`. What is damaged must
   * not be taken for one that is needed. @throws Faulted
   */
  writeAgain(barrier: number): void {
    for (const offset of this.#offsets.filter((one) => one >= barrier)) {
      const snapshot = this.#read(offset)
      if (snapshot === null) this.#remove(offset)
      else this.#write(offset, encode(snapshot))
    }
  }

  get isDirty(): boolean {
    return this.#unsynced.size > 0
  }

  /** @throws Faulted */
  async sync(): Promise<void> {
    const unsynced = [...this.#unsynced]
    this.#unsynced.clear()
    await Promise.all(unsynced.map(([offset, file]) => this.#sync(offset, file)))
  }

  async #sync(offset: number, file: File): Promise<void> {
    this.#syncing.set(offset, file)
    try {
      await file.sync()
    } catch (error) {
      if (this.#syncing.get(offset) === file) throw error // else it was removed meanwhile, there may be another one
    } finally {
      file.close()
    }
    this.#syncing.delete(offset)
  }

  /** When all of them and their names are durable: removes those that nobody needs. `isBoundary`: a segment begins there. */
  prune(isBoundary: (offset: number) => boolean): void {
    if (this.isDirty || !this.#mayPrune) return
    this.#mayPrune = false
    const begin = this.#newestBelow(this.#base)
    for (const old of this.#offsets.slice(0, -2)) if (old !== begin && !isBoundary(old)) this.#remove(old)
  }

  /** Removes those above `offset`, which speak of what is cut. */
  removeAbove(offset: number): void {
    for (const one of this.#offsets.filter((candidate) => candidate > offset)) this.#remove(one)
  }

  /** The log begins at `offset`, durably, and so is what is known there: removes what is older. */
  removeBelow(offset: number): void {
    this.#base = offset
    const needed = this.#newestBelow(offset) ?? 0
    for (const one of this.#offsets.filter((candidate) => candidate < needed)) this.#remove(one)
  }

  #newestBelow(offset: number): number | undefined {
    return this.#offsets.findLast((candidate) => candidate <= offset)
  }

  #write(offset: number, pieces: readonly Buffer[]): void {
    const file = this.#files.open(this.#path(offset), 'create')
    this.#unsynced.get(offset)?.close()
    this.#unsynced.set(offset, file)
    file.write(pieces, 0)
  }

  #remove(offset: number): void {
    const index = this.#offsets.indexOf(offset)
    if (index < 0) return
    this.#offsets.splice(index, 1)
    this.#unsynced.get(offset)?.close()
    this.#unsynced.delete(offset)
    this.#syncing.delete(offset)
    this.#disk.remove(this.#path(offset))
  }

  #read(offset: number): ProducerSnapshot | null {
    if (!this.#offsets.includes(offset)) return null
    const path = this.#path(offset)
    const room = Buffer.alloc(this.#disk.stat(path)?.size ?? 0)
    const file = this.#files.open(path, 'read')
    const bytes = room.subarray(0, file.read(room, 0))
    file.close()
    return decode(bytes)
  }

  #path(offset: number): string {
    return `${this.#folder}/${offsetName(offset, snapshotSuffix)}`
  }
}

/** The bytes of a snapshot, in pieces. */
export function encode(snapshot: ProducerSnapshot): Buffer[] {
  const writer = new Writer()
  writer.int8(version)
  writer.int64(snapshot.offset)
  writer.int32(snapshot.epoch)
  writeEntries(writer, snapshot.entries)
  return sealed(writer.finish())
}

export function writeEntries(writer: Writer, entries: readonly ProducerEntry[]): void {
  writer.uint32(entries.length)
  for (const entry of entries) {
    writer.int64(entry.producerId)
    writer.int16(entry.producerEpoch)
    writer.int64(entry.lastOffset)
    writer.nearest64(Math.round(entry.usedMs))
    writer.int32(entry.coordinatorEpoch)
    writer.int64(entry.transactionStart)
    writer.int8(entry.batches.length)
    for (const one of entry.batches) {
      writer.int32(one.firstSequence)
      writer.int32(one.lastSequence)
      writer.int64(one.baseOffset)
      writer.int64(one.lastOffset)
      writer.nearest64(one.timestamp)
    }
  }
}

/** A checksum of `content` and `content`. */
export function sealed(content: readonly Buffer[]): Buffer[] {
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(content.reduce((sum, piece) => crc32c(piece, sum), 0))
  return [crc, ...content]
}

/** null when the bytes are not a whole snapshot of a version that is known. */
export function decode(bytes: Buffer): ProducerSnapshot | null {
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== crc32c(bytes.subarray(4))) return null
  const reader = new Reader(bytes, 4)
  if (reader.int8('version') !== version) return null
  try {
    const offset = reader.int64('offset')
    const epoch = reader.int32('epoch')
    return { offset, epoch, entries: readEntries(reader) }
  } catch (error) {
    if (error instanceof Malformed) return null
    throw error
  }
}

/** @throws Malformed */
export function readEntries(reader: Reader): ProducerEntry[] {
  const entries: ProducerEntry[] = []
  for (let left = reader.uint32('count'); left > 0; left--) entries.push(readEntry(reader))
  return entries
}

function readEntry(reader: Reader): ProducerEntry {
  const entry = {
    producerId: reader.int64('producer id'),
    producerEpoch: reader.int16('producer epoch'),
    lastOffset: reader.int64('last offset'),
    usedMs: reader.nearest64('used'),
    coordinatorEpoch: reader.int32('coordinator epoch'),
    transactionStart: reader.int64('transaction start'),
  }
  const batches: SequencedBatch[] = []
  for (let left = reader.int8('batches'); left > 0; left--) {
    batches.push({
      firstSequence: reader.int32('first sequence'),
      lastSequence: reader.int32('last sequence'),
      baseOffset: reader.int64('base offset'),
      lastOffset: reader.int64('last offset'),
      timestamp: reader.nearest64('timestamp'),
    })
  }
  return { ...entry, batches }
}
