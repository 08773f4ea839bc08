/** Long work that others do, looked at now and then: how much is left, and whether it still goes on. */
import type { Cluster } from './cluster.ts'
import { KafkaError } from './errors.ts'
import { nameOf, type TopicPartition } from './partition.ts'

export interface WaitOptions {
  /** Gives up when nothing has changed for so long. Data are on their way: mind the time that one partition takes. */
  readonly stallTimeoutMs?: number
  /** Gives up after so long, whatever has changed. */
  readonly timeoutMs?: number | undefined
  /** Told whenever the number of partitions that are left has changed. */
  readonly onProgress?: (left: number) => void
}

/** Between two looks: soon at first, for an empty partition moves in no time. */
const firstPauseMs = 50
const pauseMaxMs = 1_000

/**
 * Calls `look` until it finds no partition any more. @throws KafkaError REQUEST_TIMED_OUT, naming some that are left; what was
 * begun goes on
 */
export async function untilNone(
  cluster: Cluster,
  what: string,
  options: WaitOptions,
  look: () => Promise<readonly TopicPartition[]>,
): Promise<void> {
  const { stallTimeoutMs = 600_000, timeoutMs = Infinity, onProgress } = options
  const start = cluster.clock.monotonic()
  let changedAt = start
  let before = -1
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, pauseMaxMs)) {
    const left = await look()
    const now = cluster.clock.monotonic()
    if (left.length !== before) {
      before = left.length
      changedAt = now
      onProgress?.(left.length)
    }
    if (left.length === 0) return
    if (now - changedAt >= stallTimeoutMs) throw stalled(what, left, now - changedAt)
    if (now + pauseMs - start > timeoutMs) throw stalled(what, left, now - changedAt)
    await cluster.lifetime.sleep(pauseMs)
  }
}

const namesMax = 5

/** Of the first few. */
export function namesOf(partitions: readonly TopicPartition[]): string {
  const more = partitions.length > namesMax ? ` and ${partitions.length - namesMax} more` : ''
  return `${partitions.slice(0, namesMax).map(nameOf).join(', ')}${more}`
}

function stalled(what: string, left: readonly TopicPartition[], quietMs: number): KafkaError {
  const seconds = Math.round(quietMs / 1000)
  return new KafkaError(
    'REQUEST_TIMED_OUT',
    `${what}: not done yet are ${namesOf(left)}; nothing has changed for ${seconds} s`,
    {
      retriable: true,
      advice:
        'what was begun goes on; check that the brokers are up and that these partitions have leaders, then say it again',
    },
  )
}
