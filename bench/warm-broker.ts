/** A broker that is past its beginnings, and what a piece of produce load costs it. */
import { BrokerProcess } from './broker-process.ts'
import { LoadConnection } from './load/connection.ts'
import { type ProduceLoad, produceThroughput } from './load/produce.ts'
import { type Sample, sampleOf } from './load/sample.ts'
import { dropTopic, flushes, makeTopic } from './load/topic.ts'
import { produceUnanswered } from './load/unanswered.ts'
import { warmUp } from './load/warm.ts'
import { forgetPeak } from './usage.ts'

export interface WarmBroker {
  readonly broker: BrokerProcess
  readonly bootstrap: string
  /** For what is not load. */
  readonly control: LoadConnection
}

/** A broker of its own, warmed, for as long as `work` takes. */
export async function withWarmBroker<T>(
  options: { readonly isQuick: boolean; readonly settings?: Readonly<Record<string, string>> },
  work: (warm: WarmBroker) => Promise<T>,
): Promise<T> {
  const broker = await BrokerProcess.start(options.settings)
  try {
    await warmUp(broker, options)
    const control = await LoadConnection.open(broker.bootstrap)
    const done = await work({ broker, bootstrap: broker.bootstrap, control })
    control.close()
    return done
  } finally {
    await broker.stop()
  }
}

export type ProduceCase = Omit<ProduceLoad, 'bootstrap' | 'topic' | 'indexes'> & {
  readonly flush: keyof typeof flushes
  /** Requests under way on each connection. */
  readonly inFlight: number
  readonly bytes: number
}

export interface Produced extends Sample {
  /** Resident memory at most, MB. */
  readonly peak: number
}

/** Into a topic of its own, which is gone afterwards. */
export async function produced(warm: WarmBroker, wanted: ProduceCase): Promise<Produced> {
  const { broker, bootstrap, control } = warm
  const load = { ...wanted, bootstrap, topic: 'load' }
  await makeTopic(control, load.topic, wanted.partitions, { 'flush.messages': flushes[wanted.flush] })
  // A partition makes its files when it gets its first batch.
  await produceThroughput({ ...load, acks: -1, bytes: wanted.payload.batch.length * wanted.partitions })
  forgetPeak([broker.pid])
  const run = wanted.acks === 0 ? produceUnanswered : produceThroughput
  const sample = await sampleOf([broker.pid], () => run(load))
  const { peak } = broker.memory()
  await dropTopic(control, load.topic)
  return { ...sample, peak }
}
