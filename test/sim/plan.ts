/**
 * What a seed stands for, as data: the settings, the workload and the faults of one run, drawn before it begins, so that a
 * failing run can be written down, read, and cut smaller. Each feature is tossed on or off, not only turned up or down.
 */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'

export type Fault =
  | { readonly kind: 'kill' | 'losePower' | 'stop'; readonly atMs: number; readonly downMs: number }
  /** The power goes at the `operations`-th change of the disk after `atMs`. */
  | {
      readonly kind: 'losePowerAt'
      readonly atMs: number
      readonly operations: number
      readonly downMs: number
    }
  /**
   * The next sync of a file fails; after `restartMs` the machine is restarted. Not only the process: the kernel has dropped what
   * it could not write from what it will ever write, and still shows it to who reads.
   */
  | { readonly kind: 'failSync'; readonly atMs: number; readonly restartMs: number }
  /** No byte more fits; then there is room again, and the process is restarted. */
  | { readonly kind: 'fillDisk'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'slowDisk'; readonly atMs: number; readonly forMs: number; readonly syncMaxMs: number }
  | { readonly kind: 'jump'; readonly atMs: number; readonly byMs: number }
  | { readonly kind: 'resetConnections'; readonly atMs: number; readonly probability: number }

export interface TopicPlan {
  readonly name: string
  readonly partitions: number
  readonly configs: { readonly [name: string]: string }
}

export interface Plan {
  readonly seed: number
  readonly durationMs: number
  readonly settings: { readonly [name: string]: string }
  readonly topics: readonly TopicPlan[]
  readonly net: { readonly delayMaxMs: number; readonly pieceBytesMax: number }
  readonly syncMaxMs: number
  readonly clients: {
    readonly producers: number
    readonly rawProducers: number
    readonly readers: number
    readonly committers: number
    readonly members: number
    readonly listers: number
    readonly trimmer: boolean
    readonly administrator: boolean
    readonly codecs: readonly ('none' | 'gzip' | 'snappy' | 'lz4')[]
  }
  readonly faults: readonly Fault[]
  /** How the broker goes down between the last write and the final reading. */
  readonly lastEnd: 'kill' | 'losePower' | 'stop'
}

export function planOf(seed: number, random: SeededRandom): Plan {
  const durationMs = 3000 + random.below(5000)
  const on = (probability = 0.5): boolean => random.chance(probability)
  const oneOf = <T>(...choices: T[]): T => choices[random.below(choices.length)] as T
  return {
    seed,
    durationMs,
    settings: {
      'group.initial.rebalance.delay.ms': '0',
      'log.retention.check.interval.ms': String(oneOf(50, 300, 2000)),
      'offsets.topic.num.partitions': String(oneOf(1, 2)),
      'lograft.image.changes.max': String(oneOf(5, 50, 10_000)),
      'lograft.syncs.in.flight.max': String(oneOf(1, 4)),
      'lograft.files.open.max': String(oneOf(2, 8, 0)),
      'controlled.shutdown.timeout.ms': '2000',
    },
    topics: topicsOf(random, on, oneOf),
    net: { delayMaxMs: oneOf(0.5, 3, 20), pieceBytesMax: oneOf(7, 200, 65_536) },
    syncMaxMs: oneOf(1, 4, 30),
    clients: {
      producers: random.below(3),
      rawProducers: 1 + random.below(3),
      readers: 1 + random.below(3),
      committers: random.below(3),
      members: on(0.3) ? 1 + random.below(2) : 0,
      listers: random.below(2),
      trimmer: on(0.3),
      administrator: on(0.3),
      codecs: on() ? ['none'] : ['none', 'gzip', 'snappy', 'lz4'],
    },
    faults: faultsOf(random, durationMs, on),
    lastEnd: oneOf('kill', 'losePower', 'losePower', 'stop'),
  }
}

type Toss = (probability?: number) => boolean
type OneOf = <T>(...choices: T[]) => T

function topicsOf(random: SeededRandom, on: Toss, oneOf: OneOf): TopicPlan[] {
  const topics: TopicPlan[] = []
  for (let i = 0; i <= random.below(3); i++) {
    topics.push({
      name: `t${i}`,
      partitions: 1 + random.below(2),
      configs: {
        'segment.bytes': String(oneOf(1024, 4096, 65_536, 1_048_576)),
        'index.interval.bytes': String(oneOf(0, 100, 4096)),
        ...(on(0.2) && { 'segment.ms': String(oneOf(200, 1000)) }),
        ...(on(0.2) && { 'retention.ms': String(oneOf(300, 2000)) }),
        ...(on(0.2) && { 'retention.bytes': String(oneOf(0, 3000)) }),
        ...(on(0.15) && { 'flush.messages': '50', 'flush.ms': String(oneOf(100, 1000)) }),
        ...(on(0.2) && { 'message.timestamp.type': 'LogAppendTime' }),
      },
    })
  }
  return topics
}

function faultsOf(random: SeededRandom, durationMs: number, on: Toss): Fault[] {
  const faults: Fault[] = []
  const downMs = (): number => 20 + random.below(400)
  const makers: ((atMs: number) => Fault)[] = []
  if (on(0.6)) makers.push((atMs) => ({ kind: 'kill', atMs, downMs: downMs() }))
  if (on(0.6)) makers.push((atMs) => ({ kind: 'losePower', atMs, downMs: downMs() }))
  if (on(0.6)) {
    makers.push((atMs) => ({ kind: 'losePowerAt', atMs, operations: 1 + random.below(40), downMs: downMs() }))
  }
  if (on(0.3)) makers.push((atMs) => ({ kind: 'stop', atMs, downMs: downMs() }))
  if (on(0.3)) makers.push((atMs) => ({ kind: 'failSync', atMs, restartMs: downMs() }))
  if (on(0.2)) makers.push((atMs) => ({ kind: 'fillDisk', atMs, forMs: downMs() }))
  if (on(0.3)) {
    makers.push((atMs) => ({
      kind: 'slowDisk',
      atMs,
      forMs: 4 * downMs(),
      syncMaxMs: 50 + random.below(1000),
    }))
  }
  if (on(0.2)) makers.push((atMs) => ({ kind: 'jump', atMs, byMs: random.below(7_200_000) - 3_600_000 }))
  if (on(0.4)) makers.push((atMs) => ({ kind: 'resetConnections', atMs, probability: random.float() }))
  const everyMs = 300 + random.below(1500)
  for (let atMs = 500; makers.length > 0 && atMs < durationMs; atMs += 1 + random.below(2 * everyMs)) {
    const maker = makers[random.below(makers.length)]
    if (maker !== undefined) faults.push(maker(atMs))
  }
  return faults
}
