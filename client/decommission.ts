/** A broker leaves for good: its replicas move to the others, a few at a time, then it is taken out of the cluster. */
import { unregisterBroker } from './admin-quorum.ts'
import { alterPartitionReassignments, listPartitionReassignments } from './admin-reassignments.ts'
import type { Cluster } from './cluster.ts'
import { type PlacedPartition, planDrain } from './drain-plan.ts'
import { KafkaError, PartialFailure } from './errors.ts'
import { nameOf } from './partition.ts'
import { namesOf, untilNone, type WaitOptions } from './progress.ts'

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
    const begun = new Begun()
    const lost = new Lost(cluster, what)
    await untilNone(cluster, what, options, async () => {
      const held = await drainOnce(cluster, leaving, waveSize, begun)
      lost.look(held)
      return held
    })
    isOut = await takeOut(cluster, leaving)
  }
}

interface HeldPartition extends PlacedPartition {
  /** -1 when there is none. */
  readonly leader: number
}

/** Begins as many moves as fit into the wave. Answers the partitions that the broker holds, or is about to. */
async function drainOnce(
  cluster: Cluster,
  leaving: number,
  waveSize: number,
  begun: Begun,
): Promise<HeldPartition[]> {
  const ongoing = new Map(
    (await listPartitionReassignments(cluster, null)).map((move) => [nameOf(move), move]),
  )
  const { brokers, topics } = await cluster.retry('topics', () => cluster.metadata.fetch(null, false))
  const partitions = [...topics.values()].flatMap(({ name: topic, partitions: rows }) =>
    rows.map(({ index: partition, leader, replicas }) => ({ topic, partition, leader, replicas })),
  )
  const held = partitions.filter(({ replicas }) => replicas.includes(leaving))
  // What is on its way out already is not planned again; what is on its way to the broker is turned round.
  const wanted = partitions.map((place) => {
    const removing = ongoing.get(nameOf(place))?.removing ?? []
    return { ...place, replicas: place.replicas.filter((id) => !removing.includes(id)) }
  })
  const moves = planDrain(
    leaving,
    brokers,
    wanted.filter((place) => !begun.isSettling(nameOf(place), ongoing)),
  )
  const room = Math.max(0, waveSize - (held.length - moves.length))
  await begin(
    cluster,
    moves.slice(0, room).map(({ topic, partition, to }) => ({ topic, partition, replicas: to })),
  )
  for (const move of moves.slice(0, room)) begun.add(nameOf(move))
  return held
}

/** Looks that a broker may be behind with what has become of a move. */
const looksBehindMax = 20

/**
 * Moves that were begun. The broker that is asked who holds what may be behind the controller, which knows that a move is done: what
 * it says then still names the old replicas beside the new ones, and nothing must be planned by it.
 */
class Begun {
  readonly #looksSince = new Map<string, number>()

  add(name: string): void {
    this.#looksSince.set(name, 0)
  }

  isSettling(name: string, ongoing: ReadonlyMap<string, unknown>): boolean {
    const looks = this.#looksSince.get(name)
    if (looks === undefined || ongoing.has(name)) return false
    this.#looksSince.set(name, looks + 1)
    return looks < looksBehindMax
  }
}

/** Partitions that stay without a leader cannot be moved: nobody has what is to be copied. */
class Lost {
  readonly #cluster: Cluster
  readonly #what: string
  #since = Infinity

  constructor(cluster: Cluster, what: string) {
    this.#cluster = cluster
    this.#what = what
  }

  /** @throws KafkaError LEADER_NOT_AVAILABLE when nothing else has been left for half the time of a call */
  look(held: readonly HeldPartition[]): void {
    const { clock, settings } = this.#cluster
    const now = clock.monotonic()
    if (held.length === 0 || held.some(({ leader }) => leader >= 0)) this.#since = Infinity
    else this.#since = Math.min(this.#since, now)
    if (now - this.#since < settings.callTimeoutMs / 2) return
    throw new KafkaError(
      'LEADER_NOT_AVAILABLE',
      `${this.#what}: nobody leads what is left to move (${namesOf(held)})`,
      {
        retriable: true,
        advice: 'too few of the brokers that hold it are up: start them, or delete these topics',
      },
    )
  }
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
