/**
 * One seed: a whole broker on simulated hardware, clients that speak to it, faults, and then the question whether all was well.
 *
 *     1  safety      clients at work, faults
 *     2  liveness    faults end; the broker must serve again within 30 seconds
 *     3  quiet       clients end; the broker goes down once more and comes back, nothing is written
 *     4  reckoning   everything is read; history checker; the disk against what was read; a clean stop
 *
 * The same plan gives the same trace, byte for byte: time, order and chance are the seed's.
 */
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { administer, trim } from './actors/administrators.ts'
import { commit, readCommitted } from './actors/committers.ts'
import { join } from './actors/members.ts'
import { produce } from './actors/producers.ts'
import { produceRaw } from './actors/raw-producers.ts'
import { list, read, readAll } from './actors/readers.ts'
import { check } from './checker/check.ts'
import type { Anomaly } from './checker/history.ts'
import { copiesOnDisk } from './copies.ts'
import { Injector } from './injector.ts'
import { watchMembers } from './invariants.ts'
import { Machine, port } from './machine.ts'
import { SimNet } from './net.ts'
import { type Plan, planOf } from './plan.ts'
import { ProcessClock } from './process-clock.ts'
import { Recorder } from './recorder.ts'
import { type Place, type Stage, sleep, wireClient } from './stage.ts'

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
const simulatedMsMax = 240_000
const recoveryMsMax = 30_000

export function planFor(seed: number): Plan {
  return planOf(seed, new SeededRandom(seed).fork('plan'))
}

export async function simulate(
  seed: number,
  options: { plan?: Plan; keepsLines?: boolean } = {},
): Promise<Verdict> {
  const plan = options.plan ?? planFor(seed)
  const clock = new VirtualClock()
  const recorder = new Recorder(clock, options.keepsLines === true)
  const simulation = new Simulation(plan, clock, recorder)
  const unwatch = watchMembers(recorder)
  const escaped = (error: unknown): void => {
    recorder.violate(
      `nobody caught: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
  }
  process.on('unhandledRejection', escaped)
  try {
    const running = simulation.run().catch(escaped)
    let isDone = false
    void running.finally(() => {
      isDone = true
    })
    while (!isDone && clock.monotonic() < simulatedMsMax) await clock.advance(50)
    if (!isDone) recorder.violate(`hangs: ${simulation.phase}`)
  } finally {
    process.off('unhandledRejection', escaped)
    unwatch()
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
  readonly #machine: Machine
  readonly #stage: Stage
  readonly #injector: Injector

  constructor(plan: Plan, clock: VirtualClock, recorder: Recorder) {
    const random = new SeededRandom(plan.seed)
    const net = new SimNet({ clock, random: random.fork('net'), ...plan.net })
    this.#plan = plan
    this.#recorder = recorder
    this.#machine = new Machine({
      nodeId: 1,
      clock,
      net,
      random: random.fork('machine 1'),
      settings: plan.settings,
      onEvent: ({ level, event, message }) => recorder.trace(`event ${level} ${event} ${message}`),
      onLife: (what) => recorder.trace(what),
    })
    this.#machine.syncMaxMs = plan.syncMaxMs
    let values = 0
    this.#stage = {
      plan,
      clock: new ProcessClock(clock),
      random: random.fork('clients'),
      recorder,
      netOf: (host) => net.of(host),
      healNet: () => net.heal(),
      resetConnections: (probability) => net.reset(probability),
      isOver: false,
      bootstrap: { host: this.#machine.host, port },
      places: placesOf(plan),
      nextValue: () => `v${values++}`,
    }
    this.#injector = new Injector(this.#stage, this.#machine)
  }

  async run(): Promise<void> {
    const stage = this.#stage
    this.#enter('first start')
    await this.#injector.bringUp()
    await this.#createTopics()
    this.#enter('safety')
    const actors = this.#actors()
    await this.#injector.run(this.#plan.faults)
    const leftMs = this.#plan.durationMs - stage.clock.monotonic()
    if (leftMs > 0) await sleep(stage, leftMs)
    this.#enter('liveness')
    stage.healNet()
    stage.isOver = true
    await Promise.all(actors)
    this.#enter('quiet')
    await this.#injector.bringDown(this.#plan.lastEnd)
    await sleep(stage, 100)
    await this.#injector.bringUp()
    this.#enter('reckoning')
    await this.#eventually('final reading', () => readAll(stage, 'final'))
    const groups = Array.from({ length: this.#plan.clients.committers }, (_, i) => `group-${i}`)
    await this.#eventually('committed offsets', () => readCommitted(stage, 'final', groups))
    await this.#injector.bringDown('stop')
    this.#recorder.copies.push(
      ...(await copiesOnDisk(this.#machine.mount, this.#recorder.operations, stage.places)),
    )
    this.#enter('done')
  }

  #enter(phase: string): void {
    this.phase = phase
    this.#recorder.trace(`phase ${phase}`)
  }

  #actors(): Promise<void>[] {
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
      ...several(clients.trimmer ? 1 : 0, () => trim(stage, 'trimmer')),
      ...several(clients.administrator ? 1 : 0, () => administer(stage, 'administrator')),
    ]
  }

  async #createTopics(): Promise<void> {
    const client = wireClient(this.#stage, 'creator')
    for (const { name, partitions, configs } of this.#plan.topics) {
      const answer = await client.ask(CreateTopics, {
        topics: [
          {
            name,
            numPartitions: partitions,
            replicationFactor: 1,
            assignments: [],
            configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
          },
        ],
        timeoutMs: 5000,
      })
      if (answer?.topics[0]?.errorCode !== 0) throw new Error(`topic ${name} could not be created`)
      this.#explain(name, partitions, configs)
    }
    client.close()
  }

  /** What the checker must know of a topic. */
  #explain(name: string, partitions: number, configs: { readonly [name: string]: string }): void {
    const jumpedMs = this.#plan.faults.reduce(
      (sum, one) => sum + (one.kind === 'jump' ? Math.abs(one.byMs) : 0),
      0,
    )
    for (let partition = 0; partition < partitions; partition++) {
      const key = `${name}-${partition}`
      if (configs['flush.messages'] !== undefined) this.#recorder.unsynced.add(key)
      this.#recorder.policies.set(key, {
        retentionMs: Number(configs['retention.ms'] ?? 604_800_000),
        retentionBytes: Number(configs['retention.bytes'] ?? -1),
        recordBytesMax: 500,
        jumpedMs,
      })
    }
  }

  async #eventually(what: string, attempt: () => Promise<string | null>): Promise<void> {
    const untilMs = this.#stage.clock.monotonic() + recoveryMsMax
    for (;;) {
      const why = await attempt()
      if (why === null) return
      if (this.#stage.clock.monotonic() > untilMs) {
        this.#recorder.violate(`${what} does not come to an end: ${why}`)
        return
      }
      await sleep(this.#stage, 200)
    }
  }
}

function placesOf(plan: Plan): Place[] {
  return plan.topics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
}
