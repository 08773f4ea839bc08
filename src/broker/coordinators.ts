/**
 * Who coordinates a group on this node. Groups are spread over the partitions of the internal groups' topic; each is coordinated
 * by the machine on its partition, where that leads.
 */
import { Refused } from '../base/errors.ts'
import type { GroupVolatile } from '../machines/groups/apply.ts'
import type { GroupChange } from '../machines/groups/changes.ts'
import type { GroupCommand, GroupReplies } from '../machines/groups/commands.ts'
import type { GroupsState } from '../machines/groups/state.ts'
import type { Executor } from '../replica/executor.ts'

export type GroupExecutor = Executor<GroupsState, GroupCommand, GroupChange, GroupVolatile, GroupReplies>

export interface CoordinatorsOptions {
  /**
   * By partition of the groups' topic, and as long as it has partitions: undefined where the partition is offline or not here;
   * those that are here lead or follow. Empty while there is no such topic, or while it is being opened. Read at every call, so whoever opens the partitions
   * fills it in.
   */
  readonly executors: readonly (GroupExecutor | undefined)[]
  /** Makes the groups' topic when there is none; resolves when it serves. */
  readonly ensure: () => Promise<void>
  /** See Replica.confirmLeadership, of a partition of the groups' topic. */
  readonly confirm: (index: number) => Promise<void>
}

export class Coordinators {
  readonly #options: CoordinatorsOptions

  constructor(options: CoordinatorsOptions) {
    this.#options = options
  }

  /** Makes sure that groups can be coordinated at all. @throws Refused COORDINATOR_NOT_AVAILABLE when that cannot be */
  async ensure(): Promise<void> {
    try {
      await this.#options.ensure()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      throw new Refused(
        'COORDINATOR_NOT_AVAILABLE',
        `the topic of the groups cannot be made: ${error.message}`,
      )
    }
  }

  /** The partition of the groups' topic that a group belongs to. @throws Refused COORDINATOR_NOT_AVAILABLE while there is none */
  partitionOf(groupId: string): number {
    const { executors } = this.#options
    if (executors.length === 0) {
      throw new Refused('COORDINATOR_NOT_AVAILABLE', 'the topic of the groups is not there yet')
    }
    return groupPartition(groupId, executors.length)
  }

  /** @throws Refused COORDINATOR_NOT_AVAILABLE while there is no groups' topic, NOT_COORDINATOR when its partition is not here */
  forGroup(groupId: string): GroupExecutor {
    const index = this.partitionOf(groupId)
    const executor = this.#options.executors[index]
    if (executor === undefined) {
      throw new Refused(
        'NOT_COORDINATOR',
        `group '${groupId}' belongs to partition ${index} of the groups' topic, which is offline here or on other nodes`,
      )
    }
    return executor
  }

  /**
   * Makes sure that no other coordinator has decided anything meanwhile: who reads, and must not be told what was true before,
   * asks this first. (Who decides something need not: it is not committed unless it leads.)
   * @throws Refused COORDINATOR_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER
   */
  async confirm(groupId: string): Promise<void> {
    await this.#options.confirm(this.partitionOf(groupId))
  }

  /** All that lead here. */
  all(): GroupExecutor[] {
    return this.#options.executors.flatMap((executor) => (executor?.isReady ? executor : []))
  }

  /** Resolves when everything that they have decided so far is committed. @throws Refused when one of them cannot say that */
  async settle(): Promise<void> {
    await this.#forget([])
  }

  /** Forgets the offsets of a deleted topic in every group coordinated here. @throws Refused when one of them is offline */
  async forgetTopic(name: string): Promise<void> {
    await this.#forget([name])
  }

  /** Forgets the offsets of topics that are gone. A topic made anew must not be read from the old one's offsets. */
  async forgetTopicsBut(executor: GroupExecutor, isKnown: (name: string) => boolean): Promise<void> {
    const names = executor.query(topicsOf).filter((name) => !isKnown(name))
    if (names.length > 0) await executor.execute({ type: 'forgetTopics', names })
  }

  /** One that is offline does not keep the others from it. */
  async #forget(names: readonly string[]): Promise<void> {
    const forgotten = await Promise.allSettled(
      this.all().map(async (executor) => {
        await executor.execute({ type: 'forgetTopics', names })
      }),
    )
    for (const outcome of forgotten) if (outcome.status === 'rejected') throw outcome.reason
  }
}

/** Those with committed offsets. */
function topicsOf({ groups }: Readonly<GroupsState>): string[] {
  const names = new Set<string>()
  for (const { offsets } of groups.values()) for (const name of offsets.keys()) names.add(name)
  return [...names]
}

/** Kafka's rule, which monitoring tools know: Java's hash of the string, without its sign. */
export function groupPartition(groupId: string, partitions: number): number {
  let hash = 0
  for (let at = 0; at < groupId.length; at++) hash = (Math.imul(hash, 31) + groupId.charCodeAt(at)) | 0
  return (hash & 0x7fffffff) % partitions
}
