/**
 * One computer with one broker on it: a disk, a clock that may be wrong, a process that ends in every way there is. A cluster is
 * several of them on one net.
 */
import type { BrokerEvent } from '../../src/broker/broker.ts'
import { Settings } from '../../src/config/settings.ts'
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type DiskFault, type DiskOperation, SimDisk } from '../../src/embedded/sim-disk.ts'
import type { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Disk } from '../../src/io/world.ts'
import { type RunningBroker, startBroker } from '../../src/main.ts'
import type { SimNet } from './net.ts'
import { ProcessClock } from './process-clock.ts'

export const port = 9092
export const dataDir = '/srv/lograft/data'

export interface MachineOptions {
  readonly nodeId: number
  readonly clock: VirtualClock
  readonly net: SimNet
  readonly random: SeededRandom
  readonly settings: { readonly [name: string]: string }
  readonly onEvent: (event: BrokerEvent) => void
  /** Said when the state of the process changes, for the trace. */
  readonly onLife: (what: string) => void
}

export class Machine {
  readonly nodeId: number
  readonly host: string
  readonly disk: SimDisk
  /** How long the device takes, ms. */
  syncMaxMs = 4
  /** Set: happens to the disk. */
  onDisk: ((operation: DiskOperation) => DiskFault | undefined) | null = null
  readonly #options: MachineOptions
  readonly #wall = { offsetMs: 0 }
  readonly #deviceRandom: SeededRandom
  /** Two lives must not draw the same: identifiers would be given twice. */
  #lives = 0
  #process: ProcessClock | null = null
  #broker: RunningBroker | null = null

  constructor(options: MachineOptions) {
    this.#options = options
    this.nodeId = options.nodeId
    this.host = `n${options.nodeId}`
    this.#deviceRandom = options.random.fork('device')
    this.disk = new SimDisk({
      clock: { now: () => options.clock.now() + this.#wall.offsetMs },
      canLosePower: true,
      onOperation: (operation) => this.#operation(operation),
      device: () => this.#device(),
    })
    this.disk.mount().mkdir('/srv')
    this.disk.settleAll()
  }

  /** The broker serves. */
  get isUp(): boolean {
    return this.#broker !== null
  }

  /** There is a process, perhaps still starting. */
  get isRunning(): boolean {
    return this.#process !== null
  }

  /** The disk for who looks from outside, while nothing runs. */
  get mount(): Disk {
    return this.disk.mount()
  }

  /** Starts a process. Resolves with null when it serves, with why when it gave up; never when it is killed meanwhile. */
  async start(): Promise<Error | null> {
    const { clock, net, random, settings, onEvent, onLife } = this.#options
    const process = new ProcessClock(clock, this.#wall)
    const isAlive = (): boolean => this.#process === process
    this.#process = process
    const disk = this.disk.mount()
    const held = new Settings()
    for (const [name, value] of Object.entries(settings)) held.set(name, value, 'flag')
    onLife(`n${this.nodeId} starts`)
    try {
      const broker = await startBroker({
        nodeId: this.nodeId,
        dataDir,
        host: this.host,
        port,
        advertised: null,
        settings: held,
        onEvent: (event) => {
          if (isAlive()) onEvent(event)
        },
        world: { clock: process, disk, net: net.of(this.host), random: random.fork(`life ${++this.#lives}`) },
      })
      if (!isAlive()) return await never()
      this.#broker = broker
      onLife(`n${this.nodeId} serves`)
      return null
    } catch (error) {
      if (!isAlive()) return await never()
      onLife(`n${this.nodeId} gives up: ${error instanceof Error ? error.message : String(error)}`)
      this.kill()
      if (error instanceof Error) return error
      throw error
    }
  }

  /** As SIGTERM. Resolves with the number of timers that were left behind. */
  async stop(): Promise<number> {
    const [broker, process] = [this.#broker, this.#process]
    if (broker === null || process === null) return 0
    this.#broker = null
    this.#options.onLife(`n${this.nodeId} stops`)
    await broker.stop()
    if (this.#process !== process) return await never()
    const left = process.pendingTimers
    this.#end(10)
    this.disk.kill()
    return left
  }

  /** As SIGKILL: what was written is in the page cache. */
  kill(): void {
    if (!this.isRunning) return
    this.#options.onLife(`n${this.nodeId} killed`)
    this.#end(10)
    this.disk.kill()
  }

  /** The power goes: of what was not synced, chance decides. */
  losePower(): void {
    this.#options.onLife(`n${this.nodeId} without power`)
    this.#end(500)
    this.disk.losePower(this.#options.random)
  }

  jump(ms: number): void {
    this.#wall.offsetMs += ms
  }

  #end(noticedMs: number): void {
    this.#process?.end()
    this.#process = null
    this.#broker = null
    this.#options.net.crash(this.host, noticedMs)
  }

  #operation(operation: DiskOperation): DiskFault | undefined {
    const fault = this.onDisk?.(operation)
    // Nothing may leave the machine after this point, whatever the rest of the turn does.
    if (fault === 'powerOff') this.#end(500)
    return fault
  }

  #device(): Promise<void> {
    const takesMs = this.#deviceRandom.float() * this.syncMaxMs
    return new Promise((resolve) => this.#options.clock.setTimer(takesMs, resolve))
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}
