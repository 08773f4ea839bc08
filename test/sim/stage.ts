/** What every actor of a simulation has at hand. */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Clock, Net } from '../../src/io/world.ts'
import type { Plan } from './plan.ts'
import type { Recorder } from './recorder.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface Stage {
  readonly plan: Plan
  /** Of the clients: it never ends. */
  readonly clock: Clock
  readonly random: SeededRandom
  readonly recorder: Recorder
  netOf(host: string): Net
  /** Clients go on while it is false. */
  isOver: boolean
  readonly places: readonly Place[]
  /** By key: how the quorum of a partition is called; known once there are topics. */
  readonly quorumNames: Map<string, string>
  /** Values are unique. */
  nextValue(): string
}

export function sleep(stage: Pick<Stage, 'clock'>, ms: number): Promise<void> {
  return new Promise((resolve) => void stage.clock.setTimer(ms, resolve))
}

export function keyOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`
}

export function pick<T>(items: readonly T[], random: SeededRandom): T {
  const item = items[random.below(items.length)]
  if (item === undefined) throw new Error('there is something to pick from')
  return item
}
