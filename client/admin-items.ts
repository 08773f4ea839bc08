/** Requests about several items (topics, resources, groups), each with an error of its own. */
import type { Cluster } from './cluster.ts'
import { type KafkaError, refused, throwFailures } from './errors.ts'

export interface Outcome<Item> {
  readonly item: Item
  readonly error: KafkaError | null
}

/** Retriable for whoever may wait, as producers do for a topic; here it is the answer. */
const finalCodes = new Set<string>([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'REQUEST_TIMED_OUT',
  'PREFERRED_LEADER_NOT_AVAILABLE',
  'ELIGIBLE_LEADERS_NOT_AVAILABLE',
  'ELECTION_NOT_NEEDED',
])

/**
 * Runs `attempt` for all items, then again for those whose error may pass, until none is left or time is up.
 * @throws the error of the item that failed; PartialFailure when several did
 */
export async function settleAll<Item>(
  cluster: Cluster,
  what: string,
  items: readonly Item[],
  attempt: (items: readonly Item[]) => Promise<readonly Outcome<Item>[]>,
): Promise<void> {
  let left = items
  const failures: KafkaError[] = []
  await cluster.retry(what, async () => {
    if (left.length === 0) return
    const outcomes = await attempt(left)
    const failed = outcomes.filter(({ error }) => error !== null) as { item: Item; error: KafkaError }[]
    const passing = failed.filter(({ error }) => error.retriable && !finalCodes.has(error.code))
    for (const { item, error } of failed) {
      if (!passing.some((other) => other.item === item)) failures.push(error)
    }
    left = passing.map(({ item }) => item)
    if (passing[0] !== undefined) throw passing[0].error
  })
  throwFailures(failures)
}

/** The outcome of an item, from what the response says of it. */
export function outcomeOf<Item>(
  item: Item,
  row: { errorCode: number; errorMessage?: string | null } | undefined,
  what: string,
): Outcome<Item> {
  if (row === undefined) return { item, error: refused(-1, what, 'the response left it out') }
  return { item, error: row.errorCode === 0 ? null : refused(row.errorCode, what, row.errorMessage) }
}
