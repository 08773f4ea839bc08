/**
 * The batches of all that must not grow. 16 KiB is what producers of Kafka send when they are not told otherwise; at that size what a
 * batch costs is more than what its bytes cost, so growth shows. Not synced: what the disk takes is not measured here.
 */
import type { BrokerProcess } from '../broker-process.ts'
import { type RotatingFrames, type Rotation, rotate } from '../load/rotation.ts'
import { flushes, type Payload, payload } from '../load/topic.ts'
import type { Row } from '../report.ts'
import { type Cost, growthRows } from './row.ts'

export const batch = payload(1024, 16_384)
/** What a well-tuned producer sends: four times the bytes, so what it costs besides them weighs less. */
const largeBatch = payload(1024, 65_536)
export const unsynced = { 'flush.messages': flushes.unsynced } as const
/** What an append, or a read, may cost at most, to what it costs the smallest. */
export const aim = { unit: 'CPU us a batch', atMost: 1.5 } as const
/** Requests under way in all. */
const inFlight = 30

/** A broker, and what is sent to it. */
export interface Site extends Pick<Rotation, 'connections'>, RotatingFrames {
  readonly size: number
  readonly broker: BrokerProcess
}

/** CPU of the broker, microseconds for each of `count` batches. */
export async function append({ broker, batchBytes, ...load }: Site, count: number): Promise<Cost> {
  const before = broker.cpuSeconds()
  const seconds = await rotate({ ...load, inFlight, count })
  const cost = ((broker.cpuSeconds() - before) / count) * 1e6
  return { cost, speed: (count * batchBytes) / 1e6 / seconds, memory: broker.memory().now }
}

/** Appends of either batch to each of the sites, in turns. */
export async function appendRows(
  axis: string,
  sites: readonly Site[],
  framesOf: (site: Site, of: Payload) => RotatingFrames,
  isQuick: boolean,
): Promise<Row[]> {
  const count = isQuick ? 2_000 : 20_000
  const rows: Row[] = []
  for (const [what, of] of Object.entries({ append: batch, 'append 64 KiB': largeBatch })) {
    const loaded = sites.map((site) => ({ ...site, ...framesOf(site, of) }))
    const growth = { what, axis, ...aim, rounds: isQuick ? 1 : 3 }
    rows.push(...(await growthRows(growth, loaded, (site) => append(site, count))))
  }
  return rows
}

/** The broker is left running: it may be started again. */
export function hangUp({ connections }: Site): void {
  for (const connection of connections) connection.close()
}
