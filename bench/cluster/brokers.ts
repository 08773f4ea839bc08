/** One broker, or several that form a cluster, each in a process of its own; and who leads what among them. */
import { createServer } from 'node:net'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { BrokerProcess } from '../broker-process.ts'
import { LoadConnection } from '../load/connection.ts'

export interface Led {
  readonly bootstrap: string
  readonly indexes: readonly number[]
}

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

  /** Seconds of all of them, user and system. */
  cpuSeconds(): number {
    return this.processes.reduce((sum, one) => sum + one.cpu().user + one.cpu().system, 0)
  }

  peakMegabytes(): number {
    return Math.max(...this.processes.map((one) => one.memory().peak))
  }

  /** The partitions of a topic by the broker that leads them. @throws when one has no leader */
  async leaders(topic: string): Promise<Led[]> {
    const connection = await LoadConnection.open(this.bootstrap)
    const answer = await connection.ask(Metadata, 9, { topics: [{ name: topic }] })
    connection.close()
    const led = new Map<number, number[]>()
    for (const { partitionIndex, leaderId } of answer.topics[0]?.partitions ?? []) {
      if (leaderId < 0) throw new Error(`${topic}-${partitionIndex} has no leader`)
      led.set(leaderId, [...(led.get(leaderId) ?? []), partitionIndex])
    }
    return [...led].map(([leader, indexes]) => {
      const place = answer.brokers.find(({ nodeId }) => nodeId === leader)
      return { bootstrap: `${place?.host}:${place?.port}`, indexes }
    })
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()))
  }
}

/** Voters are named before anybody runs: their ports must be known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
      }),
  )
  const found = await Promise.all(ports)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return found
}
