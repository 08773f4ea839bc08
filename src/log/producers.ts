/**
 * What a partition remembers of idempotent producers: per producer id its epoch and its last five batches, so
 * that a batch that is sent again is recognised, and one that went missing is noticed.
 *
 * A function of the log alone (plus a time of last use, for expiry): truncation rolls it back, and after a
 * restart it is read again. Entries are values that are replaced, never changed, so rolling back means to put
 * the former one in its place.
 *
 * @source org.apache.kafka.storage.internals.log: ProducerAppendInfo, ProducerStateEntry, ProducerStateManager (4.3.1)
 */
import * as batch from '../records/batch.ts'
import type { ProducerStates, ProducerSummary, RefusedProducer } from './log.ts'

/** What a client may have in flight, and so send again. */
const windowSize = 5
/**
 * Changes that can be undone without reading the log. More are in flight for one partition only in a storm.
 */
const undoMax = 128

export interface SequencedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly timestamp: number
}

export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  /** The last five at most, oldest first. Empty after a control batch of a new epoch. */
  readonly batches: readonly SequencedBatch[]
  /** Of the last batch or marker that touched this entry: entries are forgotten in this order. */
  readonly lastOffset: number
  /** Wall ms at which that was appended here. */
  readonly usedMs: number
  readonly coordinatorEpoch: number
  /** First offset of the open transaction, -1 when there is none. */
  readonly transactionStart: number
}

export interface ProducersOptions {
  readonly producerExpirationMs: number
  readonly producersMax: number
}

interface Change {
  readonly offset: number
  readonly producerId: number
  readonly before: ProducerEntry | undefined
}

export class Producers implements ProducerStates {
  /** Least recently appended first. */
  readonly #entries = new Map<number, ProducerEntry>()
  #options: ProducersOptions
  readonly #nowMs: () => number
  readonly #undo: Change[] = []
  /** Everything at and above this offset can be undone. */
  #undoFrom = 0

  constructor(options: ProducersOptions, nowMs: () => number) {
    this.#options = options
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#entries.size
  }

  configure(options: ProducersOptions): void {
    this.#options = options
  }

  check(
    bytes: Buffer,
  ): 'append' | { baseOffset: number; lastOffset: number; timestamp: number } | RefusedProducer {
    const producerId = batch.producerId(bytes, 0)
    if (producerId < 0) return 'append'
    const entry = this.#entries.get(producerId)
    // Nothing known: expired, trimmed, or new here. Any sequence may begin.
    if (entry === undefined || this.#isExpired(entry, this.#nowMs())) return 'append'
    const epoch = batch.producerEpoch(bytes, 0)
    const first = batch.baseSequence(bytes, 0)
    if (epoch < entry.producerEpoch) {
      return {
        refused: 'INVALID_PRODUCER_EPOCH',
        detail: `producer ${producerId} comes with epoch ${epoch}, it is at ${entry.producerEpoch}`,
      }
    }
    if (epoch > entry.producerEpoch) {
      if (first === 0) return 'append'
      return outOfOrder(producerId, `epoch ${epoch} is new and begins with ${first}, not with 0`)
    }
    // The usual case first: what follows the last one cannot be one of the last five.
    const previous = entry.batches.at(-1)?.lastSequence ?? -1
    if (first === (previous === 0x7fffffff ? 0 : previous + 1)) return 'append'
    const last = batch.lastSequence(bytes, 0)
    const same = entry.batches.find((one) => one.firstSequence === first && one.lastSequence === last)
    if (same !== undefined) return same
    return outOfOrder(producerId, `${first} comes after ${previous}`)
  }

  list(): readonly ProducerSummary[] {
    const nowMs = this.#nowMs()
    const summaries: ProducerSummary[] = []
    for (const entry of this.#entries.values()) {
      if (this.#isExpired(entry, nowMs)) continue
      const last = entry.batches.at(-1)
      summaries.push({
        producerId: entry.producerId,
        producerEpoch: entry.producerEpoch,
        lastSequence: last?.lastSequence ?? -1,
        lastTimestamp: last?.timestamp ?? -1,
        coordinatorEpoch: entry.coordinatorEpoch,
        currentTransactionStart: entry.transactionStart,
      })
    }
    return summaries
  }

  /** All entries, least recently appended first: for snapshots. */
  entries(): IterableIterator<ProducerEntry> {
    return this.#entries.values()
  }

  /** What of it the batches below `offset` say. Of a producer that has begun a new epoch since, nothing: it sends none of them again. */
  below(offset: number): ProducerEntry[] {
    return [...this.#entries.values()].flatMap((entry) => {
      const batches = entry.batches.filter((one) => one.lastOffset < offset)
      const last = batches.at(-1)
      if (last === undefined) return []
      const transactionStart = entry.transactionStart < offset ? entry.transactionStart : -1
      return [{ ...entry, batches, lastOffset: last.lastOffset, transactionStart }]
    })
  }

  /** Begins anew with the entries of a snapshot taken at `offset`. */
  restore(entries: Iterable<ProducerEntry>, offset: number): void {
    this.#entries.clear()
    for (const entry of entries) this.#entries.set(entry.producerId, entry)
    this.#undo.length = 0
    this.#undoFrom = offset
  }

  /**
   * Takes note of a batch that has its place in the log; `check` allowed it, there or where it was first
   * appended.
   */
  append(bytes: Buffer, at: number): void {
    const producerId = batch.producerId(bytes, at)
    if (producerId < 0) return
    const before = this.#entries.get(producerId)
    const baseOffset = batch.baseOffset(bytes, at)
    this.#remember({ offset: baseOffset, producerId, before })
    this.#entries.delete(producerId)
    const nowMs = this.#nowMs()
    const known = before === undefined || this.#isExpired(before, nowMs) ? undefined : before
    this.#entries.set(producerId, nextEntry(known, bytes, at, nowMs))
    this.#forgetOldest(baseOffset, nowMs)
  }

  /**
   * Takes back everything at and above `offset`. Returns false when that is further back than is remembered:
   * the states must be read from the log.
   */
  rollBack(offset: number): boolean {
    if (offset < this.#undoFrom) return false
    if ((this.#undo.at(-1)?.offset ?? -1) < offset) return true
    for (
      let last = this.#undo.at(-1);
      last !== undefined && last.offset >= offset;
      last = this.#undo.at(-1)
    ) {
      if (last.before === undefined) this.#entries.delete(last.producerId)
      else this.#entries.set(last.producerId, last.before)
      this.#undo.pop()
    }
    const inOrder = [...this.#entries.values()].sort((a, b) => a.lastOffset - b.lastOffset)
    this.#entries.clear()
    for (const entry of inOrder) this.#entries.set(entry.producerId, entry)
    return true
  }

  #remember(change: Change): void {
    if (this.#undo.length >= undoMax) {
      const dropped = this.#undo.splice(0, undoMax / 2)
      this.#undoFrom = (dropped.at(-1)?.offset ?? change.offset) + 1
    }
    this.#undo.push(change)
  }

  /** Those beyond the bound, and those unused for too long; the oldest come first. */
  #forgetOldest(offset: number, nowMs: number): void {
    for (const oldest of this.#entries.values()) {
      if (this.#entries.size <= this.#options.producersMax && !this.#isExpired(oldest, nowMs)) return
      const { producerId } = oldest
      this.#remember({ offset, producerId, before: oldest })
      this.#entries.delete(producerId)
    }
  }

  /** An open transaction holds its producer, as in Kafka. */
  #isExpired(entry: ProducerEntry, nowMs: number): boolean {
    return entry.transactionStart < 0 && nowMs - entry.usedMs >= this.#options.producerExpirationMs
  }
}

/**
 * The entry after this batch; a function of the two (and the clock), so that replaying the log gives the
 * same.
 */
function nextEntry(
  before: ProducerEntry | undefined,
  bytes: Buffer,
  at: number,
  nowMs: number,
): ProducerEntry {
  const producerEpoch = batch.producerEpoch(bytes, at)
  const baseOffset = batch.baseOffset(bytes, at)
  const lastOffset = batch.lastOffset(bytes, at)
  const isControl = batch.isControl(bytes, at)
  // A new epoch begins with an empty window.
  const window = before !== undefined && before.producerEpoch === producerEpoch ? before.batches : []
  const own: SequencedBatch = {
    firstSequence: batch.baseSequence(bytes, at),
    lastSequence: batch.lastSequence(bytes, at),
    baseOffset,
    lastOffset,
    timestamp: batch.maxTimestamp(bytes, at),
  }
  const open = before?.transactionStart ?? -1
  const continued = batch.isTransactional(bytes, at) ? (open < 0 ? baseOffset : open) : open
  return {
    producerId: batch.producerId(bytes, at),
    producerEpoch,
    batches: isControl ? window : lastOf(window, own),
    lastOffset,
    usedMs: nowMs,
    coordinatorEpoch: before?.coordinatorEpoch ?? -1,
    transactionStart: isControl ? -1 : continued,
  }
}

/** `slice` and `concat` take five times as long. */
function lastOf(window: readonly SequencedBatch[], own: SequencedBatch): SequencedBatch[] {
  const batches: SequencedBatch[] = []
  for (let i = Math.max(0, window.length - windowSize + 1); i < window.length; i++) {
    batches.push(window[i] as SequencedBatch)
  }
  batches.push(own)
  return batches
}

function outOfOrder(producerId: number, detail: string): RefusedProducer {
  return { refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER', detail: `producer ${producerId}: ${detail}` }
}
