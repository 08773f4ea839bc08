/** Carries out the faults of a plan on one machine, and brings the broker back after each. */
import type { DiskFault, DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Machine } from './machine.ts'
import type { Fault } from './plan.ts'
import { type Stage, sleep } from './stage.ts'

/** A start may fail while the disk is ill. */
const retryMs = 300

export class Injector {
  readonly #stage: Stage
  readonly #machine: Machine

  constructor(stage: Stage, machine: Machine) {
    this.#stage = stage
    this.#machine = machine
  }

  async run(faults: readonly Fault[]): Promise<void> {
    for (const fault of faults) {
      const waitMs = fault.atMs - this.#stage.clock.monotonic()
      if (waitMs > 0) await sleep(this.#stage, waitMs)
      if (this.#stage.isOver) return
      this.#stage.recorder.trace(`fault ${JSON.stringify(fault)}`)
      this.#stage.recorder.mark(`fault ${fault.kind}`)
      await this.#carryOut(fault)
    }
  }

  /** Ends the process in one of three ways. */
  async bringDown(how: 'kill' | 'losePower' | 'stop'): Promise<void> {
    const machine = this.#machine
    if (how === 'losePower') {
      this.#stage.recorder.disrupt()
      machine.losePower()
    } else if (how === 'stop' && machine.isUp) {
      const left = await machine.stop()
      if (left > 0) this.#stage.recorder.violate(`${left} timers are left after a clean stop`)
    } else machine.kill()
  }

  /** Starts the broker until it serves. */
  async bringUp(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const error = await this.#machine.start()
      if (error === null) return
      this.#stage.recorder.mark('start failed')
      // With a sound disk a broker always starts.
      if (this.#machine.onDisk === null && this.#machine.syncMaxMs < 1000)
        this.#stage.recorder.violate(`the broker does not start: ${error.message}`)
      if (attempt > 20) return
      await sleep(this.#stage, retryMs)
    }
  }

  async #carryOut(fault: Fault): Promise<void> {
    const machine = this.#machine
    switch (fault.kind) {
      case 'kill':
      case 'losePower':
      case 'stop':
        await this.#bounce(fault.kind, fault.downMs)
        return
      case 'losePowerAt':
        await this.#untilPowerOff(fault.operations)
        await this.#bounce('losePower', fault.downMs)
        return
      case 'failSync':
        await this.#failOneSync()
        await sleep(this.#stage, fault.restartMs)
        await this.#bounce('losePower', 10)
        return
      case 'fillDisk':
        machine.onDisk = full
        await sleep(this.#stage, fault.forMs)
        machine.onDisk = null
        await this.#bounce('kill', 10)
        return
      case 'slowDisk': {
        const before = machine.syncMaxMs
        machine.syncMaxMs = fault.syncMaxMs
        await sleep(this.#stage, fault.forMs)
        machine.syncMaxMs = before
        return
      }
      case 'jump':
        machine.jump(fault.byMs)
        return
      case 'resetConnections':
        this.#stage.resetConnections(fault.probability)
    }
  }

  async #bounce(how: 'kill' | 'losePower' | 'stop', downMs: number): Promise<void> {
    await this.bringDown(how)
    await sleep(this.#stage, downMs)
    await this.bringUp()
  }

  /** After so many more changes of the disk, or when nothing happens for a while. */
  async #untilPowerOff(operations: number): Promise<void> {
    let left = operations
    await new Promise<void>((resolve) => {
      const timer = this.#stage.clock.setTimer(500, resolve)
      this.#machine.onDisk = ({ kind }) => {
        if (kind === 'read' || --left > 0) return undefined
        this.#machine.onDisk = null
        timer.cancel()
        // Who waits goes on in another turn: this one belongs to the broker.
        this.#stage.clock.soon(resolve)
        return 'powerOff'
      }
    })
    this.#machine.onDisk = null
  }

  /** Waits until there was one to fail, but not for ever. */
  async #failOneSync(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#stage.clock.setTimer(500, resolve)
      this.#machine.onDisk = ({ kind }) => {
        if (kind !== 'sync') return undefined
        this.#machine.onDisk = null
        timer.cancel()
        this.#stage.clock.soon(resolve)
        return { code: 'EIO' }
      }
    })
    this.#machine.onDisk = null
  }
}

function full({ kind, bytes }: DiskOperation): DiskFault | undefined {
  const grows = kind === 'write' || kind === 'create' || kind === 'mkdir'
  return grows ? { code: 'ENOSPC', written: Math.floor(bytes / 2) } : undefined
}
