/**
 * When a log is synced, and what of it counts as durable.
 *
 * With `flush.messages` 1: every write is followed by a sync, as soon as the one before has ended; what arrives meanwhile shares
 * the next (group commit). Above 1 written counts, and a sync follows after so many records or so much time; only marks are
 * waited for, so that an epoch can never be opened twice and a file never goes before its decision is on disk.
 */
import type { Log } from '../log/log.ts'
import type { InFlight } from './in-flight.ts'
import type { ReplicaSettings } from './replica.ts'
import type { Synced, SyncQueue } from './sync-queue.ts'

export interface LogSyncOptions {
  readonly log: Log
  readonly settings: ReplicaSettings
  readonly syncs: SyncQueue
  readonly inFlight: InFlight
  /** Have `flushDue` called in so many milliseconds, or somewhat later. */
  readonly flushIn: (delayMs: number) => void
  /** How often the log was cut until now; given back with the sync that began then. */
  readonly truncations: () => number
  readonly onDurable: (position: number, truncations: number) => void
  readonly onFault: (error: unknown) => void
}

export class LogSync implements Synced {
  readonly #options: LogSyncOptions
  #settings: ReplicaSettings
  #state: 'idle' | 'queued' | 'running' | 'closed' = 'idle'
  /** Behind the last mark. */
  #markEnd = 0
  /** Offset up to which the last sync has reached. */
  #syncedEnd: number
  #isFlushArmed = false
  #isFlushDue = false

  constructor(options: LogSyncOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#syncedEnd = options.log.offsetAt(options.log.durablePosition)
  }

  configure(settings: ReplicaSettings): void {
    this.#settings = settings
  }

  get isWrittenDurable(): boolean {
    return this.#settings.flushMessages > 1
  }

  /** The position below which everything counts as durable. */
  get counted(): number {
    const { log } = this.#options
    const writtenCounts = this.#settings.flushMessages > 1 && log.durablePosition >= this.#markEnd
    return writtenCounts ? log.writtenPosition : log.durablePosition
  }

  /** A mark was appended that ends there. */
  marked(end: number): void {
    this.#markEnd = end
  }

  truncated(position: number): void {
    this.#markEnd = Math.min(this.#markEnd, position)
    this.#syncedEnd = Math.min(this.#syncedEnd, this.#options.log.end)
  }

  /** After a write, and after a sync. (A log that waits to carry out a cut writes only when it is synced.) */
  maybeRequest(): void {
    const { log, syncs, flushIn } = this.#options
    if (this.#state !== 'idle' || log.durablePosition >= log.endPosition) return
    if (this.#isDue()) {
      this.#state = 'queued'
      syncs.request(this)
    } else if (!this.#isFlushArmed && this.#settings.flushMs < Infinity) {
      this.#isFlushArmed = true
      flushIn(this.#settings.flushMs)
    }
  }

  flushDue(): void {
    this.#isFlushArmed = false
    this.#isFlushDue = true
    this.maybeRequest()
  }

  /** Called by the queue. */
  async sync(): Promise<void> {
    if (this.#state !== 'queued') return
    this.#state = 'running'
    const running = this.#run()
    this.#options.inFlight.run(running)
    await running
  }

  /** The last sync, when nothing else is in flight. */
  async close(): Promise<void> {
    const { log } = this.#options
    this.#state = 'closed'
    if (log.durablePosition < log.endPosition) await this.#run()
  }

  #isDue(): boolean {
    const { log } = this.#options
    const { flushMessages } = this.#settings
    const isForced = flushMessages === 1 || this.#isFlushDue || log.durablePosition < this.#markEnd
    return isForced || log.end - this.#syncedEnd >= flushMessages
  }

  async #run(): Promise<void> {
    const { log, truncations, onDurable, onFault } = this.#options
    const asOf = truncations()
    this.#isFlushDue = false
    try {
      const position = await log.sync()
      this.#syncedEnd = log.offsetAt(position)
      if (this.#state === 'running') this.#state = 'idle'
      onDurable(position, asOf)
    } catch (error) {
      // Never tried again: the kernel may have dropped the pages. The state stays 'running'.
      onFault(error)
    }
  }
}
