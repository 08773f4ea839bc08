/** The group coordinators that lead on this node: a groups machine on each partition of the groups' topic that is here. */
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../io/world.ts'
import { groupsMachine } from '../machines/groups/groups.ts'
import { type GroupSettings, groupSettingDefaults } from '../machines/groups/settings.ts'
import { Executor } from '../replica/executor.ts'
import type { BrokerEvent } from './broker.ts'
import type { GroupExecutor } from './coordinators.ts'
import { executorSettings } from './executor-settings.ts'
import type { Partition } from './partition.ts'

export interface GroupsTopicOptions {
  readonly clock: Clock
  readonly settings: Settings
  readonly onEvent: (event: BrokerEvent) => void
}

export class GroupsTopic {
  readonly #options: GroupsTopicOptions
  /** By partition of the groups' topic; empty until `lead`. */
  readonly executors: GroupExecutor[] = []

  constructor(options: GroupsTopicOptions) {
    this.#options = options
  }

  /** Starts a coordinator on each partition; resolves when all serve. */
  async lead(partitions: readonly Partition[]): Promise<void> {
    const { clock, settings, onEvent } = this.#options
    const machine = groupsMachine(groupSettings(settings, partitions.length))
    const opened = await Promise.all(
      partitions.map(async ({ index, replica }) => {
        const executor = await Executor.open({
          machine,
          replica,
          clock,
          settings: executorSettings(settings),
          notLeader: 'NOT_COORDINATOR',
          onEvent,
        })
        return [index, executor] as const
      }),
    )
    // All at once: with some of them missing a group would be looked for on the wrong partition.
    for (const [index, executor] of opened) this.executors[index] = executor
  }

  close(): void {
    for (const executor of this.executors) executor.close()
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
