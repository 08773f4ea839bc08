/**
 * Balanced, and with as few partitions moved as that allows: what a member has it keeps, unless others have fewer by two.
 *
 *     sticky              members give up everything before they join, and tell in their user data what they had
 *     cooperative-sticky  members keep what they have while they join; what must move is given up first, and handed out in
 *                         the rebalance that follows (KIP-429)
 *
 * What counts as balanced is Java's definition: no partition could go from its member to another that has fewer by two or
 * more. With equal subscriptions that means that no two members differ by more than one.
 * @source KIP-54, KIP-429, KIP-792; org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor
 */
import type { Assignor, GroupMemberInfo } from './assignors.ts'
import { nameOf, type TopicPartition } from './partition.ts'

interface Share {
  readonly memberId: string
  readonly topics: ReadonlySet<string>
  readonly partitions: TopicPartition[]
}

export const sticky: Assignor = { name: 'sticky', isCooperative: false, assign: balance }

export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  isCooperative: true,
  assign(members, partitionCounts) {
    const assignment = balance(members, partitionCounts)
    const owners = new Map<string, Set<string>>()
    for (const { memberId, owned } of members) {
      for (const place of owned ?? []) {
        const name = nameOf(place)
        owners.set(name, (owners.get(name) ?? new Set()).add(memberId))
      }
    }
    // What somebody else still holds is left out: that member gives it up and joins again.
    const isFree = (memberId: string, place: TopicPartition): boolean => {
      const holders = owners.get(nameOf(place))
      return holders === undefined || [...holders].every((holder) => holder === memberId)
    }
    return new Map(
      [...assignment].map(([memberId, places]) => [memberId, places.filter((p) => isFree(memberId, p))]),
    )
  },
}

function balance(
  members: readonly GroupMemberInfo[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const shares = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map(({ memberId, topics }): Share => ({ memberId, topics: new Set(topics), partitions: [] }))
  const owners = ownersOf(members)
  const free: TopicPartition[] = []
  for (const [topic, count] of [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (let partition = 0; partition < count; partition++) {
      const place = { topic, partition }
      const owner = owners.get(nameOf(place))
      const share = shares.find(({ memberId, topics }) => memberId === owner && topics.has(topic))
      if (share === undefined) free.push(place)
      else share.partitions.push(place)
    }
  }
  // Those that few may have come first: the others can still make up for it.
  const takers = new Map<string, number>()
  for (const topic of partitionCounts.keys()) {
    takers.set(topic, shares.filter(({ topics }) => topics.has(topic)).length)
  }
  free.sort((a, b) => (takers.get(a.topic) ?? 0) - (takers.get(b.topic) ?? 0))
  for (const place of free) smallest(shares, place.topic)?.partitions.push(place)
  // Every move makes the sum of squares smaller, so it ends.
  while (shares.some((share) => relieve(share, shares)));
  return new Map(shares.map(({ memberId, partitions }) => [memberId, partitions]))
}

/** Who had each partition last: the claim of the latest generation. Two of the same generation are no claim at all. */
function ownersOf(members: readonly GroupMemberInfo[]): Map<string, string | null> {
  const claims = new Map<string, { memberId: string | null; generationId: number }>()
  for (const { memberId, owned, generationId = -1 } of members) {
    for (const place of owned ?? []) {
      const name = nameOf(place)
      const claim = claims.get(name)
      if (claim === undefined || claim.generationId < generationId)
        claims.set(name, { memberId, generationId })
      else if (claim.generationId === generationId) claim.memberId = null
    }
  }
  return new Map([...claims].map(([name, { memberId }]) => [name, memberId]))
}

function smallest(shares: readonly Share[], topic: string): Share | undefined {
  let found: Share | undefined
  for (const share of shares) {
    if (!share.topics.has(topic)) continue
    if (found === undefined || share.partitions.length < found.partitions.length) found = share
  }
  return found
}

/** Moves what others could have with better right. @returns whether anything moved */
function relieve(share: Share, shares: readonly Share[]): boolean {
  const least = Math.min(...shares.map(({ partitions }) => partitions.length))
  let hasMoved = false
  for (let i = share.partitions.length - 1; i >= 0; i--) {
    if (share.partitions.length <= least + 1) break
    const place = share.partitions[i]
    const taker = place === undefined ? undefined : smallest(shares, place.topic)
    if (place === undefined || taker === undefined) continue
    if (taker.partitions.length + 1 >= share.partitions.length) continue
    share.partitions.splice(i, 1)
    taker.partitions.push(place)
    hasMoved = true
  }
  return hasMoved
}
