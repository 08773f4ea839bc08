/** Batches of 1 KiB records at a fixed rate, which the broker holds easily: how long they take. */
import { availableParallelism } from 'node:os'
import type { RecordableHistogram } from 'node:perf_hooks'
import type { LoadConnection } from './connection.ts'
import { type Delays, delaysOf } from './delays.ts'
import { endToEnd } from './end-to-end.ts'
import { readyTopic } from './leaders.ts'
import { produceLatency } from './produce.ts'
import { dropTopic, flushes, payload } from './topic.ts'

export interface Paced {
  /** Until its acknowledgement has come back, or the batch has reached a consumer. */
  readonly to: 'producer' | 'consumer'
  readonly flush: keyof typeof flushes
  /** One, where there are several replicas: a single broker leads. */
  readonly partitions: number
  readonly replicas: number
  readonly batchBytes: number
  readonly perSecond: number
}

const recordBytes = 1024
const topic = 'paced'

/** The same from a bare copier, which has no topics. */
export async function copiedDelays(
  bootstrap: string,
  { batchBytes, perSecond }: Pick<Paced, 'batchBytes' | 'perSecond'>,
  seconds: number,
): Promise<Delays> {
  const batch = payload(recordBytes, batchBytes)
  const load = { bootstrap, topic, partitions: 1, connections: 1, acks: -1, payload: batch } as const
  const intervalMs = 1000 / perSecond
  return await afterASecond(perSecond, seconds, (count) => produceLatency({ ...load, intervalMs, count }))
}

/** acks=all; to a topic of its own, which is gone afterwards. The first second does not count. */
export async function pacedDelays(control: LoadConnection, wanted: Paced, seconds: number): Promise<Delays> {
  const { to, partitions, replicas, perSecond } = wanted
  const batch = payload(recordBytes, wanted.batchBytes)
  const configs = { 'flush.messages': flushes[wanted.flush] }
  const [leader, ...others] = await readyTopic(control, { topic, partitions, replicas, configs }, batch)
  if (leader === undefined || others.length > 0) throw new Error(`${topic} is not led by one broker`)
  const load = { topic, partitions, acks: -1, payload: batch, bootstrap: leader.bootstrap } as const
  const isPatient = replicas >= availableParallelism()
  const rate = { intervalMs: 1000 / perSecond, isPatient, connections: partitions }
  const run = to === 'consumer' ? endToEnd : produceLatency
  const delays = await afterASecond(perSecond, seconds, (count) => run({ ...load, ...rate, count }))
  await dropTopic(control, topic)
  return delays
}

/** Of `seconds` of a load; one second before them does not count. */
async function afterASecond(
  perSecond: number,
  seconds: number,
  run: (count: number) => Promise<RecordableHistogram>,
): Promise<Delays> {
  await run(perSecond)
  return delaysOf(await run(perSecond * seconds))
}
