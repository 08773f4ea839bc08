/** All machines of a run, the net between them, and the few ways in which a test looks at them as a whole. */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimNet } from '../../src/embedded/sim-net.ts'
import { quickPath } from '../../src/embedded/sim-path.ts'
import type { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Link } from './faults.ts'
import { hostOf, Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import type { Quorums } from './quorums.ts'
import type { Recorder } from './recorder.ts'

export class Cluster {
  readonly net: SimNet
  readonly machines: readonly Machine[]
  readonly quorums: Quorums
  readonly #clock: VirtualClock
  /** By its ends: since when each link is cut, monotonic ms, and by how many faults. It is whole when all of them are over. */
  readonly #cuts = new Map<string, { readonly sinceMs: number; faults: number }>()

  constructor(plan: Plan, clock: VirtualClock, random: SeededRandom, recorder: Recorder, quorums: Quorums) {
    const { brokers, voters, settings } = plan
    this.quorums = quorums
    this.#clock = clock
    this.net = new SimNet({ clock, random: random.fork('net'), shape: plan.net })
    this.machines = brokers.map((nodeId) => {
      const machine = new Machine({
        nodeId,
        voters,
        clock,
        net: this.net,
        random: random.fork(`machine ${nodeId}`),
        settings,
        onEvent: ({ level, event, message }) => recorder.trace(`n${nodeId} ${level} ${event} ${message}`),
        onLife: (what) => recorder.trace(what),
        onEnd: () => quorums.ended(nodeId),
      })
      machine.syncMaxMs = plan.syncMaxMs
      return machine
    })
  }

  machine(nodeId: number): Machine {
    const machine = this.machines.find((one) => one.nodeId === nodeId)
    if (machine === undefined) throw new Error(`there is no broker ${nodeId}`)
    return machine
  }

  cut(links: readonly Link[]): void {
    for (const link of links) {
      const [from, to] = link
      const known = this.#cuts.get(link.join())
      if (known !== undefined) known.faults++
      else {
        this.#cuts.set(link.join(), { sinceMs: this.#clock.monotonic(), faults: 1 })
        this.net.cut(hostOf(from), hostOf(to))
      }
    }
  }

  heal(links: readonly Link[]): void {
    for (const link of links) {
      const [from, to] = link
      const known = this.#cuts.get(link.join())
      if (known === undefined || --known.faults > 0) continue
      this.#cuts.delete(link.join())
      this.net.heal(hostOf(from), hostOf(to))
    }
  }

  /** How long nothing has come from this broker to any other, or the other way round, ms; 0 when something may. */
  isolatedForMs(nodeId: number): number {
    const nowMs = this.#clock.monotonic()
    return Math.min(
      ...this.linksOf(nodeId).map((link) => nowMs - (this.#cuts.get(link.join())?.sinceMs ?? nowMs)),
    )
  }

  /** From all other brokers, both ways. Clients still reach it. */
  linksOf(nodeId: number): Link[] {
    return this.machines
      .filter((one) => one.nodeId !== nodeId)
      .flatMap((one): Link[] => [
        [nodeId, one.nodeId],
        [one.nodeId, nodeId],
      ])
  }

  /** From now on it is a good net. */
  healNet(): void {
    this.net.healAll()
    this.#cuts.clear()
    this.net.shapeAll(quickPath)
  }
}
