/**
 * Carries out the faults of a plan, each at its time and several at once, and brings every broker back afterwards. A broker is in
 * the hands of one fault at a time: another that would hit it meanwhile is left out.
 */
import { Faulted } from '../../src/base/errors.ts'
import type { DiskFault, DiskOperation } from '../../src/embedded/sim-disk.ts'
import { DataFolderRefused } from '../../src/main.ts'
import type { Cluster } from './cluster.ts'
import type { Fault } from './faults.ts'
import type { Machine } from './machine.ts'
import { Operator } from './operator.ts'
import { faultsOn } from './prey.ts'
import type { Sight } from './quorums.ts'
import { keyOf, type Stage, sleep } from './stage.ts'

export type End = 'kill' | 'losePower' | 'stop'
type Hunt = Extract<Fault, { kind: 'hunt' }>
type OnNode = Extract<Fault, { node: number }>

/** A start may fail while the disk is ill, or without the others. */
const retryMs = 300
/** Who stands still or is cut off this many election time-outs leads nothing any more. */
const timeoutsUntilDeposed = 3

export class Injector {
  readonly #stage: Stage
  readonly #cluster: Cluster
  readonly #operator: Operator
  /** Brokers in the hands of a fault. */
  readonly #busy = new Set<number>()
  /** How often each was started: an attempt that is not the last one gives up. */
  readonly #attempts = new Map<number, number>()
  readonly #hunts: Hunt[] = []
  readonly #elections = new Elections()
  readonly #underWay = new Set<Promise<void>>()
  /** One of them has lost its disk. */
  #isWiped = false
  /** All is well: who does not start now is broken. */
  isCalm = false

  constructor(stage: Stage, cluster: Cluster) {
    this.#stage = stage
    this.#cluster = cluster
    this.#operator = new Operator(stage)
    cluster.quorums.onSight = (sight) => this.#sighted(sight)
  }

  /** Resolves when the last of them is over. */
  async run(faults: readonly Fault[]): Promise<void> {
    for (const fault of faults) {
      const waitMs = fault.atMs - this.#stage.clock.monotonic()
      if (waitMs > 0) await sleep(this.#stage, waitMs)
      if (this.#stage.isOver) break
      this.#begin(fault)
    }
    this.#hunts.length = 0
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Ends the process in one of three ways. A stop that hangs ends as a kill. */
  async bringDown(machine: Machine, how: End): Promise<void> {
    this.#attempts.set(machine.nodeId, (this.#attempts.get(machine.nodeId) ?? 0) + 1)
    if (how === 'losePower') {
      this.#stage.recorder.disrupt()
      machine.losePower()
    } else if (how === 'stop' && machine.isUp) {
      const left = await machine.stop()
      if (left > 0) this.#stage.recorder.violate(`${left} timers are left after a clean stop`)
    } else {
      if (this.#stage.plan.brokers.length > 1) this.#stage.recorder.disrupt()
      machine.kill()
    }
  }

  /** Starts the broker until it serves, or somebody else takes it in hand. */
  async bringUp(machine: Machine): Promise<void> {
    const { nodeId } = machine
    const attempt = (this.#attempts.get(nodeId) ?? 0) + 1
    this.#attempts.set(nodeId, attempt)
    while (this.#attempts.get(nodeId) === attempt) {
      const error = await machine.start()
      if (error === null) return
      this.#stage.recorder.mark('start failed')
      // With a sound disk a broker always starts, if there are others enough; and never is a folder too damaged to.
      const isHurt =
        error instanceof DataFolderRefused || (error instanceof Faulted && error.door === 'bytes')
      if (isHurt || this.isCalm) this.#stage.recorder.violate(`n${nodeId} does not start: ${error.message}`)
      if (isHurt) return
      await sleep(this.#stage, retryMs)
    }
  }

  #begin(fault: Fault): void {
    const { recorder } = this.#stage
    recorder.trace(`fault ${JSON.stringify(fault)}`)
    recorder.mark(`fault ${fault.kind}`)
    if (fault.kind === 'hunt') this.#hunts.push(fault)
    else this.#follow(this.#carryOut(fault))
  }

  #follow(work: Promise<void>): void {
    const followed = work.finally(() => this.#underWay.delete(followed))
    this.#underWay.add(followed)
  }

  /** The prey runs. */
  #sighted(sight: Sight): void {
    if (sight.moment === 'elected') this.#elections.won(sight)
    const at = this.#hunts.findIndex(
      ({ moment = 'elected', place }) =>
        moment === sight.moment && (place === undefined || this.#nameOf(place) === sight.name),
    )
    const [hunt] = at < 0 ? [] : this.#hunts.splice(at, 1)
    if (hunt === undefined) return
    const { moment, node, epoch, name } = sight
    this.#stage.recorder.trace(`hunt of n${node}, which ${moment} in epoch ${epoch} of ${name}`)
    const faults = this.#faultsOn(sight, hunt)
    const hit = async (): Promise<void> => {
      await sleep(this.#stage, hunt.afterMs)
      await Promise.all(faults.map((fault) => this.#carryOut(fault)))
    }
    this.#follow(hit())
  }

  #nameOf(at: number): string | undefined {
    const { places, quorumNames } = this.#stage
    const place = places[at]
    return place && quorumNames.get(keyOf(place))
  }

  #faultsOn({ node, name, epoch, voters }: Omit<Sight, 'moment'>, of: Pick<Hunt, 'prey' | 'forMs'>): Fault[] {
    const predecessor = this.#cluster.quorums.leaderBefore(name, epoch)
    const { prey, forMs } = of
    return faultsOn({ prey, forMs, node, name, voters, predecessor, brokers: this.#stage.plan.brokers })
  }

  async #carryOut(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'losePowerOfAll':
        await this.#losePowerOfAll(fault.downMs)
        return
      case 'cut':
        await this.#cut(fault)
        return
      case 'swizzle':
        await this.#swizzle(fault)
        return
      case 'resetConnections':
        this.#cluster.net.resetSome(fault.probability)
        return
      case 'reassign':
        await this.#operator.reassign(fault.place, fault.replicas)
        return
      case 'transfer':
        await this.#operator.transfer(fault.place)
        return
      case 'hunt':
        return
      case 'hit': {
        const leader = this.#cluster.quorums.leaderOf(this.#nameOf(fault.place) ?? '')
        if (leader === null) return
        await Promise.all(this.#faultsOn(leader, fault).map((one) => this.#carryOut(one)))
        return
      }
      default:
        await this.#carryOutOn(this.#cluster.machine(fault.node), fault)
    }
  }

  async #carryOutOn(machine: Machine, fault: OnNode): Promise<void> {
    if (this.#busy.has(fault.node)) return
    this.#busy.add(fault.node)
    try {
      await this.#hit(machine, fault)
    } finally {
      this.#busy.delete(fault.node)
    }
  }

  async #hit(machine: Machine, fault: OnNode): Promise<void> {
    switch (fault.kind) {
      case 'kill':
      case 'losePower':
      case 'stop':
        await this.#bounce(machine, fault.kind, fault.downMs)
        return
      case 'losePowerAt':
        await this.#once(machine, fault.operations, ({ kind }) => kind !== 'read', 'powerOff')
        await this.#bounce(machine, 'losePower', fault.downMs)
        return
      case 'failSync':
        await this.#once(machine, 1, ({ kind }) => kind === 'sync', { code: 'EIO' })
        await sleep(this.#stage, fault.restartMs)
        await this.#bounce(machine, 'losePower', 10)
        return
      case 'fillDisk':
        machine.onDisk = full
        await sleep(this.#stage, fault.forMs)
        machine.onDisk = null
        await this.#bounce(machine, 'kill', 10)
        return
      case 'slowDisk': {
        machine.syncMaxMs = fault.syncMaxMs
        await sleep(this.#stage, fault.forMs)
        machine.syncMaxMs = this.#stage.plan.syncMaxMs
        return
      }
      case 'pause':
        await this.#pause(machine, fault.forMs)
        return
      case 'jump':
        machine.jump(fault.byMs)
        return
      case 'wipe':
        await this.#wipe(machine, fault.forMs)
    }
  }

  async #bounce(machine: Machine, how: End, downMs: number): Promise<void> {
    await this.bringDown(machine, how)
    await sleep(this.#stage, downMs)
    // Not waited for: it may need others that are down.
    void this.bringUp(machine)
  }

  async #losePowerOfAll(downMs: number): Promise<void> {
    const machines = this.#cluster.machines.filter(({ nodeId }) => !this.#busy.has(nodeId))
    for (const { nodeId } of machines) this.#busy.add(nodeId)
    await Promise.all(machines.map((machine) => this.#bounce(machine, 'losePower', downMs)))
    for (const { nodeId } of machines) this.#busy.delete(nodeId)
  }

  async #pause(machine: Machine, forMs: number): Promise<void> {
    if (!machine.isRunning) return
    this.#stage.recorder.disrupt()
    machine.pause()
    await sleep(this.#stage, forMs)
    machine.resume()
  }

  async #cut({ links, forMs, until }: Extract<Fault, { kind: 'cut' }>): Promise<void> {
    this.#stage.recorder.disrupt()
    this.#cluster.cut(links)
    const enoughMs = timeoutsUntilDeposed * this.#stage.plan.electionTimeoutMs
    const isLed = until === undefined ? new Promise<never>(() => {}) : this.#elections.when(until)
    const lapse = (ms: number): Promise<void> => Promise.race([sleep(this.#stage, ms), isLed])
    await lapse(Math.min(forMs, enoughMs))
    if (forMs >= enoughMs) {
      this.#checkDeposed(enoughMs)
      await lapse(forMs - enoughMs)
    }
    this.#cluster.heal(links)
  }

  /** Whom nobody hears, and who hears nobody, must know after this long that it leads no quorum of several. */
  #checkDeposed(enoughMs: number): void {
    const { brokers } = this.#stage.plan
    if (brokers.length === 1) return
    for (const node of brokers) {
      if (this.#cluster.isolatedForMs(node) < enoughMs || this.#busy.has(node)) continue
      for (const name of this.#cluster.quorums.ledBy(node))
        this.#stage.recorder.violate(`n${node} is cut off and still leads ${name}`)
    }
  }

  async #swizzle({ links, freed, everyMs }: Extract<Fault, { kind: 'swizzle' }>): Promise<void> {
    this.#stage.recorder.disrupt()
    for (const link of links) {
      this.#cluster.cut([link])
      await sleep(this.#stage, everyMs)
    }
    for (const link of freed) {
      this.#cluster.heal([link])
      await sleep(this.#stage, everyMs)
    }
  }

  async #wipe(machine: Machine, forMs: number): Promise<void> {
    const { plan, recorder } = this.#stage
    // One at a time, and others must hold what it held: beyond that nobody could know that it is not what it was.
    if (this.#isWiped || plan.brokers.length < 3 || plan.voters.length < 3) return
    this.#isWiped = true
    await this.bringDown(machine, 'kill')
    const restore = machine.wipe()
    this.#cluster.quorums.wiped(machine.nodeId, true)
    const attempt = machine.start().then((error) => {
      if (error === null) recorder.violate(`n${machine.nodeId} was taken with an empty disk under its old id`)
      else recorder.mark('a wiped broker was refused')
    })
    await Promise.race([attempt, sleep(this.#stage, forMs)])
    await this.bringDown(machine, 'kill')
    restore()
    this.#isWiped = false
    this.#cluster.quorums.wiped(machine.nodeId, false)
    void this.bringUp(machine)
  }

  /** `fault` instead of the `count`-th operation of this kind, or nothing when too little happens for a while. */
  async #once(
    machine: Machine,
    count: number,
    isMeant: (operation: DiskOperation) => boolean,
    fault: DiskFault,
  ): Promise<void> {
    let left = count
    await new Promise<void>((resolve) => {
      const timer = this.#stage.clock.setTimer(500, resolve)
      machine.onDisk = (operation) => {
        if (!isMeant(operation) || --left > 0) return undefined
        machine.onDisk = null
        timer.cancel()
        // Who waits goes on in another turn: this one belongs to the broker.
        this.#stage.clock.soon(resolve)
        return fault
      }
    })
    machine.onDisk = null
  }
}

function full({ kind, bytes }: DiskOperation): DiskFault | undefined {
  const grows = kind === 'write' || kind === 'create' || kind === 'mkdir'
  return grows ? { code: 'ENOSPC', written: Math.floor(bytes / 2) } : undefined
}

type Election = Pick<Sight, 'node' | 'name'>

/** Who waits for somebody to be elected. */
class Elections {
  readonly #waiting: { readonly election: Election; readonly resolve: () => void }[] = []

  when(election: Election): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ election, resolve }))
  }

  won({ node, name }: Election): void {
    for (const { election, resolve } of this.#waiting)
      if (election.node === node && election.name === name) resolve()
  }
}
