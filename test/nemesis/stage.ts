/** What every client of an attacked cluster has at hand. */
import type { NemesisCluster } from './cluster.ts'
import type { Recording } from './recording.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface Stage {
  readonly cluster: NemesisCluster
  readonly recording: Recording
  readonly places: readonly Place[]
  /** Clients go on while it is false. */
  isOver: boolean
  /** Values are unique. */
  nextValue(): string
}

export function keyOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new Error('there is something to pick from')
  return item
}

/** Resolves when it holds. @throws after `timeoutMs`, with what was waited for */
export async function until(
  what: string,
  timeoutMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await sleep(50)
  }
}
