/**
 * Stops taking records before the disk is full: what brokers keep for themselves, retention and deletion need room to go on, and a log
 * that meets the end of the disk is offline. Reading goes on; so does writing as soon as there is room again.
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Clock, Disk, Timer } from '../io/world.ts'
import type { BrokerEvent } from './broker.ts'

export interface DiskSpaceOptions {
  readonly clock: Clock
  readonly disk: Pick<Disk, 'freeBytes' | 'totalBytes'>
  /** On the file system in question. */
  readonly path: string
  /** What should stay free; of a small disk, a sixteenth. 0: nothing. */
  readonly freeBytesMin: number
  /** There is room, or again: told at each look. */
  readonly onRoom: () => void
  readonly onEvent: (event: BrokerEvent) => void
}

/** Between two looks; what is taken meanwhile is counted. */
const lookMs = 1000
const smallest = 16

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  readonly #freeBytesMin: number
  #freeBytes: number
  #isLow = false
  #isUnknown = false
  #timer: Timer | null = null

  constructor(options: DiskSpaceOptions) {
    const { disk, path, freeBytesMin } = options
    this.#options = options
    this.#freeBytesMin = Math.min(freeBytesMin, Math.floor(disk.totalBytes(path) / smallest))
    this.#freeBytes = disk.freeBytes(path)
  }

  start(): void {
    if (this.#freeBytesMin === 0) return
    this.#look()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** So many bytes of records were taken. */
  take(bytes: number): void {
    this.#freeBytes -= bytes
  }

  /** Why no records are taken now; null when they are. */
  refusal(): Refused | null {
    if (this.#freeBytes >= this.#freeBytesMin) return null
    return new Refused(
      'KAFKA_STORAGE_ERROR',
      `the disk of this broker is full: less than ${this.#freeBytesMin} bytes are free; records are taken again when there is room`,
    )
  }

  #look(): void {
    const { clock, path, onRoom, onEvent } = this.#options
    this.#measure()
    const isLow = this.#freeBytes < this.#freeBytesMin
    if (isLow && !this.#isLow) {
      onEvent({
        level: 'error',
        event: 'disk.low',
        message: `${this.#freeBytes} bytes are free below ${path}, and ${this.#freeBytesMin} must be (lograft.disk.free.bytes.min): no records are taken until there is room`,
        freeBytes: this.#freeBytes,
      })
    } else if (!isLow && this.#isLow) {
      onEvent({
        level: 'info',
        event: 'disk.room',
        message: `there is room below ${path} again: records are taken`,
      })
    }
    this.#isLow = isLow
    if (!isLow) onRoom()
    this.#timer = clock.setTimer(lookMs, () => this.#look())
  }

  /** A disk that does not answer fails the partitions that need it: it must not end the broker here. */
  #measure(): void {
    const { disk, path, onEvent } = this.#options
    try {
      this.#freeBytes = disk.freeBytes(path)
      this.#isUnknown = false
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      if (!this.#isUnknown) {
        onEvent({
          level: 'error',
          event: 'disk.unknown',
          message: `how much is free below ${path} is not known (${error.message}); the last known ${this.#freeBytes} bytes count`,
        })
      }
      this.#isUnknown = true
    }
  }
}
