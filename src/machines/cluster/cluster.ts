/**
 * The controller: who the brokers are, which topics there are and where their partitions lie, what is configured.
 * Nothing here waits for anybody, so a command is answered by the decision that it caused.
 */
import { Refused } from '../../base/errors.ts'
import type { Decision, Machine, Token } from '../machine.ts'
import { applyClusterChange } from './apply.ts'
import { allocateProducerIds, alterBrokerConfigs, registerBroker, retireBroker } from './brokers.ts'
import { type ClusterChange, clusterChanges } from './changes.ts'
import type { ClusterCommand, ClusterReplies } from './commands.ts'
import { clusterImage } from './image.ts'
import { finishMove, reassignPartition } from './moves.ts'
import { type ClusterState, emptyClusterState } from './state.ts'
import { alterTopicConfigs, createPartitions, createTopic, deleteTopic } from './topics.ts'

type ClusterDecision = Decision<ClusterChange, never, ClusterReplies>
interface Outcome {
  readonly changes: readonly ClusterChange[]
  readonly reply: ClusterReplies[keyof ClusterReplies]
}

export const cluster: Machine<ClusterState, ClusterCommand, ClusterChange, never, ClusterReplies> = {
  name: 'cluster',
  empty: emptyClusterState,
  decide: (state, command, _now, token) => decided(token, () => outcome(state, command)),
  apply: applyClusterChange,
  touch: () => {},
  deadline: () => Number.POSITIVE_INFINITY,
  onDeadline: () => ({ type: 'idle' }),
  onLead: () => {},
  onResign: () => [],
  changes: clusterChanges,
  image: clusterImage,
}

function outcome(state: Readonly<ClusterState>, command: ClusterCommand): Outcome {
  switch (command.type) {
    case 'registerBroker':
      return registerBroker(state, command)
    case 'createTopic':
      return createTopic(state, command)
    case 'deleteTopic':
      return deleteTopic(state, command)
    case 'createPartitions':
      return createPartitions(state, command)
    case 'alterTopicConfigs':
      return alterTopicConfigs(state, command)
    case 'alterBrokerConfigs':
      return alterBrokerConfigs(state, command)
    case 'allocateProducerIds':
      return allocateProducerIds(state, command)
    case 'reassignPartition':
      return reassignPartition(state, command)
    case 'finishMove':
      return finishMove(state, command)
    case 'retireBroker':
      return retireBroker(state, command)
    case 'idle':
      return { changes: [], reply: null }
  }
}

function decided(token: Token, decide: () => Outcome): ClusterDecision {
  try {
    const { changes, reply } = decide()
    return { changes, volatile: [], replies: [{ to: token, reply }] }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { changes: [], volatile: [], replies: [{ to: token, refused: error.code, detail: error.detail }] }
  }
}
