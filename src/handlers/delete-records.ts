/** DeleteRecords: raises the log start by a replicated decision.  @source KIP-107 */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import type { Broker } from '../broker/broker.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import { DeleteRecords } from '../protocol/apis/delete-records.ts'
import { handler } from './handler.ts'
import { locate } from './locate.ts'

export const deleteRecords = handler(DeleteRecords, async (request, { broker }) => {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => {
          const outcome = await withinTime(
            broker,
            request.timeoutMs,
            raise(broker, name, partitionIndex, offset),
          )
          return typeof outcome === 'string'
            ? { partitionIndex, errorCode: errorCode(outcome), lowWatermark: -1 }
            : { partitionIndex, errorCode: 0, lowWatermark: outcome }
        }),
      ),
    })),
  )
  return { topics }
})

/** The new low watermark. */
async function raise(
  broker: Broker,
  topic: string,
  index: number,
  offset: number,
): Promise<number | ErrorName> {
  if (isInternalTopic(topic)) return 'INVALID_TOPIC_EXCEPTION'
  const partition = locate(broker, topic, index)
  if (typeof partition === 'string') return partition
  const refusal = partition.refusal(-1)
  if (refusal !== null) return refusal
  if (!partition.isReady) return 'NOT_LEADER_OR_FOLLOWER'
  try {
    return await partition.deleteRecords(offset)
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
}

/** The decision may still be taken after the time is over. */
function withinTime<T>(broker: Broker, timeoutMs: number, outcome: Promise<T>): Promise<T | ErrorName> {
  return new Promise((resolve, reject) => {
    const timer = broker.world.clock.setTimer(timeoutMs, () => resolve('REQUEST_TIMED_OUT'))
    outcome.then(resolve, reject).finally(() => timer.cancel())
  })
}
