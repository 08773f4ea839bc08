/**
 * The batches of all that must not grow. 16 KiB is what producers of Kafka send when they are not told otherwise; at that size what a
 * batch costs is more than what its bytes cost, so growth shows. Not synced: what the disk takes is not measured here.
 */
import type { BrokerProcess } from '../broker-process.ts'
import { type Rotation, rotate } from '../load/rotation.ts'
import { flushes, payload } from '../load/topic.ts'
import type { Cost } from './row.ts'

export const batch = payload(1024, 16_384)
/** What a well-tuned producer sends: four times the bytes, so what partitions cost besides weighs less. */
export const largeBatch = payload(1024, 65_536)
export const unsynced = { 'flush.messages': flushes.unsynced } as const
/** What an append, or a read, may cost at most, to what it costs the smallest. */
export const aim = { unit: 'CPU us a batch', atMost: 1.5 } as const
/** Requests under way in all. */
const inFlight = 30

/** A broker, and what is sent to it. */
export interface Site extends Pick<Rotation, 'connections' | 'frames' | 'errorAt'> {
  readonly size: number
  readonly broker: BrokerProcess
}

/** CPU of the broker, microseconds for each of `count` batches. */
export async function append({ broker, ...load }: Site, count: number): Promise<Cost> {
  const before = broker.cpuSeconds()
  const frameBytes = load.frames[0]?.length ?? 0
  const seconds = await rotate({ ...load, inFlight, count })
  const cost = ((broker.cpuSeconds() - before) / count) * 1e6
  return { cost, speed: (count * frameBytes) / 1e6 / seconds, memory: broker.memory().now }
}

/** The broker is left running: it may be started again. */
export function hangUp({ connections }: Site): void {
  for (const connection of connections) connection.close()
}
