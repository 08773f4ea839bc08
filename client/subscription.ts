/**
 * What a member tells the leader of its group with each of its assignors: what it wants, what it had, since when.
 *
 * Where the past stands depends on the assignor and on who wrote it. 'sticky' has it in its user data; 'cooperative-sticky'
 * in the fields of version 1 (owned partitions) and 2 (generation), before that with the generation in the user data: alone
 * from Java, behind the previous assignment from librdkafka.
 * @source KIP-54, KIP-429, KIP-792
 */
import { Malformed, Reader, Writer } from '../src/base/bytes.ts'
import { decodeSubscription, encodeSubscription } from '../src/protocol/consumer-protocol.ts'
import { array, int32, layout, string } from '../src/protocol/notation.ts'
import type { Assignor, GroupMemberInfo } from './assignors.ts'
import { byTopic, type TopicPartition } from './partition.ts'

const version = 2

/** StickyAssignorUserData; version 0 has no generation. It names no version itself. */
const past = layout(
  {
    previousAssignment: array({ topic: string, partitions: array(int32) }),
    generation: int32.since(1).or(-1),
  },
  { versions: [0, 1], flexible: null, name: 'StickyAssignorUserData' },
)

export interface Past {
  readonly owned: readonly TopicPartition[]
  /** -1: none. */
  readonly generationId: number
}

export function subscriptionFor(assignor: Assignor, topics: readonly string[], now: Past): Buffer {
  const { owned, generationId } = now
  return encodeSubscription(
    {
      topics: [...topics],
      userData: userDataFor(assignor, now),
      // An eager member has given up what it had before it joins.
      ownedPartitions: assignor.isCooperative ? listOf(owned) : [],
      generationId,
    },
    version,
  )
}

function userDataFor(assignor: Assignor, { owned, generationId }: Past): Buffer | null {
  if (generationId < 0) return null
  const writer = new Writer()
  if (assignor.name === 'sticky')
    past.encode(writer, { previousAssignment: listOf(owned), generation: generationId }, 1)
  else if (assignor.isCooperative) writer.int32(generationId)
  else return null
  return writer.toBuffer()
}

/** @throws Malformed when the subscription cannot be read; a past that cannot be is none */
export function memberInfo(
  assignor: Assignor,
  member: { memberId: string; groupInstanceId: string | null; metadata: Buffer },
): GroupMemberInfo {
  const { memberId, groupInstanceId } = member
  const subscription = decodeSubscription(member.metadata)
  const told = readPast(subscription.userData)
  const owned = assignor.isCooperative ? flat(subscription.ownedPartitions) : told.owned
  const generationId = subscription.generationId >= 0 ? subscription.generationId : told.generationId
  return { memberId, groupInstanceId, topics: subscription.topics, owned, generationId }
}

function readPast(userData: Buffer | null): Past {
  if (userData === null || userData.length === 0) return { owned: [], generationId: -1 }
  if (userData.length === 4) return { owned: [], generationId: userData.readInt32BE(0) }
  for (const tried of [1, 0]) {
    try {
      const { previousAssignment, generation } = past.decode(new Reader(userData), tried)
      return { owned: flat(previousAssignment), generationId: generation }
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
    }
  }
  return { owned: [], generationId: -1 }
}

function flat(list: readonly { topic: string; partitions: readonly number[] }[]): TopicPartition[] {
  return list.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

/** By topic, as the consumer protocol writes partitions. */
export function listOf(places: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return [...byTopic(places)].map(([topic, list]) => ({
    topic,
    partitions: list.map(({ partition }) => partition),
  }))
}
