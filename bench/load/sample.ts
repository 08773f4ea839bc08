/** What a piece of load showed, and the middle of several. */
import { settleMachine } from '../page-cache.ts'
import { median } from '../statistics.ts'
import { cpuOf, cpuSecondsOf } from '../usage.ts'
import type { Throughput } from './produce.ts'

export interface Sample {
  readonly megabytesPerSecond: number
  readonly recordsPerSecond: number
  /** CPU seconds of the processes that were measured; NaN when there was none. */
  readonly cpuPerGigabyte: number
  readonly systemPerGigabyte: number
}

/** What the processes still do when the load has its last answer belongs to the price: followers copy, for one. */
export async function sampleOf(pids: readonly number[], load: () => Promise<Throughput>): Promise<Sample> {
  const before = cpuOf(pids)
  const done = await load()
  await settled(pids)
  const after = cpuOf(pids)
  const gigabytes = done.bytes / 1e9
  const system = after.system - before.system
  return {
    megabytesPerSecond: done.bytes / 1e6 / done.seconds,
    recordsPerSecond: done.records / done.seconds,
    cpuPerGigabyte: (after.user - before.user + system) / gigabytes,
    systemPerGigabyte: system / gigabytes,
  }
}

/**
 * A B, B A, A B: what drifts on this machine drifts for all. The first round warms up and is thrown away. What one has written and deleted is
 * settled before the next has its turn: else it decides whose turn it is when the system writes back, or has no memory at hand.
 */
export async function inTurns<Name extends string, S extends object>(
  rounds: number,
  contestants: Readonly<Record<Name, () => Promise<S>>>,
): Promise<Record<Name, S[]>> {
  const names = Object.keys(contestants) as Name[]
  const seen = Object.fromEntries(names.map((name) => [name, [] as S[]])) as Record<Name, S[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      settleMachine()
      const sample = await contestants[name]()
      if (round > 0) seen[name].push(sample)
    }
  }
  return seen
}

export function medianOf<Key extends string>(
  samples: readonly Readonly<Record<Key, number>>[],
  key: Key,
): number {
  return median(samples.map((sample) => sample[key]))
}

/** Until each of them does little more than keep itself alive. */
async function settled(pids: readonly number[]): Promise<void> {
  for (let left = 10; left > 0; left--) {
    const before = cpuSecondsOf(pids)
    await new Promise((resolve) => setTimeout(resolve, 200))
    if (cpuSecondsOf(pids) - before < 0.03 * pids.length) return
  }
}
