/**
 * One computer with one broker on it: a disk, a clock that may be wrong, a process that stands still or ends in every way there
 * is. A cluster is several of them on one net.
 */
import type { BrokerEvent } from '../../src/broker/broker.ts'
import { isSettingName, Settings } from '../../src/config/settings.ts'
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type DiskFault, type DiskOperation, SimDisk } from '../../src/embedded/sim-disk.ts'
import { Gate } from '../../src/embedded/sim-gate.ts'
import type { SimNet } from '../../src/embedded/sim-net.ts'
import type { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Disk } from '../../src/io/world.ts'
import { type RunningBroker, startBroker } from '../../src/main.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'
import { ProcessClock } from './process-clock.ts'

export const port = 9092
export const peerPort = 9093

export interface MachineOptions {
  readonly nodeId: number
  /** Ids of the brokers that the cluster begins with as voters of its log. */
  readonly voters: readonly number[]
  readonly clock: VirtualClock
  readonly net: SimNet
  readonly random: SeededRandom
  readonly settings: { readonly [name: string]: string }
  readonly onEvent: (event: BrokerEvent) => void
  /** Said when the state of the process changes, for the trace. */
  readonly onLife: (what: string) => void
  /** Its process is no more. */
  readonly onEnd: () => void
}

export const hostOf = (nodeId: number): string => `n${nodeId}`

export class Machine {
  readonly nodeId: number
  readonly host: string
  /** Names the broker in every path: whoever looks on from outside knows whose file it is. */
  readonly dataDir: string
  /** How long the device takes, ms. */
  syncMaxMs = 4
  /** Set: happens to the disk. */
  onDisk: ((operation: DiskOperation) => DiskFault | undefined) | null = null
  readonly #options: MachineOptions
  readonly #wall = { offsetMs: 0 }
  readonly #deviceRandom: SeededRandom
  readonly #device: Gate
  #disk: SimDisk
  /** Two lives must not draw the same: identifiers would be given twice. */
  #lives = 0
  #process: ProcessClock | null = null
  #broker: RunningBroker | null = null

  constructor(options: MachineOptions) {
    this.#options = options
    this.#device = new Gate(options.clock)
    this.nodeId = options.nodeId
    this.host = hostOf(options.nodeId)
    this.dataDir = `/srv/${this.host}/data`
    this.#deviceRandom = options.random.fork('device')
    this.#disk = this.#freshDisk()
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
    return this.#disk.mount()
  }

  /** Starts a process. Resolves with null when it serves, with why when it gave up; never when it is killed meanwhile. */
  async start(): Promise<Error | null> {
    const { clock, net, random, onLife, voters } = this.#options
    const process = new ProcessClock(clock, this.#wall)
    const isAlive = (): boolean => this.#process === process
    this.#process = process
    net.comeBack(this.host)
    onLife(`n${this.nodeId} starts`)
    const life = random.fork(`life ${++this.#lives}`)
    const options = {
      nodeId: this.nodeId,
      dataDir: this.dataDir,
      host: this.host,
      port,
      advertised: null,
      settings: this.#settings(),
      onEvent: (event: BrokerEvent) => {
        if (isAlive()) this.#options.onEvent(event)
      },
      world: {
        clock: process,
        disk: this.#disk.mount(),
        net: net.at(this.host),
        random: life,
        buffers: new PoisonedBuffers(),
      },
      peer: { host: this.host, port: peerPort },
      voters: voters.map((id) => ({ id, host: hostOf(id), port: peerPort })),
    }
    try {
      const broker = await startBroker(options)
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

  /** As SIGTERM. Resolves with the number of timers that were left behind; never when it is killed meanwhile. */
  async stop(): Promise<number> {
    const [broker, process] = [this.#broker, this.#process]
    if (broker === null || process === null) return 0
    this.#broker = null
    this.#options.onLife(`n${this.nodeId} stops`)
    await broker.stop()
    if (this.#process !== process) return await never()
    const left = process.pendingTimers
    this.#end('killed')
    this.#disk.kill()
    return left
  }

  /** As SIGKILL: what was written is in the page cache, and the others are told by the system. */
  kill(): void {
    if (!this.isRunning) return
    this.#options.onLife(`n${this.nodeId} killed`)
    this.#end('killed')
    this.#disk.kill()
  }

  /** The power goes: of what was not synced, chance decides; the others hear nothing. */
  losePower(): void {
    this.#options.onLife(`n${this.nodeId} without power`)
    this.#end('vanished')
    this.#disk.losePower(this.#options.random)
  }

  /** As SIGSTOP, or an event loop that stands still. */
  pause(): void {
    this.#options.onLife(`n${this.nodeId} stands still`)
    this.#process?.pause()
    this.#device.shut()
    this.#options.net.pause(this.host)
  }

  /** As SIGCONT: timers first, then what the disk and the net have for it. */
  resume(): void {
    this.#options.onLife(`n${this.nodeId} goes on`)
    this.#process?.resume()
    this.#device.open()
    this.#options.net.resume(this.host)
  }

  jump(ms: number): void {
    this.#wall.offsetMs += ms
  }

  /** The broker must not run. Returns what puts the old disk back. */
  wipe(): () => void {
    const before = this.#disk
    this.#options.onLife(`n${this.nodeId} has an empty disk`)
    this.#disk = this.#freshDisk()
    return () => {
      this.#options.onLife(`n${this.nodeId} has its disk back`)
      this.#disk = before
    }
  }

  #settings(): Settings {
    const held = new Settings()
    for (const [name, value] of Object.entries(this.#options.settings))
      if (isSettingName(name)) held.set(name, value, 'flag')
    return held
  }

  #freshDisk(): SimDisk {
    const { clock } = this.#options
    const disk = new SimDisk({
      clock: { now: () => clock.now() + this.#wall.offsetMs },
      canLosePower: true,
      onOperation: (operation) => this.#operation(operation),
      device: (operation) => this.#access(operation),
      someOf: (bytes) => this.#deviceRandom.below(bytes + 1),
    })
    disk.mount().mkdir(`/srv/${this.host}`)
    disk.settleAll()
    return disk
  }

  #end(how: 'killed' | 'vanished'): void {
    this.#process?.end()
    this.#process = null
    this.#broker = null
    this.#device.clear()
    const { net, onEnd } = this.#options
    onEnd()
    if (how === 'killed') net.kill(this.host)
    else net.vanish(this.host)
  }

  #operation(operation: DiskOperation): DiskFault | undefined {
    const fault = this.onDisk?.(operation)
    // Nothing may leave the machine after this point, whatever the rest of the turn does.
    if (fault === 'powerOff') this.#end('vanished')
    return fault
  }

  /** A read is mostly one of the page cache. */
  #access({ kind }: DiskOperation): Promise<void> {
    const takesMs = (this.#deviceRandom.float() * this.syncMaxMs) / (kind === 'read' ? 50 : 1)
    return new Promise((resolve) => {
      this.#options.clock.setTimer(takesMs, () => this.#device.pass(resolve))
    })
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}
