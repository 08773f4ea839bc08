/** One batch on its way to one partition: its records, who waits for them, and what is known of its fate. */
import type { Codec } from '../src/records/codecs.ts'
import { BatchBuilder, type BatchOptions, type RecordContent, readRecords } from '../src/records/records.ts'
import type { Compressor } from './compressor.ts'
import type { KafkaError } from './errors.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { RecordPlace } from './record.ts'

/** Called once for each record: with the error, or with its place. Must not throw. */
export type Done = (error: KafkaError | null, place: RecordPlace | null) => void

/** A `Done` of many records, told by the mark which of them it is: a closure for each would be a third of the work. */
export type Settler = (error: KafkaError | null, place: RecordPlace | null, mark: number) => void

/** An idempotent producer's name in one partition (KIP-98). */
export interface Identity {
  readonly producerId: number
  readonly epoch: number
}

export interface BatchInit {
  readonly order: number
  readonly openedAt: number
  readonly deadline: number
  readonly codec: Codec
  readonly level: number | undefined
  /** What it will take, by a guess. */
  readonly expectedBytes: number
}

export class ProducerBatch {
  /** Its age in its partition: what order means when batches come back. */
  readonly order: number
  /** Monotonic ms: it was opened, and must be settled. */
  readonly openedAt: number
  readonly deadline: number
  readonly home: PartitionQueue
  /** What it counts in the producer's memory. */
  heldBytes = 0
  readonly #options: BatchOptions
  readonly #init: BatchInit
  readonly #builder: BatchBuilder
  readonly #settlers: Settler[] = []
  readonly #marks: number[] = []
  readonly #timestamps: number[] = []
  #bytes: Buffer | null = null
  #compressed: Buffer | undefined
  /** Its records are being compressed elsewhere. */
  isCompressing = false
  #hasCompressed = false
  /** No more records go in. */
  isClosed = false
  isSettled = false
  /** Sent at least once without an answer that settles whether it is stored. */
  mayBeStored = false
  identity: Identity | null = null
  /** Of its first record; -1 until it is sent for the first time. */
  sequence = -1
  lastError: KafkaError | null = null
  readonly whenSettled: (() => void)[] = []

  constructor(home: PartitionQueue, options: BatchInit) {
    this.home = home
    this.order = options.order
    this.openedAt = options.openedAt
    this.deadline = options.deadline
    this.#init = options
    this.#options = { codec: options.codec, ...(options.level !== undefined && { level: options.level }) }
    this.#builder = new BatchBuilder(this.#options, options.expectedBytes)
  }

  get count(): number {
    return this.#settlers.length
  }

  /** Before compression. */
  get sizeBytes(): number {
    return this.#builder.sizeBytes
  }

  append(content: RecordContent, settler: Settler, mark: number): void {
    this.#builder.append(content)
    this.#settlers.push(settler)
    this.#marks.push(mark)
    this.#timestamps.push(content.timestamp)
  }

  /** Gives it its name and number; what was built under another is built again. */
  sequenceAs(identity: Identity | null, sequence: number): void {
    this.identity = identity
    this.sequence = sequence
    this.#options.producerId = identity?.producerId ?? -1
    this.#options.producerEpoch = identity?.epoch ?? -1
    this.#options.baseSequence = sequence
    this.#bytes = null
  }

  /** The batch as it goes to the broker; no record goes in afterwards. Built once, so a retry sends the same bytes. */
  build(): Buffer {
    this.isClosed = true
    this.#bytes ??= this.#builder.build(this.#compressed)
    return this.#bytes
  }

  /**
   * Compresses the records elsewhere, once, when that is worth it; no record goes in afterwards. Returns false when there is
   * nothing (more) of that to do, else `done` is called: not in this turn.
   */
  compress(compressor: Compressor, done: () => void): boolean {
    const { codec, level } = this.#init
    if (this.#hasCompressed || !compressor.takes(codec, this.sizeBytes)) return false
    this.#hasCompressed = true
    this.isClosed = true
    this.isCompressing = true
    void compressor.compress(codec, level, this.#builder.records).then((bytes) => {
      this.#compressed = bytes ?? undefined
      this.isCompressing = false
      done()
    })
    return true
  }

  succeed(baseOffset: number, logAppendTimeMs: number): void {
    const { topic, index: partition } = this.home
    for (let i = 0; i < this.#settlers.length; i++) {
      const offset = baseOffset < 0 ? -1 : baseOffset + i
      const timestamp = logAppendTimeMs >= 0 ? logAppendTimeMs : (this.#timestamps[i] ?? -1)
      this.#settlers[i]?.(null, { topic, partition, offset, timestamp }, this.#marks[i] ?? 0)
    }
    this.#settle()
  }

  /** `errorOf` gives each record its own error. */
  fail(errorOf: (recordIndex: number) => KafkaError): void {
    for (let i = 0; i < this.#settlers.length; i++) this.#settlers[i]?.(errorOf(i), null, this.#marks[i] ?? 0)
    this.#settle()
  }

  /** Moves the records, with those who wait for them, into two batches of half the size. */
  split(): readonly [ProducerBatch, ProducerBatch] {
    const halves = [
      new ProducerBatch(this.home, this.#init),
      new ProducerBatch(this.home, this.#init),
    ] as const
    const records = readRecords(this.build(), 0, { maxExpandedBytes: Number.MAX_SAFE_INTEGER })
    const middle = Math.ceil(records.length / 2)
    records.forEach((record, i) => {
      const settler = this.#settlers[i]
      if (settler !== undefined) halves[i < middle ? 0 : 1].append(record, settler, this.#marks[i] ?? 0)
    })
    halves[1].whenSettled.push(...this.whenSettled)
    halves[1].heldBytes = this.heldBytes
    this.isSettled = true
    return halves
  }

  #settle(): void {
    this.isSettled = true
    for (const settled of this.whenSettled) settled()
  }
}
