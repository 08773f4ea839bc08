/** Where the replicas of a broker go that is to leave. Pure: the same cluster gives the same plan. */
import { KafkaError } from './errors.ts'
import type { BrokerMetadata } from './metadata.ts'
import type { TopicPartition } from './partition.ts'

export interface PlacedPartition extends TopicPartition {
  /** The preferred leader first. */
  readonly replicas: readonly number[]
}

export interface Move extends TopicPartition {
  readonly from: readonly number[]
  readonly to: readonly number[]
}

/**
 * One move for each partition that the broker holds. The newcomer is a broker of `brokers` that does not hold the partition:
 * of a rack that holds it least, where every broker has a rack; among those the one with the fewest replicas, counting what
 * was planned before. The other replicas stay. Where the broker was the preferred leader, the replica that is so least takes
 * its turn.
 * @throws KafkaError INVALID_REPLICATION_FACTOR when there is no such broker
 */
export function planDrain(
  leaving: number,
  brokers: readonly Pick<BrokerMetadata, 'nodeId' | 'rack'>[],
  partitions: readonly PlacedPartition[],
): Move[] {
  const staying = brokers.filter(({ nodeId }) => nodeId !== leaving)
  const isRacked = staying.every(({ rack }) => rack !== null)
  const rackOf = new Map(staying.map(({ nodeId, rack }) => [nodeId, rack]))
  const holds = new Tally()
  const prefers = new Tally()
  for (const { replicas } of partitions) {
    for (const id of replicas) holds.add(id)
    if (replicas[0] !== undefined) prefers.add(replicas[0])
  }
  return partitions
    .filter(({ replicas }) => replicas.includes(leaving))
    .map(({ topic, partition, replicas }) => {
      const kept = replicas.filter((id) => id !== leaving)
      const inRack = (rack: string | null): number =>
        isRacked ? kept.filter((id) => rackOf.get(id) === rack).length : 0
      const newcomer = least(
        staying.filter(({ nodeId }) => !kept.includes(nodeId)),
        ({ rack }) => inRack(rack),
        ({ nodeId }) => holds.of(nodeId),
        ({ nodeId }) => nodeId,
      )
      if (newcomer === undefined) throw tooFew(leaving, topic, replicas.length, staying.length)
      holds.add(newcomer.nodeId)
      const to = replicas.map((id) => (id === leaving ? newcomer.nodeId : id))
      if (replicas[0] !== leaving) return { topic, partition, from: replicas, to }
      // Those that have the records already come first among equals.
      const first = least([...kept, newcomer.nodeId], (id) => prefers.of(id)) ?? newcomer.nodeId
      prefers.add(first)
      return { topic, partition, from: replicas, to: [first, ...to.filter((id) => id !== first)] }
    })
}

/** The one with the smallest first measure, among equals the second, and so on; the earliest of all that are equal. */
function least<T>(all: readonly T[], ...measures: ((one: T) => number)[]): T | undefined {
  let best: T | undefined
  for (const one of all) {
    if (best === undefined || isLess(one, best, measures)) best = one
  }
  return best
}

function isLess<T>(a: T, b: T, measures: readonly ((one: T) => number)[]): boolean {
  for (const measure of measures) {
    const difference = measure(a) - measure(b)
    if (difference !== 0) return difference < 0
  }
  return false
}

class Tally {
  readonly #counts = new Map<number, number>()
  of(id: number): number {
    return this.#counts.get(id) ?? 0
  }
  add(id: number): void {
    this.#counts.set(id, this.of(id) + 1)
  }
}

function tooFew(leaving: number, topic: string, replicas: number, staying: number): KafkaError {
  const [has, left] = [
    `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`,
    `${staying} ${staying === 1 ? 'broker is' : 'brokers are'}`,
  ]
  return new KafkaError(
    'INVALID_REPLICATION_FACTOR',
    `broker ${leaving} cannot leave: topic ${topic} has ${has} of each partition, and without it only ${left} left`,
    { advice: 'start another broker first, or reassign the topic to fewer replicas' },
  )
}
