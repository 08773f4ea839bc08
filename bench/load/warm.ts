/**
 * Of a young process one measures the compiler: its first gigabyte costs up to twice what the next ones do. So every broker is
 * warmed before it is measured, with topics of its own that are gone afterwards.
 */
import { forgetPeak } from '../usage.ts'
import { LoadConnection } from './connection.ts'
import { consumeThroughput } from './consume.ts'
import { produceThroughput } from './produce.ts'
import { dropTopic, flushes, makeTopic, payload } from './topic.ts'

const partitions = 6

/** Produces a gigabyte in small batches and large ones, and reads as much; an eighth of it when it is quick. */
export async function warmUp(
  broker: { readonly bootstrap: string; readonly pid: number },
  { isQuick }: { isQuick: boolean },
): Promise<void> {
  const sizes = [1_000_000, 16_384, 65_536]
  const bytes = (isQuick ? 125e6 : 1e9) / sizes.length
  const control = await LoadConnection.open(broker.bootstrap)
  for (const batchBytes of sizes) {
    const topic = `warm-${batchBytes}`
    await makeTopic(control, topic, partitions, { 'flush.messages': flushes.unsynced })
    const load = { bootstrap: broker.bootstrap, topic, partitions, payload: payload(1024, batchBytes), bytes }
    await produceThroughput({ ...load, acks: -1, connections: partitions, inFlight: 5 })
    await consumeThroughput({ ...load, fetchBytes: 1_048_576 })
    await dropTopic(control, topic)
  }
  control.close()
  forgetPeak([broker.pid])
}
