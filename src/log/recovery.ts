/**
 * What a folder holds, brought into a state that can be appended to.
 *
 * First everything is looked at and nothing is touched; then either it is refused, files as they were, or the
 * torn tail is cut.
 *
 *     sound bytes ... | bad bytes     end of the sound part at or above the barrier: torn by a crash, cut
 *                                     below the barrier: these bytes were durable once. Damage: refused
 *
 * What is checked: after a clean close, sizes, and the batches behind the last index entry. Otherwise every
 * batch of every segment that reaches to the barrier or beyond, and of the last; of older segments the
 * batches behind the last index entry. "Sound" includes the place: offsets follow each other, and the epoch
 * of each batch is the one that the journal gives it, so that what a truncation has left behind is not taken
 * for part of the log.
 */
import { Faulted } from '../base/errors.ts'
import type { Clock, Disk } from '../io/world.ts'
import { Barrier } from './barrier.ts'
import { type CleanState, decodeClean } from './clean-marker.ts'
import type { LogEvent } from './events.ts'
import { type Examined, Examiner, refused } from './examiner.ts'
import type { FilePool } from './file-pool.ts'
import { Journal } from './journal.ts'
import type { LogSettings } from './log.ts'
import * as names from './names.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import { Producers } from './producers.ts'
import type { Segment } from './segment.ts'
import { Segments } from './segments.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly files: FilePool
  readonly folder: string
  readonly settings: () => LogSettings
  readonly onEvent: (event: LogEvent) => void
}

export interface Recovered {
  readonly journal: Journal
  readonly segments: Segments
  readonly producers: Producers
  readonly snapshots: ProducerSnapshots
  readonly barrier: Barrier
  /** Nothing had to be checked; the marker of the clean close is still there. */
  readonly isClean: boolean
  /** Segments that were read as a whole, and may not be durable yet. */
  readonly touched: readonly Segment[]
  /**
   * Base offsets of segments below the log's base: to be removed when what they say of producers is durable
   * elsewhere.
   */
  readonly leftovers: readonly number[]
}

/** How far the log must reach at least; null when nobody knows. */
export type Floor = { readonly offset: number; readonly position: number } | null

/** @throws Faulted 'bytes' when something that was durable is damaged; nothing is changed then */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { disk, clock, folder, settings } = options
  const found = disk.list(folder)
  const journal = Journal.load(options)
  const bases = names.offsetsIn(found, names.segmentSuffixes.batches)
  // Where files begin; the start that users see may lie further on, in the first batch.
  const { base } = journal.marks
  // A raise of the start that was cut short leaves segments that lie wholly below it.
  const below = bases.filter((_, index) => (bases[index + 1] ?? Number.POSITIVE_INFINITY) <= base.offset)
  const kept = bases.slice(below.length)

  const clean = readClean(options, found, journal, kept)
  const barrier = readBarrier(options)
  const durable = clean ?? barrier?.durable ?? null
  const floor: Floor =
    durable === null
      ? null
      : {
          offset: Math.max(durable.offset, base.offset),
          position: Math.max(durable.position, base.position),
        }

  const snapshots = new ProducerSnapshots(options, found, base.offset)
  const producers = new Producers(settings(), () => clock.now())
  const snapshot =
    clean !== null
      ? { offset: clean.offset, entries: clean.producers }
      : snapshots.newest(floor?.offset ?? base.offset, (offset) =>
          offset <= base.offset ? null : journal.marks.epochAt(offset - 1),
        )
  if (snapshot !== null) producers.restore(snapshot.entries, snapshot.offset)

  const examiner = new Examiner({
    ...options,
    found,
    marks: journal.marks,
    floor,
    clean,
    producers,
    snapshots,
  })
  // They go, but may be the only ones who know of some producers: until a snapshot at the base is durable,
  // all are there.
  const isKnown = snapshot !== null && snapshot.offset >= base.offset
  const from = snapshot?.offset ?? bases[0] ?? base.offset
  const examined = await examiner.run(
    isKnown ? kept : bases.filter((_, i) => (bases[i + 1] ?? base.offset + 1) > from),
    from,
  )
  const end = Math.max(base.offset, examined.end)
  const endPosition = journal.marks.positionOf(end)
  if (floor !== null && endPosition < floor.position) {
    throw refused(
      folder,
      `the journal ends at position ${endPosition}, but was durable up to ${floor.position}`,
    )
  }

  const isClean = clean !== null && examined.segments.every(({ isScanned }) => !isScanned)
  const recovered = { journal, producers, snapshots, isClean, barrier: barrier ?? freshBarrier(options) }
  const all = new Segments({ ...options, indexIntervalBytes: () => settings().indexIntervalBytes })
  if (isClean) {
    journal.assumeDurable()
    for (const one of examined.segments) all.add(one.baseOffset, one)
    return { ...recovered, segments: all, touched: [], leftovers: [] }
  }
  const touched = repair(options, { found, end, examined, journal, snapshots, all })
  for (const segment of touched) writeAgain(segment, barrier?.durable.offset ?? 0)
  if (found.length > 0) journal.writeAgain()
  snapshots.writeAgain(barrier?.durable.offset ?? 0)
  for (const { offset, entries } of examined.boundaries)
    snapshots.write({ offset, epoch: journal.marks.epochAt(offset - 1), entries })
  const first = all.list[0]?.baseOffset ?? Number.POSITIVE_INFINITY
  const leftovers = bases.filter((base) => base < first && !examined.beyond.includes(base))
  return { ...recovered, segments: all, touched, leftovers }
}

/** The second half: nothing stands against it, so the files are brought in line with what was found sound. */
function repair(
  options: RecoveryOptions,
  state: {
    found: readonly string[]
    end: number
    examined: Examined
    journal: Journal
    snapshots: ProducerSnapshots
    all: Segments
  },
): Segment[] {
  const { disk, folder, onEvent } = options
  const { found, end, examined, journal, snapshots, all } = state
  for (const name of found) {
    if (name === names.cleanName || name.endsWith(names.temporarySuffix)) disk.remove(`${folder}/${name}`)
  }
  const touched: Segment[] = []
  const cut = (path: string, position: number, bytes: number, offset: number, problem: string) => {
    const message = `${path}: cut ${bytes} torn bytes at ${position}: ${problem}`
    onEvent({ level: 'warn', event: 'log.tail.cut', message, folder, file: path, position, bytes, offset })
  }
  for (const one of examined.segments) {
    const isEmpty = one.tally.bytes === 0
    if (isEmpty || one.tally.endOffset <= journal.marks.base.offset) {
      // Without one sound batch, or below the base of the log: then its bytes go, and that is said.
      const path = all.path(one.baseOffset, 'batches')
      if (one.problem !== null) cut(path, 0, one.fileBytes, one.baseOffset, one.problem)
      // Kept in the list, an empty one would take the files of its successor along, which may begin at the same offset.
      if (isEmpty) all.removeFiles(one.baseOffset)
      continue
    }
    const segment = all.add(one.baseOffset, one)
    if (one.isScanned) touched.push(segment)
    if (one.fileBytes === segment.bytes) continue
    cut(
      segment.file.path,
      segment.bytes,
      one.fileBytes - segment.bytes,
      segment.endOffset,
      one.problem ?? 'bytes behind its end',
    )
    segment.file.truncate(segment.bytes)
  }
  for (const baseOffset of examined.beyond) putAside(options, baseOffset, end)
  for (const segment of all.list.slice(0, -1)) if (touched.includes(segment)) segment.seal()
  if (journal.tornBytes > 0) {
    onEvent({
      level: 'warn',
      event: 'log.tail.cut',
      message: `${folder}/${names.journalName}: cut ${journal.tornBytes} torn bytes at ${journal.bytes}`,
      folder,
      file: `${folder}/${names.journalName}`,
      position: journal.bytes,
      bytes: journal.tornBytes,
      offset: end,
    })
    journal.repair()
  }
  journal.cut(journal.marks.positionOf(end))
  journal.write()
  snapshots.removeAbove(end)
  if (found.length === 0) return [] // a new log
  onEvent({
    level: 'info',
    event: 'log.recovered',
    message: `${folder}: checked ${touched.length} of ${all.list.length} segments, ends at ${end}`,
    folder,
    segments: touched.length,
    endOffset: end,
  })
  return touched
}

/** Bytes that are read and written again at a time. */
const chunkBytes = 1_048_576

/**
 * After a failed sync the kernel still shows pages that never reached the disk, holds them for clean, and the next sync says
 * that all is well. So what lies above the barrier is written once more, the same bytes, before it is synced.
 */
function writeAgain(segment: Segment, fromOffset: number): void {
  let position = fromOffset <= segment.baseOffset ? 0 : segment.floorOfOffset(fromOffset).position
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, segment.bytes - position))
  while (position < segment.bytes) {
    const wanted = Math.min(chunk.length, segment.bytes - position)
    const got = segment.file.read(chunk.subarray(0, wanted), position)
    if (got < wanted)
      throw new Faulted('disk', `read ${segment.file.path}: ${got} of ${wanted} bytes at ${position}`)
    segment.file.write([chunk.subarray(0, got)], position)
    position += got
  }
}

/**
 * A segment behind a gap at or above the barrier: nothing in it was ever acknowledged, yet nobody but a
 * person deletes it.
 */
function putAside({ disk, folder, onEvent }: RecoveryOptions, baseOffset: number, end: number): void {
  const path = `${folder}/${names.offsetName(baseOffset, names.segmentSuffixes.batches)}`
  onEvent({
    level: 'warn',
    event: 'log.segment.aside',
    message: `${path} does not follow the end of the log at ${end}; kept as ${path}${names.asideSuffix}`,
    folder,
    baseOffset,
    endOffset: end,
  })
  disk.rename(path, `${path}${names.asideSuffix}`)
  disk.remove(`${folder}/${names.offsetName(baseOffset, names.segmentSuffixes.index)}`)
}

/** The marker of a clean close, if the files are still what it says. */
function readClean(
  { disk, files, folder }: RecoveryOptions,
  found: readonly string[],
  journal: Journal,
  bases: readonly number[],
): CleanState | null {
  if (!found.includes(names.cleanName)) return null
  const path = `${folder}/${names.cleanName}`
  const room = Buffer.alloc(disk.stat(path)?.size ?? 0)
  const file = files.open(path, 'read')
  const state = decodeClean(room.subarray(0, file.read(room, 0)))
  file.close()
  if (state === null || state.journalBytes !== journal.bytes || journal.tornBytes > 0) return null
  const isSame =
    bases.length === state.segments.length &&
    state.segments.every(({ baseOffset, bytes }, index) => {
      const batches = `${folder}/${names.offsetName(baseOffset, names.segmentSuffixes.batches)}`
      return baseOffset === bases[index] && disk.stat(batches)?.size === bytes
    })
  return isSame ? state : null
}

/**
 * null when it is damaged: what is bad may then be a torn tail or not, and is refused; a log without fault
 * opens.
 */
function readBarrier(options: RecoveryOptions): Barrier | null {
  try {
    return new Barrier(options)
  } catch (error) {
    if (!(error instanceof Faulted) || error.door !== 'bytes') throw error
    options.onEvent({
      level: 'error',
      event: 'log.barrier.damaged',
      message: error.message,
      folder: options.folder,
    })
    return null
  }
}

function freshBarrier(options: RecoveryOptions): Barrier {
  options.disk.remove(`${options.folder}/${names.barrierName}`)
  return new Barrier(options)
}
