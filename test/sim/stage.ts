/** What every actor of a simulation has at hand. */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Clock, Net } from '../../src/io/world.ts'
import { port } from './machine.ts'
import type { Plan } from './plan.ts'
import type { Recorder } from './recorder.ts'
import { WireClient } from './wire-client.ts'

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
  /** Each connection breaks with this probability. */
  resetConnections(probability: number): void
  healNet(): void
  /** Clients go on while it is false. */
  isOver: boolean
  /** Where clients begin. */
  readonly bootstrap: { readonly host: string; readonly port: number }
  readonly places: readonly Place[]
  /** Values are unique. */
  nextValue(): string
}

export function sleep(stage: Pick<Stage, 'clock'>, ms: number): Promise<void> {
  return new Promise((resolve) => void stage.clock.setTimer(ms, resolve))
}

export function wireClient(stage: Stage, name: string, timeoutMs = 2000): WireClient {
  const { host } = stage.bootstrap
  return new WireClient({ net: stage.netOf(name), clock: stage.clock, host, port, timeoutMs })
}

export function keyOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`
}

export function pick<T>(items: readonly T[], random: SeededRandom): T {
  const item = items[random.below(items.length)]
  if (item === undefined) throw new Error('there is something to pick from')
  return item
}
