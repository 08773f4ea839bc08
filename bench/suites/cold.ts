/** Catching up with a log that lies on the disk alone, beside the same log in the page cache. */
import { coolDown } from '../load/cold.ts'
import { consumeThroughput } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { inTurns, medianOf, sampleOf } from '../load/sample.ts'
import { flushes, makeTopic, payload } from '../load/topic.ts'
import type { Suite } from '../report.ts'
import { withWarmBroker } from '../warm-broker.ts'

const partitions = 3

export const cold: Suite = async ({ isQuick }) =>
  await withWarmBroker({ isQuick }, async ({ broker, bootstrap, control }) => {
    const bytes = isQuick ? 150e6 : 1.5e9
    await makeTopic(control, 'cold', partitions, { 'flush.messages': flushes.unsynced })
    const load = { bootstrap, topic: 'cold', partitions, payload: payload(1024, 65_536), bytes }
    await produceThroughput({ ...load, acks: -1, connections: partitions, inFlight: 5 })
    // A little less than all of it: nobody begins again, and finds warm what the others have still before them.
    const read = { ...load, fetchBytes: 1_048_576, bytes: bytes * 0.9 }
    const seen = await inTurns(isQuick ? 1 : 3, {
      'in the page cache': () => sampleOf([broker.pid], () => consumeThroughput(read)),
      'on the disk alone': () => {
        coolDown(broker.folder)
        return sampleOf([broker.pid], () => consumeThroughput(read))
      },
    })
    return Object.entries(seen).map(([log, samples]) => ({
      log,
      'log MB': Math.round(bytes / 1e6),
      'MB/s': Math.round(medianOf(samples, 'megabytesPerSecond')),
      'cpu s/GB': medianOf(samples, 'cpuPerGigabyte').toFixed(2),
      'peak MB': Math.round(broker.memory().peak),
    }))
  })
