/** Which replica takes over the leadership of which partition. */
import type { TopicMetadata } from './metadata.ts'
import type { TopicPartition } from './partition.ts'

export interface LeaderTransfer extends TopicPartition {
  readonly from: number
  readonly to: number
  /** In their present order. */
  readonly replicas: readonly number[]
}

export interface TransferPlan {
  readonly transfers: readonly LeaderTransfer[]
  /** Led by the broker, and no other replica is in sync to take over. */
  readonly stuck: readonly TopicPartition[]
}

/**
 * Takes every leadership off a broker: each goes to `to`, or without it to the in-sync replica that leads least by then.
 */
export function planTransfers(
  topics: readonly TopicMetadata[],
  from: number,
  to: number | null = null,
): TransferPlan {
  const leads = new Map<number, number>()
  const led = (id: number): number => leads.get(id) ?? 0
  const all = topics.flatMap(({ name, partitions }) => partitions.map((one) => ({ topic: name, ...one })))
  for (const { leader } of all) leads.set(leader, led(leader) + 1)
  const transfers: LeaderTransfer[] = []
  const stuck: TopicPartition[] = []
  for (const { topic, index: partition, leader, inSync, replicas } of all) {
    if (leader !== from) continue
    const heirs = replicas.filter((id) => inSync.includes(id) && (to === null ? id !== from : id === to))
    const heir = heirs.sort((a, b) => led(a) - led(b))[0]
    if (heir === undefined) {
      stuck.push({ topic, partition })
      continue
    }
    leads.set(heir, led(heir) + 1)
    transfers.push({ topic, partition, from, to: heir, replicas })
  }
  return { transfers, stuck }
}
