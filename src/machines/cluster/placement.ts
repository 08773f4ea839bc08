/** Which brokers hold a partition. */
import { Refused } from '../../base/errors.ts'
import type { ClusterState, RegisteredBroker } from './state.ts'

/** By partition: the brokers, the preferred leader first. */
export type ReplicaAssignment = readonly (readonly number[])[]

/**
 * Spreads `count` partitions, numbered from `first`, over the brokers in turn, so that leaders and replicas come out even. The
 * replicas of one lie in as many racks as there are. `start` shifts the turn, so that topics with few partitions do not all begin
 * on the same broker. Brokers that are `away` get nothing, unless the others are too few.
 * @throws Refused INVALID_REPLICATION_FACTOR when there are fewer brokers than replicas
 */
export function place(
  state: Readonly<ClusterState>,
  partitions: {
    first: number
    count: number
    replicationFactor: number
    start: number
    away: readonly number[]
  },
): ReplicaAssignment {
  const { first, count, replicationFactor, start, away } = partitions
  const all = [...state.brokers.values()]
  const present = all.filter(({ id }) => !away.includes(id))
  const brokers = inTurn(present.length < replicationFactor ? all : present)
  if (replicationFactor > brokers.length) {
    throw new Refused(
      'INVALID_REPLICATION_FACTOR',
      `replication factor ${replicationFactor} is more than the ${brokers.length} broker${brokers.length === 1 ? '' : 's'} of this cluster`,
    )
  }
  const placements: number[][] = []
  for (let index = first; index < first + count; index++) {
    const shift = (start + index) % brokers.length
    placements.push(spread([...brokers.slice(shift), ...brokers.slice(0, shift)], replicationFactor))
  }
  return placements
}

type Placed = Pick<RegisteredBroker, 'id' | 'rack'>

/** One of each rack in turn. Racks count only where every broker has one, as in Kafka. */
function inTurn(brokers: readonly RegisteredBroker[]): Placed[] {
  const sorted = [...brokers].sort((a, b) => a.id - b.id)
  if (sorted.some(({ rack }) => rack === null)) return sorted.map(({ id }) => ({ id, rack: null }))
  const racks = new Map<string | null, RegisteredBroker[]>()
  for (const broker of sorted) racks.set(broker.rack, [...(racks.get(broker.rack) ?? []), broker])
  const turns = Math.max(0, ...[...racks.values()].map((rack) => rack.length))
  return Array.from({ length: turns }, (_, turn) =>
    [...racks.values()].flatMap((rack) => rack[turn] ?? []),
  ).flat()
}

/** The first `count` of `brokers`, but one of another rack before a second one of the same. */
function spread(brokers: readonly Placed[], count: number): number[] {
  const chosen: Placed[] = []
  let left = brokers
  while (chosen.length < count) {
    const used = new Set(
      chosen.slice(chosen.length - (chosen.length % racksOf(brokers))).map(({ rack }) => rack),
    )
    const next = left.find(({ rack }) => rack === null || !used.has(rack)) ?? left[0]
    if (next === undefined) break
    chosen.push(next)
    left = left.filter((broker) => broker !== next)
  }
  return chosen.map(({ id }) => id)
}

function racksOf(brokers: readonly Placed[]): number {
  return new Set(brokers.map(({ rack }) => rack)).size
}

/** @throws Refused INVALID_REPLICA_ASSIGNMENT */
export function checkAssignment(state: Readonly<ClusterState>, assignment: ReplicaAssignment): void {
  const width = assignment[0]?.length ?? 0
  for (const [index, replicas] of assignment.entries()) {
    checkReplicas(state, replicas, `partition ${index}: `)
    if (replicas.length === width) continue
    throw new Refused(
      'INVALID_REPLICA_ASSIGNMENT',
      `partition ${index}: all partitions must have the same number of replicas`,
    )
  }
}

/** @throws Refused INVALID_REPLICA_ASSIGNMENT */
export function checkReplicas(state: Readonly<ClusterState>, replicas: readonly number[], where = ''): void {
  const wrong = (what: string) => new Refused('INVALID_REPLICA_ASSIGNMENT', `${where}${what}`)
  if (replicas.length === 0) throw wrong('no replica is named')
  if (new Set(replicas).size !== replicas.length) throw wrong('a broker is named twice')
  for (const id of replicas) if (!state.brokers.has(id)) throw wrong(`there is no broker ${id}`)
}
