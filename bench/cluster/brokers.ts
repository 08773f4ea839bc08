/** One broker, or several that form a cluster, each in a process of its own. */
import { BrokerProcess } from '../broker-process.ts'
import { freePorts } from '../ports.ts'
import { cpuSecondsOf } from '../usage.ts'

export class Brokers {
  readonly processes: readonly BrokerProcess[]
  readonly #flags: readonly (readonly string[])[]

  private constructor(processes: readonly BrokerProcess[], flags: readonly (readonly string[])[]) {
    this.processes = processes
    this.#flags = flags
  }

  static async start(count: number, settings: Readonly<Record<string, string>> = {}): Promise<Brokers> {
    if (count === 1) return new Brokers([await BrokerProcess.start(settings)], [[]])
    const ports = await freePorts(count)
    const voters = ports.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(',')
    const flags = ports.map((port, i) => [
      '--node-id',
      `${i + 1}`,
      '--peer-port',
      `${port}`,
      '--voters',
      voters,
    ])
    const started = flags.map((place) => BrokerProcess.start(settings, undefined, place))
    return new Brokers(await Promise.all(started), flags)
  }

  /** What makes a process the one it is, when it starts again. */
  flagsOf(one: BrokerProcess): readonly string[] {
    return this.#flags[this.processes.indexOf(one)] ?? []
  }

  get bootstrap(): string {
    return this.processes[0]?.bootstrap ?? ''
  }

  get pids(): number[] {
    return this.processes.map(({ pid }) => pid)
  }

  /** Seconds of all of them, user and system. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pids)
  }

  peakMegabytes(): number {
    return Math.max(...this.processes.map((one) => one.memory().peak))
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()))
  }
}
