/**
 * Reads what nobody reads: a little at a time, all that lay on the disk when this process began is looked at once, so that damage is
 * found while other replicas can still repair it.
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import type { Partition } from './partition.ts'

export interface ScrubberOptions {
  readonly clock: Clock
  readonly partitions: () => Iterable<Partition>
  /** 0: nothing is looked at. */
  readonly bytesPerSecond: () => number
}

const stepBytes = 256 * 1024
/** Between two looks at everything, when everything was in order. */
const restMs = 60_000

export class Scrubber {
  readonly #options: ScrubberOptions
  #isStopped = false
  #wake: () => void = () => {}
  #running: Promise<void> = Promise.resolve()

  constructor(options: ScrubberOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      for (const partition of this.#options.partitions()) await this.#examine(partition)
      await this.#pause(restMs)
    }
  }

  async #examine(partition: Partition): Promise<void> {
    const { replica } = partition
    while (!this.#isStopped && replica.fault === null) {
      const rate = this.#options.bytesPerSecond()
      if (rate === 0) return
      try {
        const bytes = await partition.examine(stepBytes)
        if (bytes === 0) return
        await this.#pause((bytes * 1000) / rate)
      } catch (error) {
        // The partition has said so, and does what is to be done; or it is closed meanwhile.
        if (error instanceof Refused || error instanceof Faulted) return
        throw error
      }
    }
  }

  #pause(ms: number): Promise<void> {
    // Told to stop while it was reading, it is not woken again.
    if (this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(ms, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
