/**
 * What a seed stands for, as data: the cluster, its settings, the workload and the faults of one run, drawn before it begins. Each
 * feature is tossed on or off, not only turned up or down.
 */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { PathShape } from '../../src/embedded/sim-path.ts'
import { type Fault, faultsOf, shuffled } from './faults.ts'

export interface TopicPlan {
  readonly name: string
  readonly partitions: number
  readonly replicas: number
  readonly configs: { readonly [name: string]: string }
}

export interface Plan {
  readonly seed: number
  readonly durationMs: number
  readonly brokers: readonly number[]
  /** Who votes on the cluster's log; the others are observers of it. */
  readonly voters: readonly number[]
  readonly settings: { readonly [name: string]: string }
  readonly electionTimeoutMs: number
  readonly topics: readonly TopicPlan[]
  readonly net: Partial<PathShape>
  readonly syncMaxMs: number
  readonly clients: {
    readonly producers: number
    readonly rawProducers: number
    readonly readers: number
    readonly committers: number
    readonly members: number
    readonly listers: number
    /** Who asks all brokers who leads, again and again. */
    readonly watchers: number
    readonly trimmer: boolean
    readonly administrator: boolean
    readonly codecs: readonly ('none' | 'gzip' | 'snappy' | 'lz4')[]
  }
  readonly faults: readonly Fault[]
  /** In the second phase only these are well; the others are gone, or cut off, until the end of it. */
  readonly core: readonly number[]
  readonly others: 'dead' | 'isolated'
  /** How the brokers go down between the last write and the final reading. */
  readonly lastEnd: 'kill' | 'losePower' | 'stop'
}

type Toss = (probability?: number) => boolean
type OneOf = <T>(...choices: T[]) => T

export function planOf(seed: number, random: SeededRandom): Plan {
  const durationMs = 1500 + random.below(2500)
  const on = (probability = 0.5): boolean => random.chance(probability)
  const oneOf = <T>(...choices: T[]): T => choices[random.below(choices.length)] as T
  const brokers = Array.from({ length: oneOf(1, 2, 3, 3, 3, 3, 4, 5) }, (_, i) => i + 1)
  const voters = on(0.7) ? brokers : brokers.slice(0, 1 + random.below(brokers.length))
  const electionTimeoutMs = oneOf(160, 160, 320, 640)
  const topics = topicsOf(brokers.length, random, on, oneOf)
  const places = topics.reduce((sum, { partitions }) => sum + partitions, 0)
  return {
    seed,
    durationMs,
    brokers,
    voters,
    electionTimeoutMs,
    settings: {
      ...settingsOf(brokers.length, electionTimeoutMs, random, on, oneOf),
      ...tailOf(seed),
      ...leavingOf(seed),
    },
    topics,
    net: {
      delayMs: oneOf(0.1, 0.5, 2),
      jitterMs: oneOf(0.1, 1, 5, 20),
      splitChance: oneOf(0, 0, 0.1, 0.3),
      chunkBytesMax: oneOf(7, 200, 65_536, 65_536),
      bytesPerMs: oneOf(200, 10_000, 1_000_000, 1_000_000),
      windowBytes: oneOf(1000, 65_536, 262_144),
    },
    syncMaxMs: oneOf(1, 4, 4, 30),
    clients: {
      producers: random.below(3),
      rawProducers: 1 + random.below(3),
      readers: 1 + random.below(3),
      committers: random.below(3),
      members: on(0.2) ? 1 + random.below(2) : 0,
      listers: random.below(2),
      watchers: on(0.3) ? 1 : 0,
      trimmer: on(0.3),
      administrator: on(0.3),
      codecs: on() ? ['none'] : ['none', 'gzip', 'snappy', 'lz4'],
    },
    faults: faultsOf({ brokers, places, durationMs, random }),
    core: coreOf(brokers, voters, random),
    others: oneOf('dead', 'isolated'),
    lastEnd: oneOf('kill', 'losePower', 'losePower', 'stop'),
  }
}

/** Every other seed reads small batches, as its clients send them, from memory; in half of these there is hardly any. */
function tailOf(seed: number): Plan['settings'] {
  const pooled = { 'lograft.buffers.size.min': '1' }
  if (seed % 2 === 0) return pooled
  const bytesMax = seed % 4 === 1 ? { 'lograft.tail.bytes.max': '20000' } : {}
  return { ...pooled, 'lograft.tail.batch.bytes.min': '1', ...bytesMax }
}

/** All, some or none of the writes leave the event loop. */
function leavingOf(seed: number): Plan['settings'] {
  const bytesMin = [1, 400, 524_288][seed % 3] ?? 1
  return { 'lograft.write.leave.bytes.min': String(bytesMin) }
}

function settingsOf(
  brokers: number,
  electionTimeoutMs: number,
  random: SeededRandom,
  on: Toss,
  oneOf: OneOf,
): Plan['settings'] {
  return {
    'group.initial.rebalance.delay.ms': '0',
    'log.retention.check.interval.ms': String(oneOf(50, 300, 2000)),
    'offsets.topic.num.partitions': String(oneOf(1, 2)),
    'offsets.topic.replication.factor': String(on(0.8) ? brokers : 1 + random.below(brokers)),
    'lograft.image.changes.max': String(oneOf(5, 50, 10_000)),
    'lograft.syncs.in.flight.max': String(oneOf(1, 4)),
    'lograft.append.bytes.max': String(oneOf(100, 2000, 1_048_576, 1_048_576)),
    'lograft.appends.in.flight.max': String(oneOf(1, 64)),
    'lograft.files.open.max': String(oneOf(2, 8, 0)),
    'controlled.shutdown.timeout.ms': '2000',
    'lograft.election.timeout.ms': String(electionTimeoutMs),
    'lograft.heartbeat.ms': String(electionTimeoutMs / 4),
    'lograft.tick.ms': String(electionTimeoutMs / 8),
    'lograft.peer.connect.timeout.ms': String(2 * electionTimeoutMs),
    'lograft.peer.idle.timeout.ms': String(2 * electionTimeoutMs),
    'lograft.peer.backoff.ms': '10',
    'lograft.peer.backoff.max.ms': '100',
  }
}

function topicsOf(brokers: number, random: SeededRandom, on: Toss, oneOf: OneOf): TopicPlan[] {
  const topics: TopicPlan[] = []
  for (let i = 0; i <= random.below(3); i++) {
    const replicas = on(0.7) ? Math.min(brokers, 3) : 1 + random.below(brokers)
    topics.push({
      name: `t${i}`,
      partitions: 1 + random.below(2),
      replicas,
      configs: {
        'segment.bytes': String(oneOf(1024, 4096, 65_536, 1_048_576)),
        'index.interval.bytes': String(oneOf(0, 100, 4096)),
        ...(on(0.2) && { 'segment.ms': String(oneOf(200, 1000)) }),
        ...(on(0.2) && { 'retention.ms': String(oneOf(300, 2000)) }),
        ...(on(0.2) && { 'retention.bytes': String(oneOf(0, 3000)) }),
        ...(on(0.15) && { 'flush.messages': '50', 'flush.ms': String(oneOf(100, 1000)) }),
        ...(on(0.2) && { 'message.timestamp.type': 'LogAppendTime' }),
        ...(on(0.2) && { 'min.insync.replicas': String(1 + random.below(replicas)) }),
      },
    })
  }
  return topics
}

/** A majority of the voters of the cluster's log and of all brokers: what of a cluster must be enough. */
function coreOf(brokers: readonly number[], voters: readonly number[], random: SeededRandom): number[] {
  const majority = (of: readonly number[]): number => (of.length >>> 1) + 1
  const core = new Set(shuffled(voters, random).slice(0, majority(voters)))
  for (const broker of shuffled(brokers, random)) if (core.size < majority(brokers)) core.add(broker)
  return [...core].sort((a, b) => a - b)
}
