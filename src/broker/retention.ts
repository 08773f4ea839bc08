/** Retention by time and size: looks at every partition that leads here, every so often, and raises its start. */

import { Refused } from '../base/errors.ts'
import type { Clock, Timer } from '../io/world.ts'
import { retentionStart } from '../log/retention.ts'
import type { BrokerEvent } from './broker.ts'
import type { Partition } from './partition.ts'

export interface RetentionOptions {
  readonly clock: Clock
  readonly partitions: () => Iterable<Partition>
  readonly intervalMs: () => number
  readonly onEvent: (event: BrokerEvent) => void
}

export class Retention {
  readonly #options: RetentionOptions
  #timer: Timer | null = null
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#isStopped) return
    this.#timer = this.#options.clock.setTimer(this.#options.intervalMs(), () => {
      this.#running = this.sweep().then(() => this.start())
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#running
  }

  /** One look at everything. A partition that cannot is passed over: it says so itself. */
  async sweep(): Promise<void> {
    for (const partition of this.#options.partitions()) {
      if (this.#isStopped) return
      const { replica, settings } = partition
      if (!replica.isReady || replica.fault !== null) continue
      try {
        await this.#sweep(partition, settings.retentionMs, settings.retentionBytes)
      } catch (error) {
        if (!(error instanceof Refused) && replica.fault === null) throw error
      }
    }
  }

  async #sweep(partition: Partition, retentionMs: number, retentionBytes: number): Promise<void> {
    const { replica } = partition
    const { log } = replica
    log.maybeRoll()
    const nowMs = this.#options.clock.now()
    const target = retentionStart(
      log.segments,
      { retentionMs, retentionBytes },
      nowMs,
      replica.highWatermark,
      log.start,
    )
    if (target <= log.start) return
    const before = log.start
    await replica.raiseStart(target)
    this.#options.onEvent({
      level: 'info',
      event: 'retention.start.raised',
      message: `${partition.name}: records [${before}, ${target}) are past their retention`,
      partition: partition.name,
      from: before,
      to: target,
    })
  }
}
