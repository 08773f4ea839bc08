/** Decisions about topics. */
import { Refused } from '../../base/errors.ts'
import { checkTopicConfig } from '../../config/topic-settings.ts'
import type { ClusterChange } from './changes.ts'
import type { ClusterCommand, CreatedTopic } from './commands.ts'
import { checkAssignment, place } from './placement.ts'
import type { ClusterState, Topic } from './state.ts'
import { checkNewTopicName, topicNameFault } from './topic-name.ts'

type Command<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>
interface Outcome<Reply> {
  readonly changes: readonly ClusterChange[]
  readonly reply: Reply
}

export function createTopic(
  state: Readonly<ClusterState>,
  command: Command<'createTopic'>,
): Outcome<CreatedTopic> {
  const existing = state.topics.byName(command.name)
  // Asked a second time, because the first answer was lost: it is the one that was made.
  if (existing !== undefined && existing.id === command.freshId) {
    const { name, id, placements } = existing
    const reply = { name, id, partitions: placements.length, replicationFactor: placements[0]?.length ?? 0 }
    return { changes: [], reply }
  }
  if (existing !== undefined) {
    throw new Refused('TOPIC_ALREADY_EXISTS', `topic '${command.name}' exists`)
  }
  checkNewTopicName(state, command.name)
  for (const [name, value] of command.configs) checkTopicConfig(name, value)
  const placements = placementsOf(state, command)
  checkPartitionsMax(state, placements.length, command.partitionsMax)
  const created = {
    name: command.name,
    id: command.freshId,
    partitions: placements.length,
    replicationFactor: placements[0]?.length ?? 0,
  }
  const change: ClusterChange = {
    type: 'topicCreated',
    name: command.name,
    id: command.freshId,
    placements,
    configs: new Map(command.configs),
  }
  return { changes: command.validateOnly ? [] : [change], reply: created }
}

function placementsOf(state: Readonly<ClusterState>, command: Command<'createTopic'>) {
  if (command.assignment !== null) {
    checkAssignment(state, command.assignment)
    return command.assignment
  }
  const count = command.partitions ?? 0
  const replicationFactor = command.replicationFactor ?? 0
  if (count < 1) throw new Refused('INVALID_PARTITIONS', `a topic has at least one partition, not ${count}`)
  if (replicationFactor < 1) {
    throw new Refused(
      'INVALID_REPLICATION_FACTOR',
      `a topic has at least one replica, not ${replicationFactor}`,
    )
  }
  checkPartitionsMax(state, count, command.partitionsMax)
  const { away } = command
  return place(state, { first: 0, count, replicationFactor, start: state.topics.size, away })
}

/** @throws Refused POLICY_VIOLATION */
function checkPartitionsMax(state: Readonly<ClusterState>, more: number, partitionsMax: number): void {
  const count = state.topics.partitions
  if (count + more > partitionsMax) {
    throw new Refused(
      'POLICY_VIOLATION',
      `${more} more partitions would make ${count + more}; lograft.partitions.max allows ${partitionsMax}`,
    )
  }
}

export function deleteTopic(
  state: Readonly<ClusterState>,
  command: Command<'deleteTopic'>,
): Outcome<{ name: string }> {
  const topic = state.topics.byId(command.id)
  if (topic === undefined) throw new Refused('UNKNOWN_TOPIC_ID', `there is no topic ${command.id}`)
  return { changes: [{ type: 'topicDeleted', id: topic.id }], reply: { name: topic.name } }
}

export function createPartitions(
  state: Readonly<ClusterState>,
  command: Command<'createPartitions'>,
): Outcome<{ count: number }> {
  const topic = topicNamed(state, command.topic)
  const existing = topic.placements.length
  if (command.count <= existing) {
    throw new Refused(
      'INVALID_PARTITIONS',
      `topic '${topic.name}' has ${existing} partition${existing === 1 ? '' : 's'} already; ${command.count} would not be more`,
    )
  }
  const added = command.count - existing
  checkPartitionsMax(state, added, command.partitionsMax)
  if (command.assignment !== null && command.assignment.length !== added) {
    throw new Refused(
      'INVALID_REPLICA_ASSIGNMENT',
      `${added} partitions are added, and replicas are named for ${command.assignment.length}`,
    )
  }
  if (command.assignment !== null) checkAssignment(state, command.assignment)
  const placements =
    command.assignment ??
    place(state, {
      first: existing,
      count: added,
      replicationFactor: topic.placements[0]?.length ?? 1,
      start: topic.placements[0]?.[0] ?? 0,
      away: command.away,
    })
  const change: ClusterChange = { type: 'partitionsAdded', id: topic.id, placements }
  return { changes: command.validateOnly ? [] : [change], reply: { count: command.count } }
}

export function alterTopicConfigs(
  state: Readonly<ClusterState>,
  command: Command<'alterTopicConfigs'>,
): Outcome<null> {
  const topic = topicNamed(state, command.topic)
  for (const [name, value] of command.set) checkTopicConfig(name, value)
  const configs = new Map(command.replace ? [] : topic.configs)
  for (const name of command.remove) configs.delete(name)
  for (const [name, value] of command.set) configs.set(name, value)
  const change: ClusterChange = { type: 'topicConfigsChanged', id: topic.id, configs }
  return { changes: command.validateOnly ? [] : [change], reply: null }
}

function topicNamed(state: Readonly<ClusterState>, name: string): Topic {
  const topic = state.topics.byName(name)
  if (topic !== undefined) return topic
  const fault = topicNameFault(name)
  if (fault !== null) throw new Refused('INVALID_TOPIC_EXCEPTION', fault)
  throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`)
}
