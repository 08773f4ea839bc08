/**
 * One seed: whole brokers on simulated hardware, clients that speak to them, faults, and then the question whether all was well.
 *
 *     1  safety      clients at work, faults
 *     2  liveness    only a random core of the cluster is well, and must serve within 30 seconds
 *     3  quiet       all is well, clients end: the replicas come to hold the same; then all go down at once, and come back
 *     4  reckoning   everything is read; history checker; the disks against each other and against what was read; a clean stop
 *
 * The same plan gives the same trace, byte for byte: time, order and chance are the seed's.
 */
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { administer, type Standings, trim } from './actors/administrators.ts'
import { commit } from './actors/committers.ts'
import { join } from './actors/members.ts'
import { produce } from './actors/producers.ts'
import { produceRaw } from './actors/raw-producers.ts'
import { list, read } from './actors/readers.ts'
import { watch } from './actors/watchers.ts'
import { check } from './checker/check.ts'
import type { Anomaly } from './checker/history.ts'
import { Cluster } from './cluster.ts'
import { Injector } from './injector.ts'
import { Phases } from './phases.ts'
import { type Plan, planOf } from './plan.ts'
import { ProcessClock } from './process-clock.ts'
import { Quorums } from './quorums.ts'
import { Recorder } from './recorder.ts'
import { keyOf, type Place, type Stage, sleep } from './stage.ts'

export interface Verdict {
  readonly seed: number
  readonly violations: readonly string[]
  readonly anomalies: readonly Anomaly[]
  readonly traceHash: string
  readonly operations: number
  readonly simulatedMs: number
  readonly marks: ReadonlyMap<string, number>
  readonly lines: readonly string[]
}

/** A run that takes longer hangs. */
const simulatedMsMax = 300_000

export function planFor(seed: number): Plan {
  return planOf(seed, new SeededRandom(seed).fork('plan'))
}

export function isSound({ violations, anomalies }: Pick<Verdict, 'violations' | 'anomalies'>): boolean {
  return violations.length + anomalies.length === 0
}

export async function simulate(
  seed: number,
  options: { plan?: Plan; keepsLines?: boolean; endsAtViolation?: boolean } = {},
): Promise<Verdict> {
  const plan = options.plan ?? planFor(seed)
  const clock = new VirtualClock()
  const recorder = new Recorder(clock, options.keepsLines === true)
  const quorums = new Quorums(recorder)
  const escaped = (error: unknown): void => {
    recorder.violate(
      `nobody caught: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
  }
  process.on('unhandledRejection', escaped)
  quorums.watch()
  try {
    const simulation = new Simulation(plan, clock, recorder, quorums)
    let isDone = false
    const running = simulation.run().catch(escaped)
    void running.finally(() => {
      isDone = true
    })
    // What an event throws ends the run: it would have ended a process.
    const isEnough = (): boolean => options.endsAtViolation === true && recorder.violations.length > 0
    while (!isDone && !isEnough() && clock.monotonic() < simulatedMsMax) await clock.advance(50)
    if (!isDone && !isEnough()) recorder.violate(`hangs: ${simulation.phase}`)
  } catch (error) {
    escaped(error)
  } finally {
    process.off('unhandledRejection', escaped)
    quorums.unwatch()
  }
  const { violations, marks, lines, hash: traceHash } = recorder
  const anomalies = check(recorder.history())
  const operations = recorder.operations.length
  return { seed, violations, anomalies, traceHash, operations, simulatedMs: clock.monotonic(), marks, lines }
}

class Simulation {
  phase = 'begins'
  readonly #plan: Plan
  readonly #recorder: Recorder
  readonly #stage: Stage
  readonly #injector: Injector
  readonly #phases: Phases

  constructor(plan: Plan, clock: VirtualClock, recorder: Recorder, quorums: Quorums) {
    const random = new SeededRandom(plan.seed)
    const cluster = new Cluster(plan, clock, random, recorder, quorums)
    this.#plan = plan
    this.#recorder = recorder
    let values = 0
    this.#stage = {
      plan,
      clock: new ProcessClock(clock),
      random: random.fork('clients'),
      recorder,
      netOf: (host) => cluster.net.at(host),
      isOver: false,
      places: placesOf(plan),
      quorumNames: new Map(),
      nextValue: () => `v${values++}`,
    }
    this.#injector = new Injector(this.#stage, cluster)
    this.#phases = new Phases(this.#stage, cluster, this.#injector)
  }

  async run(): Promise<void> {
    const stage = this.#stage
    this.#explain()
    this.#enter('first start')
    await this.#phases.begin()
    this.#enter('safety')
    const topics: Standings = new Map()
    const actors = this.#actors(topics)
    await this.#injector.run(this.#plan.faults)
    const leftMs = this.#plan.durationMs - stage.clock.monotonic()
    if (leftMs > 0) await sleep(stage, leftMs)
    this.#enter('liveness')
    // Who writes without waiting for answers can ask more of a slow disk than it has; what is under way comes to an end.
    stage.isOver = true
    await this.#phases.liveness()
    await Promise.all(actors)
    this.#enter('quiet')
    await this.#phases.quiet()
    await this.#phases.restart()
    this.#enter('reckoning')
    await this.#phases.reckoning(topics)
    this.#enter('done')
  }

  #enter(phase: string): void {
    this.phase = phase
    this.#recorder.trace(`phase ${phase}`)
  }

  #actors(topics: Standings): Promise<void>[] {
    const stage = this.#stage
    const { clients } = this.#plan
    const several = (count: number, start: (i: number) => Promise<void>): Promise<void>[] =>
      Array.from({ length: count }, (_, i) => start(i))
    return [
      ...several(clients.producers, (i) => produce(stage, `producer-${i}`)),
      ...several(clients.rawProducers, (i) => produceRaw(stage, `raw-${i}`)),
      ...several(clients.readers, (i) => read(stage, `reader-${i}`)),
      ...several(clients.committers, (i) => commit(stage, `group-${i}`)),
      ...several(clients.members, (i) => join(stage, `member-${i}`, 'shared')),
      ...several(clients.listers, (i) => list(stage, `lister-${i}`)),
      ...several(clients.watchers, (i) => watch(stage, `watcher-${i}`)),
      ...several(clients.trimmer ? 1 : 0, () => trim(stage, 'trimmer')),
      ...several(clients.administrator ? 1 : 0, () => administer(stage, 'administrator', topics)),
    ]
  }

  /** What the checker must know of the topics. */
  #explain(): void {
    const jumpedMs = this.#plan.faults.reduce(
      (sum, one) => sum + (one.kind === 'jump' ? Math.abs(one.byMs) : 0),
      0,
    )
    for (const { name, partitions, configs } of this.#plan.topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const key = keyOf({ topic: name, partition })
        if (configs['flush.messages'] !== undefined) this.#recorder.unsynced.add(key)
        this.#recorder.policies.set(key, {
          retentionMs: Number(configs['retention.ms'] ?? 604_800_000),
          retentionBytes: Number(configs['retention.bytes'] ?? -1),
          recordBytesMax: 500,
          jumpedMs,
        })
      }
    }
  }
}

function placesOf(plan: Plan): Place[] {
  return plan.topics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
}
