/** A broker leaves for good: its replicas move to the others, a few at a time, then it is taken out of the cluster. */
import { unregisterBroker } from './admin-quorum.ts'
import { alterPartitionReassignments, listPartitionReassignments } from './admin-reassignments.ts'
import type { Cluster } from './cluster.ts'
import { type PlacedPartition, planDrain } from './drain-plan.ts'
import { KafkaError, PartialFailure } from './errors.ts'
import { nameOf } from './partition.ts'
import { untilNone, type WaitOptions } from './progress.ts'

export interface DecommissionOptions extends WaitOptions {
  /** Partitions that move at the same time: what moves takes bandwidth from what is served. */
  readonly waveSize?: number
}

const waveSizeDefault = 20

/**
 * Resolves when the broker holds nothing any more and is taken out. Interrupted, it may be said again: it goes on where it was.
 * @throws KafkaError BROKER_ID_NOT_REGISTERED; INVALID_REPLICATION_FACTOR before anything moved, when the others are too few;
 *   REQUEST_TIMED_OUT when the moves get nowhere
 */
export async function decommission(
  cluster: Cluster,
  leaving: number,
  options: DecommissionOptions,
): Promise<void> {
  const { waveSize = waveSizeDefault } = options
  const what = `decommission of broker ${leaving}`
  let isOut = false
  while (!isOut) {
    await untilNone(cluster, what, options, () => drainOnce(cluster, leaving, waveSize))
    isOut = await takeOut(cluster, leaving)
  }
}

/** Begins as many moves as fit into the wave. Answers the partitions that the broker holds, or is about to. */
async function drainOnce(cluster: Cluster, leaving: number, waveSize: number): Promise<PlacedPartition[]> {
  const { brokers, topics } = await cluster.retry('topics', () => cluster.metadata.fetch(null, false))
  const ongoing = new Map(
    (await listPartitionReassignments(cluster, null)).map((move) => [nameOf(move), move]),
  )
  const partitions = [...topics.values()].flatMap(({ name: topic, partitions: rows }) =>
    rows.map(({ index: partition, replicas }) => ({ topic, partition, replicas })),
  )
  const held = partitions.filter(({ replicas }) => replicas.includes(leaving))
  // What is on its way out already is not planned again; what is on its way to the broker is turned round.
  const wanted = partitions.map((place) => {
    const removing = ongoing.get(nameOf(place))?.removing ?? []
    return { ...place, replicas: place.replicas.filter((id) => !removing.includes(id)) }
  })
  const moves = planDrain(leaving, brokers, wanted)
  const room = Math.max(0, waveSize - (held.length - moves.length))
  await begin(
    cluster,
    moves.slice(0, room).map(({ topic, partition, to }) => ({ topic, partition, replicas: to })),
  )
  return held
}

/** A topic that was deleted since needs no move. */
async function begin(
  cluster: Cluster,
  moves: Parameters<typeof alterPartitionReassignments>[1],
): Promise<void> {
  if (moves.length === 0) return
  try {
    await alterPartitionReassignments(cluster, moves)
  } catch (cause) {
    const errors = cause instanceof PartialFailure ? cause.errors : [cause]
    const isGone = (error: unknown): boolean =>
      error instanceof KafkaError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
    if (!errors.every(isGone)) throw cause
  }
}

/** false when a new topic came to lie there in the meantime. */
async function takeOut(cluster: Cluster, leaving: number): Promise<boolean> {
  try {
    await unregisterBroker(cluster, leaving)
    return true
  } catch (cause) {
    const { topics } = await cluster.retry('topics', () => cluster.metadata.fetch(null, false))
    const isHeld = [...topics.values()].some(({ partitions }) =>
      partitions.some(({ replicas }) => replicas.includes(leaving)),
    )
    if (!isHeld) throw cause
    return false
  }
}
