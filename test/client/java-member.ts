/**
 * A member of a group that runs Kafka's own consumer: the tool VerifiableConsumer, which tells in JSON what it does and commits
 * after every poll. From the Kafka installation that KAFKA_HOME names.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { AssignorName } from '../../client/assignors.ts'

const home = process.env.KAFKA_HOME

/** For `t.test(name, { skip: missingJava() }, ...)`: false, or the reason to skip. */
export function missingJava(): string | false {
  if (home === undefined) return 'KAFKA_HOME names no Kafka, whose tools are the Java members'
  return spawnSync('java', ['-version']).status === 0 ? false : 'not installed: java'
}

const classes: Partial<Record<AssignorName, string>> = {
  range: 'RangeAssignor',
  roundrobin: 'RoundRobinAssignor',
  sticky: 'StickyAssignor',
  'cooperative-sticky': 'CooperativeStickyAssignor',
}

interface Place {
  readonly partition: number
  readonly offset: number
}

type Told =
  | { readonly name: 'partitions_assigned' | 'partitions_revoked'; readonly partitions: readonly Place[] }
  | { readonly name: 'offsets_committed'; readonly success: boolean; readonly offsets: readonly Place[] }
  | ({ readonly name: 'record_data'; readonly value: string } & Place)
  | { readonly name: 'startup_complete' | 'shutdown_complete' | 'records_consumed' }

export class JavaMember {
  /** Offsets in the order in which they were read; -1 where an assignment began. */
  readonly read = new Map<number, number[]>()
  /** By 'partition:offset'. */
  readonly values = new Map<string, string>()
  readonly committed = new Map<number, number>()
  owned: number[] = []
  readonly peer = { end: (signal: NodeJS.Signals): Promise<void> => this.#end(signal) }
  readonly #child: ChildProcess

  constructor(args: { bootstrap: string; topic: string; group: string; strategy: AssignorName }) {
    const { bootstrap, topic, group, strategy } = args
    const child = spawn(
      'java',
      [
        ...['-Xmx128m', '-cp', `${home}/libs/*`, 'org.apache.kafka.tools.VerifiableConsumer'],
        ...['--bootstrap-server', bootstrap, '--topic', topic, '--group-id', group],
        ...['--reset-policy', 'earliest', '--session-timeout', '6000', '--verbose'],
        ...['--assignment-strategy', `org.apache.kafka.clients.consumer.${classes[strategy] ?? strategy}`],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    this.#child = child
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#take(JSON.parse(line) as Told)
    })
  }

  look(): this {
    return this
  }

  #take(told: Told): void {
    switch (told.name) {
      case 'partitions_assigned':
        for (const { partition } of told.partitions) this.#readOf(partition).push(-1)
        this.owned = [...this.owned, ...told.partitions.map(({ partition }) => partition)].sort()
        break
      case 'partitions_revoked':
        this.owned = this.owned.filter((mine) => !told.partitions.some(({ partition }) => partition === mine))
        break
      case 'offsets_committed':
        if (told.success)
          for (const { partition, offset } of told.offsets) this.committed.set(partition, offset)
        break
      case 'record_data':
        this.#readOf(told.partition).push(told.offset)
        this.values.set(`${told.partition}:${told.offset}`, told.value)
        break
    }
  }

  #readOf(partition: number): number[] {
    const offsets = this.read.get(partition) ?? []
    this.read.set(partition, offsets)
    return offsets
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exited
  }
}
