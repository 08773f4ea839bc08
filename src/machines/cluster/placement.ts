/** Which brokers hold a partition. */
import { Refused } from '../../base/errors.ts'
import type { ClusterState } from './state.ts'

/** By partition: the brokers, the preferred leader first. */
export type ReplicaAssignment = readonly (readonly number[])[]

/**
 * Spreads `count` partitions, numbered from `first`, over the brokers in turn, so that leaders and replicas come out even.
 * `start` shifts the turn, so that topics with few partitions do not all begin on the same broker.
 * @throws Refused INVALID_REPLICATION_FACTOR when there are fewer brokers than replicas
 */
export function place(
  state: Readonly<ClusterState>,
  partitions: { first: number; count: number; replicationFactor: number; start: number },
): ReplicaAssignment {
  const brokers = [...state.brokers.keys()].sort((a, b) => a - b)
  const { first, count, replicationFactor, start } = partitions
  if (replicationFactor > brokers.length) {
    throw new Refused(
      'INVALID_REPLICATION_FACTOR',
      `replication factor ${replicationFactor} is more than the ${brokers.length} broker${brokers.length === 1 ? '' : 's'} of this cluster`,
    )
  }
  const placements: number[][] = []
  for (let index = first; index < first + count; index++) {
    const placement: number[] = []
    for (let copy = 0; copy < replicationFactor; copy++) {
      const broker = brokers[(start + index + copy) % brokers.length]
      if (broker !== undefined) placement.push(broker)
    }
    placements.push(placement)
  }
  return placements
}

/** @throws Refused INVALID_REPLICA_ASSIGNMENT */
export function checkAssignment(state: Readonly<ClusterState>, assignment: ReplicaAssignment): void {
  const width = assignment[0]?.length ?? 0
  for (const [index, replicas] of assignment.entries()) {
    const wrong = (what: string) => new Refused('INVALID_REPLICA_ASSIGNMENT', `partition ${index}: ${what}`)
    if (replicas.length === 0) throw wrong('no replica is named')
    if (replicas.length !== width) throw wrong('all partitions must have the same number of replicas')
    if (new Set(replicas).size !== replicas.length) throw wrong('a broker is named twice')
    for (const id of replicas) {
      if (!state.brokers.has(id)) throw wrong(`there is no broker ${id}`)
    }
  }
}
