/** Naming partitions, and what belongs to each. */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** 'orders-3': unambiguous, for the number is what follows the last dash. */
export function nameOf(place: TopicPartition): string {
  return `${place.topic}-${place.partition}`
}

/** What carries a name, by its name alone. */
export function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

/** Items by topic, as most requests want them. */
export function byTopic<T extends TopicPartition>(items: Iterable<T>): Map<string, T[]> {
  const topics = new Map<string, T[]>()
  for (const item of items) {
    const list = topics.get(item.topic)
    if (list === undefined) topics.set(item.topic, [item])
    else list.push(item)
  }
  return topics
}
