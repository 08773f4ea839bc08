/**
 * One partition on one disk: segments of record batches, their indexes, the journal of marks, producer
 * states.
 *
 * Two coordinates. An *offset* counts records and is what Kafka's users see. A *position* is what consensus
 * counts: every record is one unit wide, and every mark (an entry of the quorum itself: an epoch's start, the
 * voters, a move of the log start) is one unit wide too, but has no width in offsets. So
 *
 *     position = offset + number of marks before it
 *
 *     offsets        0   1   2       3   4           5
 *     units       E  r   r   r   E   r   r   S   V   r        E epoch start, S log start, V voters, r record
 *     positions   0  1   2   3   4   5   6   7   8   9
 *
 * and the offsets of users stay dense whatever the quorum does. Batches live in segments, marks in the
 * journal beside them.
 *
 * Life of an append: `append`/`appendMark` take their place in the order at once, in memory; `write` hands
 * all that waits to the files (one vectored write per segment); `sync` makes it durable. Nobody may read
 * above what is written, which the high watermark guarantees. Large writes, and all while the disk is slow, leave the
 * event loop (write-pace.ts) and are done some turns later.
 *
 * Any Faulted of a write or a sync is final: `fault` is set, every later mutation throws it again, nothing is
 * retried (the kernel may have dropped the pages). Reads below the durable end still work.
 *
 * A partition's folder:
 *
 *     <base offset, 20 digits>.log    batches of a segment, as they came            segment.ts
 *     <base offset>.index             where they lie, by offset and time. A cache   segment-index.ts
 *     <offset>.producers              producer states of all below. A cache         producer-snapshots.ts
 *     journal                         marks, cuts, the base: frames, appended       journal-format.ts
 *     barrier                         how far all this is known to be durable       barrier.ts, slots.ts
 *     clean                           left by a close, gone with the next change    clean-marker.ts
 *     <offset>-<epoch>.image          state of the machine that lives on this log   images.ts
 *
 * What holds: offsets and positions are dense. Epochs never go back. The journal gives every batch its epoch,
 * and the batch carries the same. The barrier is never ahead of what is durable. Nothing below the barrier is
 * cut to repair a log: it is refused, files as they are (recovery.ts).
 *
 * Ways in: segmented-log.ts (`openLog`), log-writer.ts (all that changes), log-reader.ts (reads and
 * look-ups), recovery.ts, dump.ts (a log read from outside, damaged or not).
 */
import type { Faulted } from '../base/errors.ts'

export interface Log {
  readonly folder: string
  /**
   * The first offset that users can read (low watermark). DeleteRecords may put it inside a batch. Above `end` only until
   * the batch that holds it has come to a log that was `reset`.
   */
  readonly start: number
  /** Where the log begins for consensus and in the files: at the batch that holds `start`. */
  readonly base: Base
  /** Exclusive, of all that was appended. */
  readonly end: number
  readonly endPosition: number
  /** Exclusive positions of what the files hold, and of what is durable. */
  readonly writtenPosition: number
  readonly durablePosition: number
  /** Bytes of all segments. */
  readonly sizeBytes: number
  readonly lastEpoch: number
  readonly fault: Faulted | null
  /** Called when `writtenPosition` has moved, or a fault has come, outside of any call. */
  onWritten: () => void
  readonly producers: ProducerStates
  /**
   * What the batches below `offset` say of producers, as far as it still counts: for `reset` of another replica, which must know a
   * batch that is sent again although its first copy was trimmed.
   */
  producersBelow(offset: number): Buffer

  /**
   * Appends one batch whose base offset (= `end`) and leader epoch are stamped already, and whose CRC was
   * verified when it came in. The buffer must not change any more. Updates the producer
   * states.
   */
  append(batch: Buffer): void
  /**
   * Appends a mark; returns its position. An epoch-start mark opens `epoch`, which must be above `lastEpoch`.
   */
  appendMark(mark: Mark, epoch: number): number
  /**
   * Writes what waits. Some may have to wait longer, and then follow by themselves, or with the next
   * `sync`: all that comes after a truncation of durable records, batches behind a mark that starts no
   * epoch, until that mark is durable, and what is written off the event loop. Whoever counts what is written looks at
   * `writtenPosition`. @throws Faulted
   */
  write(): void
  /**
   * Makes what was appended durable (and writes what had to wait) and returns the durable end position, which a
   * truncation meanwhile may have lowered. Calls that overlap are done one after the other. @throws Faulted
   */
  sync(): Promise<number>

  /** Cuts everything at and above `position`, marks and batches; producer states and indexes follow. */
  truncate(position: number): void
  /**
   * Raises `start` to `offset` (the decision is committed and its mark durable) and `base` to the batch that
   * holds it, and removes the segments, producer snapshots and journal entries that lie wholly below `base`.
   * Not above `start`: nothing happens. @throws Faulted
   */
  raiseStart(offset: number): Promise<void>

  /**
   * Replaces the log, durably, by an empty one that begins at `start`, above `base.position`: what a follower
   * lacks has gone from its leader's log. Nothing is appended or cut until it has resolved. Producer states
   * begin anew. @throws Faulted
   */
  reset(start: NewStart): Promise<void>

  /**
   * Whole batches from the one that contains `offset` (it may begin earlier), up to `boundOffset` (exclusive)
   * and about `maxBytes`; at least one batch when `minOne` and there is one, however large it is. Empty at or
   * above the bound. What an earlier process wrote is checked when it is first read. The caller has a use of each buffer
   * (base/buffer-pool.ts).
   * @throws Refused OFFSET_OUT_OF_RANGE below `start` or above `end`; Faulted 'bytes' when it is damaged
   */
  read(
    offset: number,
    limits: { boundOffset: number; maxBytes: number; minOne: boolean },
  ): Promise<ReadBatches>
  /**
   * Checks about so many bytes of what an earlier process wrote and nobody has read yet. Resolves with how many
   * there were; 0: all is checked. @throws Faulted 'bytes' when they are damaged
   */
  examine(bytesMax: number): Promise<number>
  /**
   * Bytes of the batches between two offsets that lie on batch bounds: exact where it was written lately, further
   * back rounded by the index; 0 only when there is nothing.
   */
  bytesBetween(offset: number, boundOffset: number): number

  /** The first record below the bound whose timestamp is at least `timestamp`. null when there is none. */
  offsetForTime(timestamp: number, boundOffset: number): Promise<RecordPlace | null>
  /** The record with the largest timestamp below the bound. null when there is none. */
  offsetOfMaxTimestamp(boundOffset: number): Promise<RecordPlace | null>

  /** The epoch of the record at `offset`; -1 when it is below what the journal knows. */
  epochOf(offset: number): number
  /**
   * The largest epoch not above `epoch` and the offset where it ended (KIP-320). `currentEpoch` is the
   * leader's. { epoch: -1, endOffset: -1 } when `epoch` is above any known.
   */
  epochEnd(epoch: number): { epoch: number; endOffset: number }
  /** For consensus: the epoch of the unit before `position` (0 when nothing is before it). */
  epochBefore(position: number): number

  /**
   * The offset that belongs to an exclusive end position, and the other way round (marks at the offset
   * included or not).
   */
  offsetAt(position: number): number
  /** Position of the record at `offset`, all marks at that offset lying before it. */
  positionOf(offset: number): number
  /** Marks in [fromPosition, toPosition), in order. */
  marks(fromPosition: number, toPosition: number): readonly PlacedMark[]

  /** What retention sees: segments from oldest to newest; the last one is being written. */
  readonly segments: readonly SegmentSummary[]

  /** Images (snapshots) of a state machine kept beside the log; see images.ts. */
  readonly images: Images

  /** Applies settings that may change while the log is open (roll by size and time, index interval, ...). */
  configure(settings: LogSettings): void
  /** Rolls the active segment when `segment.ms` has passed since its first append; called from the ticker. */
  maybeRoll(): boolean
  /** Writes, syncs, leaves the clean marker (with the producer states), closes. */
  close(): Promise<void>
}

/**
 * Where a log begins. Consensus and files know whole batches, users know records:
 *
 *     offsets    87  88  89 | 90  91  92 | 93          raiseStart(91): { offset 90, start 91 }
 *                batch      | batch      | ...         reads from 91 on; a copy of this log needs the batch from 90 on
 */
export interface Base {
  /** Of the first batch that is kept (or, without one, of what comes next): never inside a batch. */
  readonly offset: number
  /** The lowest that is kept: of the first mark at `offset`, or of the record there. */
  readonly position: number
  /** Of the unit before `position`; 0 when there is none. */
  readonly epoch: number
  /** What users see as the log's start: `offset`, or a record further on in the first batch. */
  readonly start: number
}

/** A base, the voters in force there, and what the log before it said of producers (`producersBelow` of another replica). */
export interface NewStart extends Base {
  readonly producers: Buffer
  readonly voters: Extract<Mark, { kind: 'voters' }>
}

/** An entry of the quorum itself. */
export type Mark =
  | { kind: 'epochStart'; leaderId: number }
  /**
   * `outgoing`: in a joint configuration, the voters it leads away from. `disks`: of the voters, then of
   * those; '' if unknown.
   */
  | {
      kind: 'voters'
      voters: readonly number[]
      outgoing: readonly number[]
      disks: readonly string[]
    }
  | { kind: 'logStart'; offset: number }

export interface PlacedMark {
  readonly mark: Mark
  readonly position: number
  readonly offset: number
  readonly epoch: number
}

export interface ReadBatches {
  /** Runs of whole batches, one run per segment: each buffer holds one batch or many. */
  readonly batches: readonly Buffer[]
  readonly bytes: number
  /** The offset after the last batch; the asked offset when empty. */
  readonly nextOffset: number
}

export interface RecordPlace {
  readonly offset: number
  readonly timestamp: number
  readonly epoch: number
}

export interface SegmentSummary {
  readonly baseOffset: number
  readonly endOffset: number
  readonly bytes: number
  /**
   * When the broker last appended to it, wall ms: the clock that retention trusts (never a client's
   * timestamp).
   */
  readonly lastAppendMs: number
  readonly maxTimestamp: number
}

export interface LogSettings {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly indexBytesMax: number
  readonly expandedBytesMax: number
  readonly producerExpirationMs: number
  readonly producersMax: number
}

/**
 * Idempotence, per producer id: epoch and the last five batches. Reflects all that was appended, committed or
 * not.
 */
export interface ProducerStates {
  /**
   * What to do with a batch that carries a producer id: 'append', the place where the same batch already lies
   * (answer it again, once it is committed), or the refusal (OUT_OF_ORDER_SEQUENCE_NUMBER,
   * INVALID_PRODUCER_EPOCH).
   */
  check(
    batch: Buffer,
  ): 'append' | { baseOffset: number; lastOffset: number; timestamp: number } | RefusedProducer
  readonly size: number
  list(): readonly ProducerSummary[]
}

export interface RefusedProducer {
  readonly refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER' | 'INVALID_PRODUCER_EPOCH'
  readonly detail: string
}

export interface ProducerSummary {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  readonly currentTransactionStart: number
}

/** The images of the state machine that lives on this log. */
export interface Images {
  /**
   * Writes the state at `offset` (exclusive: all below is in it), durable when resolved; older images go
   * afterwards.
   */
  write(offset: number, epoch: number, image: Buffer): Promise<void>
  /** The newest image that is whole, or null. A damaged one is passed over, kept aside and logged. */
  newest(): { offset: number; epoch: number; image: Buffer } | null
}
