/**
 * How the leader of a group divides partitions among its members. All members run the same code on the same input only in
 * principle: just the leader's outcome counts, so members of other libraries need no more than the same name.
 */
import type { TopicPartition } from './partition.ts'
import { cooperativeSticky, sticky } from './sticky-assignor.ts'

export interface GroupMemberInfo {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it had in the last generation it was part of. */
  readonly owned?: readonly TopicPartition[]
  /** That generation; -1 when there was none. */
  readonly generationId?: number
}

export interface Assignor {
  /** As the members of a group agree on it. */
  readonly name: string
  /** Members keep what they have while they join (KIP-429). */
  readonly isCooperative: boolean
  /** `partitionCounts` has every topic that exists. Every member gets an entry, maybe empty. */
  assign(
    members: readonly GroupMemberInfo[],
    partitionCounts: ReadonlyMap<string, number>,
  ): Map<string, TopicPartition[]>
}

/**
 * Topic by topic, each member a run of neighbours: of 7 partitions three members get 0-2, 3-4, 5-6. Partitions of the same
 * number meet in the same member, which joins of topics rely on.
 * @source org.apache.kafka.clients.consumer.RangeAssignor
 */
export const range: Assignor = {
  name: 'range',
  isCooperative: false,
  assign(members, partitionCounts) {
    const assignment = emptyAssignment(members)
    for (const [topic, count] of sortedTopics(partitionCounts)) {
      const takers = sortedMembers(members).filter((member) => member.topics.includes(topic))
      let next = 0
      takers.forEach((member, i) => {
        const share = Math.floor(count / takers.length) + (i < count % takers.length ? 1 : 0)
        const mine = assignment.get(member.memberId)
        for (let n = 0; n < share; n++) mine?.push({ topic, partition: next++ })
      })
    }
    return assignment
  },
}

/**
 * All partitions of all topics dealt out like cards.
 * @source org.apache.kafka.clients.consumer.RoundRobinAssignor
 */
export const roundRobin: Assignor = {
  name: 'roundrobin',
  isCooperative: false,
  assign(members, partitionCounts) {
    const assignment = emptyAssignment(members)
    const circle = sortedMembers(members)
    let next = 0
    for (const [topic, count] of sortedTopics(partitionCounts)) {
      if (!circle.some((member) => member.topics.includes(topic))) continue
      for (let partition = 0; partition < count; partition++) {
        for (; ; next++) {
          const member = circle[next % circle.length]
          if (member?.topics.includes(topic) !== true) continue
          assignment.get(member.memberId)?.push({ topic, partition })
          next++
          break
        }
      }
    }
    return assignment
  },
}

/** What kafkajs calls the only strategy that it brings along: the same deal under another name. */
export const kafkajsRoundRobin: Assignor = { ...roundRobin, name: 'RoundRobinAssigner' }

const known: readonly Assignor[] = [range, roundRobin, kafkajsRoundRobin, sticky, cooperativeSticky]

export type AssignorName = 'range' | 'roundrobin' | 'RoundRobinAssigner' | 'sticky' | 'cooperative-sticky'

export function assignorNamed(name: string): Assignor | undefined {
  return known.find((assignor) => assignor.name === name)
}

function emptyAssignment(members: readonly GroupMemberInfo[]): Map<string, TopicPartition[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]))
}

/** Static members first by their own name, which outlives restarts; as in Java. */
function sortedMembers(members: readonly GroupMemberInfo[]): GroupMemberInfo[] {
  return [...members].sort((a, b) => {
    if (a.groupInstanceId !== null && b.groupInstanceId !== null)
      return compare(a.groupInstanceId, b.groupInstanceId)
    if (a.groupInstanceId !== null) return -1
    if (b.groupInstanceId !== null) return 1
    return compare(a.memberId, b.memberId)
  })
}

function sortedTopics(partitionCounts: ReadonlyMap<string, number>): [string, number][] {
  return [...partitionCounts].sort(([a], [b]) => compare(a, b))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
