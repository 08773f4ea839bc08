/**
 * Decisions about who holds a partition. A reassignment is a move: it begins with everybody holding the partition, the old
 * replicas and the new ones; the partition's leader changes the voters; when it has, the move is finished, and whoever is not
 * wanted removes its files. To give a move up is to move back, for the voters may have changed already.
 */
import { Refused } from '../../base/errors.ts'
import type { ClusterChange } from './changes.ts'
import type { ClusterCommand } from './commands.ts'
import { checkReplicas } from './placement.ts'
import type { ClusterState, Topic } from './state.ts'

type Command<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>
interface Outcome {
  readonly changes: readonly ClusterChange[]
  readonly reply: null
}

export function reassignPartition(
  state: Readonly<ClusterState>,
  command: Command<'reassignPartition'>,
): Outcome {
  const { topicId, index, replicas } = command
  const { topic, holders } = partitionOf(state, topicId, index)
  const under = topic.moves.get(index)
  const from = under?.from ?? holders
  if (replicas === null && under === undefined) {
    throw new Refused('NO_REASSIGNMENT_IN_PROGRESS', `${topic.name}-${index} is not being reassigned`)
  }
  const to = replicas ?? from
  if (replicas !== null) checkReplicas(state, replicas)
  if (under === undefined && isSame(to, holders)) return { changes: [], reply: null }
  if (under !== undefined && isSame(to, under.to)) return { changes: [], reply: null }
  const started = { type: 'moveStarted', topicId, index, id: state.nextMoveId, from, to } as const
  // Only another order: nothing has to be brought anywhere.
  const isReordered =
    under === undefined && to.length === holders.length && to.every((id) => holders.includes(id))
  const finished = { type: 'moveFinished', topicId, index } as const
  return { changes: isReordered ? [started, finished] : [started], reply: null }
}

/** Late and repeated reports change nothing. */
export function finishMove(state: Readonly<ClusterState>, command: Command<'finishMove'>): Outcome {
  const { topicId, index, moveId } = command
  const move = state.topics.byId(topicId)?.moves.get(index)
  if (move?.id !== moveId) return { changes: [], reply: null }
  return { changes: [{ type: 'moveFinished', topicId, index }], reply: null }
}

function partitionOf(state: Readonly<ClusterState>, topicId: string, index: number) {
  const topic: Topic | undefined = state.topics.byId(topicId)
  const holders = topic?.placements[index]
  if (topic === undefined || holders === undefined) {
    throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${index} of topic ${topicId}`)
  }
  return { topic, holders }
}

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((id, at) => id === b[at])
