/** From the start to ready; memory when idle, and the most it has been after producing and reading. */
import { setTimeout as sleep } from 'node:timers/promises'
import { consumeThroughput } from '../load/consume.ts'
import { readyTopic, spreadThroughput } from '../load/leaders.ts'
import { inTurns } from '../load/sample.ts'
import { flushes, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { memoryOf } from '../usage.ts'
import { smallerRow } from './comparison.ts'
import { type Peers, type StartPeer, withPeer } from './peer.ts'

const topic = 'load'
const partitions = 6
const fetchBytes = 1_048_576

interface Life {
  readonly readyMs: number
  readonly idle: number
  readonly loaded: number
}

export const startup =
  ({ lograft, kafka }: Peers): Suite =>
  async ({ isQuick }) => {
    const rows: Row[] = []
    for (const brokers of [1, 3]) {
      const bytes = (isQuick ? 100e6 : 600e6) / brokers
      const seen = await inTurns(isQuick ? 1 : 3, {
        lograft: () => life(lograft, brokers, bytes),
        kafka: () => life(kafka, brokers, bytes),
      })
      const of = brokers === 1 ? 'one broker' : `${brokers} brokers`
      rows.push(smallerRow(`${of}, start to ready`, seen, 'readyMs', 'ms', 0.1))
      rows.push(smallerRow(`${of}, memory idle`, seen, 'idle', 'MB', 0.3))
      rows.push(smallerRow(`${of}, memory loaded`, seen, 'loaded', 'MB', 0.3))
    }
    return rows
  }

async function life(start: StartPeer, brokers: number, bytes: number): Promise<Life> {
  return await withPeer(start, brokers, async ({ control, readyMs, pids, bootstrap }) => {
    await sleep(2000)
    const idle = memoryOf(pids).now
    const load = { topic, partitions, acks: -1, payload: payload(1024, 65_536) } as const
    const configs = { 'flush.messages': flushes.unsynced }
    const led = await readyTopic(control, { ...load, replicas: brokers, configs }, load.payload)
    await spreadThroughput(load, led, bytes / load.payload.batch.length)
    if (brokers === 1) await consumeThroughput({ ...load, bootstrap, fetchBytes, bytes })
    return { readyMs, idle, loaded: memoryOf(pids).peak }
  })
}
