/** Batches of 1 KiB records at a fixed rate, which the broker holds easily: how long they take. */
import { availableParallelism } from 'node:os'
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

/** Of `seconds` of it, from a server that takes what a broker takes, and has the topic if it needs one. */
export async function copyDelays(
  bootstrap: string,
  { batchBytes, perSecond }: Pick<Paced, 'batchBytes' | 'perSecond'>,
  seconds: number,
): Promise<Delays> {
  const batch = payload(recordBytes, batchBytes)
  const load = { bootstrap, topic, partitions: 1, connections: 1, acks: -1, payload: batch } as const
  const intervalMs = 1000 / perSecond
  await produceLatency({ ...load, intervalMs, count: perSecond })
  return delaysOf(await produceLatency({ ...load, intervalMs, count: perSecond * seconds }))
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
  await run({ ...load, ...rate, count: perSecond })
  const histogram = await run({ ...load, ...rate, count: perSecond * seconds })
  await dropTopic(control, topic)
  return delaysOf(histogram)
}
