/** @source Kafka's org.apache.kafka.common.internals.Topic */
import { Refused } from '../../base/errors.ts'
import type { ClusterState } from './state.ts'

const legal = /^[a-zA-Z0-9._-]+$/
export const topicNameLengthMax = 249

/** Why a name cannot be a topic's, or null when it can. Names never reach the file system: folders carry topic ids. */
export function topicNameFault(name: string): string | null {
  if (name === '') return 'a topic name must not be empty'
  if (name === '.' || name === '..') return `a topic name must not be '${name}'`
  if (name.length > topicNameLengthMax)
    return `a topic name has at most ${topicNameLengthMax} characters, not ${name.length}`
  if (!legal.test(name)) return `a topic name holds letters, digits, '.', '_' and '-' only`
  return null
}

/** @throws Refused INVALID_TOPIC_EXCEPTION, also for two names that metrics could not tell apart ('a.b' and 'a_b') */
export function checkNewTopicName(state: Readonly<ClusterState>, name: string): void {
  const fault = topicNameFault(name)
  if (fault !== null) throw new Refused('INVALID_TOPIC_EXCEPTION', fault)
  const alike = state.topics.alike(name)
  if (alike !== undefined && alike.name !== name) {
    throw new Refused(
      'INVALID_TOPIC_EXCEPTION',
      `'${name}' collides with the existing topic '${alike.name}': in the names of metrics both are one`,
    )
  }
}
