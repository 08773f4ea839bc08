/** DescribeProducers: the producers that a partition remembers.  @source KIP-664 */
import { errorCode } from '../base/error-codes.ts'
import { DescribeProducers } from '../protocol/apis/describe-producers.ts'
import { handler } from './handler.ts'
import { locate } from './locate.ts'

export const describeProducers = handler(DescribeProducers, (request, { broker }) => ({
  topics: request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      const partition = locate(broker, name, partitionIndex)
      const refusal = typeof partition === 'string' ? partition : partition.refusal(-1)
      if (refusal !== null || typeof partition === 'string') {
        return {
          partitionIndex,
          errorCode: errorCode(refusal ?? 'UNKNOWN_SERVER_ERROR'),
          activeProducers: [],
        }
      }
      const activeProducers = partition.replica.log.producers.list().map((producer) => ({
        producerId: producer.producerId,
        producerEpoch: producer.producerEpoch,
        lastSequence: producer.lastSequence,
        lastTimestamp: producer.lastTimestamp,
        coordinatorEpoch: producer.coordinatorEpoch,
        currentTxnStartOffset: producer.currentTransactionStart,
      }))
      return { partitionIndex, errorCode: 0, activeProducers }
    }),
  })),
}))
