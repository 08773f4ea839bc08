/** A partition as clients are told of it: who leads it, which replicas keep up, which are out of reach. */
import type { Broker } from '../broker/broker.ts'
import type { Topic } from '../machines/cluster/state.ts'

export interface LeaderInEpoch {
  /** -1: nobody, or nobody who can be reached. */
  readonly leaderId: number
  /** -1 when no leader was ever heard of. */
  readonly epoch: number
}

export interface PartitionState extends LeaderInEpoch {
  readonly replicas: readonly number[]
  /** Empty without a leader: nobody else knows. */
  readonly isr: readonly number[]
  readonly offline: readonly number[]
}

const unheard: LeaderInEpoch = { leaderId: -1, epoch: -1 }

/**
 * Who leads, as far as this broker has heard. One that cannot be reached from here counts as none: clients wait a moment and ask
 * again, which is better than a connection attempt that takes seconds to fail.
 */
export function leaderOf(broker: Broker, topicId: string, index: number): LeaderInEpoch {
  const told = broker.leaders.of(topicId, index)
  const here = broker.partition(topicId, index)?.replica
  // A replica here hears of an election before the winner is ready and says so.
  const newest = here !== undefined && here.epoch > (told?.epoch ?? -1) ? here : (told ?? unheard)
  const { leaderId, epoch } = newest
  const isServed = leaderId === broker.nodeId ? here?.fault === null : broker.isAlive(leaderId)
  return { leaderId: isServed ? leaderId : -1, epoch }
}

export function partitionState(broker: Broker, topic: Topic, index: number): PartitionState {
  const replicas = topic.placements[index] ?? []
  const { leaderId, epoch } = leaderOf(broker, topic.id, index)
  const told = broker.leaders.of(topic.id, index)
  const inSync = leaderId < 0 ? [] : told?.epoch === epoch ? told.isr : [leaderId]
  // Whoever has just left it may have been told of before.
  const isr = inSync.filter((id) => replicas.includes(id))
  const isOffline = (id: number): boolean =>
    id === broker.nodeId ? broker.fault(topic.id, index) !== undefined : !broker.isAlive(id)
  return { leaderId, epoch, replicas, isr, offline: replicas.filter(isOffline) }
}
