/** The group coordinators on this node: a groups machine on each partition of the groups' topic that is here, leading or following. */
import { Faulted } from '../base/errors.ts'
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../io/world.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { groupsMachine } from '../machines/groups/groups.ts'
import { type GroupSettings, groupSettingDefaults } from '../machines/groups/settings.ts'
import { Executor } from '../replica/executor.ts'
import type { BrokerEvent } from './broker.ts'
import type { GroupExecutor } from './coordinators.ts'
import { executorSettings } from './executor-settings.ts'
import type { Partition } from './partition.ts'

export interface GroupsTopicOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly settings: Settings
  readonly onEvent: (event: BrokerEvent) => void
}

type GroupsMachine = ReturnType<typeof groupsMachine>

export class GroupsTopic {
  readonly #options: GroupsTopicOptions
  /** By partition of the groups' topic, undefined where it is offline or elsewhere; empty until `follow`. */
  readonly executors: (GroupExecutor | undefined)[] = []
  #machine: GroupsMachine | null = null
  /** Hears of each coordinator that begins to lead. */
  onServing: (executor: GroupExecutor) => void = () => {}

  constructor(options: GroupsTopicOptions) {
    this.#options = options
  }

  /** Stops those whose partitions leave this broker. */
  release(topic: Topic): void {
    for (const [index, executor] of this.executors.entries()) {
      if (executor === undefined || topic.placements[index]?.includes(this.#options.nodeId)) continue
      this.drop(index)
    }
  }

  /** Stops the one of a partition whose replica is closed, and perhaps opened again. */
  drop(index: number): void {
    this.executors[index]?.close()
    this.executors[index] = undefined
  }

  /**
   * Starts a machine on each of the topic's partitions that are open here; resolves when those that lead serve. One whose state
   * cannot be read is left out, and has said so itself.
   */
  async follow(topic: Topic, partitions: readonly Partition[]): Promise<void> {
    const count = topic.placements.length
    this.#machine ??= groupsMachine(groupSettings(this.#options.settings, count))
    const machine = this.#machine
    const added = partitions.filter(({ index }) => this.executors[index] === undefined)
    const opened = await Promise.all(added.map((partition) => this.#open(machine, partition)))
    // All at once: with some of them missing a group would be looked for on the wrong partition.
    this.executors.length = count
    for (const [at, { index }] of added.entries()) {
      const executor = opened[at]
      this.executors[index] = executor
      if (executor?.isReady) this.onServing(executor)
    }
  }

  async #open(machine: GroupsMachine, partition: Partition): Promise<GroupExecutor | undefined> {
    const { replica, index } = partition
    const { clock, settings, onEvent } = this.#options
    try {
      return await Executor.open({
        machine,
        replica,
        clock,
        settings: executorSettings(settings),
        notLeader: 'NOT_COORDINATOR',
        onEvent,
        onServing: () => {
          const executor = this.executors[index]
          if (executor !== undefined) this.onServing(executor)
        },
        onFailed: (cause) => {
          if (cause instanceof Faulted && cause.door === 'bytes') partition.damaged(cause)
        },
      })
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      return undefined
    }
  }

  close(): void {
    for (const executor of this.executors) executor?.close()
  }
}

function groupSettings(settings: Settings, partitions: number): GroupSettings {
  return {
    ...groupSettingDefaults,
    groupInitialRebalanceDelayMs: settings.get('group.initial.rebalance.delay.ms'),
    groupMinSessionTimeoutMs: settings.get('group.min.session.timeout.ms'),
    groupMaxSessionTimeoutMs: settings.get('group.max.session.timeout.ms'),
    groupMaxSize: settings.get('group.max.size'),
    groupsMax: Math.ceil(settings.get('lograft.groups.max') / partitions),
    offsetsRetentionMs: settings.get('offsets.retention.minutes') * 60_000,
    offsetsRetentionCheckIntervalMs: settings.get('offsets.retention.check.interval.ms'),
    offsetMetadataMaxBytes: settings.get('offset.metadata.max.bytes'),
  }
}
