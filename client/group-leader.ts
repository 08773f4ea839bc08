/** What the leader of a generation does for all: reads the members' subscriptions, divides the partitions. */
import type { Assignor } from './assignors.ts'
import type { Cluster } from './cluster.ts'
import type { TopicPartition } from './partition.ts'
import { memberInfo } from './subscription.ts'

export interface Division {
  readonly assignment: ReadonlyMap<string, readonly TopicPartition[]>
  /** What it was based on: a change of these asks for another one. */
  readonly partitionCounts: ReadonlyMap<string, number>
}

/** @throws KafkaError when the topics cannot be looked up, Malformed when a member's metadata cannot be read */
export async function divide(
  cluster: Cluster,
  assignor: Assignor,
  members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[],
): Promise<Division> {
  const subscribed = members.map((member) => memberInfo(assignor, member))
  const names = new Set(subscribed.flatMap((member) => member.topics))
  const { topics } = await cluster.retry('topics of the group', () => cluster.metadata.refresh(names))
  // A topic that does not exist is left out; it is divided when it appears.
  const partitionCounts = new Map<string, number>()
  for (const name of names) partitionCounts.set(name, topics.get(name)?.partitions.length ?? 0)
  const present = new Map([...partitionCounts].filter(([, count]) => count > 0))
  return { assignment: assignor.assign(subscribed, present), partitionCounts }
}
