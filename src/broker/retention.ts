/**
 * Retention by time and size: looks at every partition that leads here, every so often, and raises its start. The logs of
 * machines are left alone: those are trimmed below their own images, whatever the topics' defaults say.
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Clock, Timer } from '../io/world.ts'
import { retentionStart } from '../log/retention.ts'
import type { BrokerEvent } from './broker.ts'
import { isInternalTopic } from './internal-topics.ts'
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
      this.#running = this.#sweep().then(() => this.start())
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#running
  }

  /** One look at everything, one partition after the other: the disk has better things to do. */
  async #sweep(): Promise<void> {
    for (const partition of this.#options.partitions()) {
      if (this.#isStopped) return
      const { replica } = partition
      const isHealthy = replica.isReady && replica.fault === null && replica.log.fault === null
      if (!isHealthy || isInternalTopic(partition.topic.name)) continue
      try {
        await this.#look(partition)
      } catch (error) {
        // Deleted meanwhile, or led by another: not ours any more.
        if (error instanceof Refused) continue
        if (!(error instanceof Faulted)) throw error
        this.#options.onEvent({
          level: 'error',
          event: 'retention.failed',
          message: `${partition.name}: old records could not be removed: ${error.message}`,
          partition: partition.name,
        })
      }
    }
  }

  async #look(partition: Partition): Promise<void> {
    const { replica, settings } = partition
    const { log } = replica
    log.maybeRoll()
    const before = log.start
    const target = retentionStart(
      log.segments,
      settings,
      this.#options.clock.now(),
      replica.highWatermark,
      before,
    )
    if (target <= before) return
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
