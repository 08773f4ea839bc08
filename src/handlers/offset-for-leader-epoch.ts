/** OffsetForLeaderEpoch: how a consumer learns that its log was truncated behind it.  @source KIP-101, KIP-320 */
import { errorCode } from '../base/error-codes.ts'
import { OffsetForLeaderEpoch } from '../protocol/apis/offset-for-leader-epoch.ts'
import { handler } from './handler.ts'
import { locate } from './locate.ts'

export const offsetForLeaderEpoch = handler(OffsetForLeaderEpoch, (request, { broker }) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
      const partition = locate(broker, topic, index)
      const refusal = typeof partition === 'string' ? partition : partition.refusal(currentLeaderEpoch)
      if (refusal !== null || typeof partition === 'string') {
        return { partition: index, errorCode: errorCode(refusal ?? 'UNKNOWN_SERVER_ERROR') }
      }
      const { epoch, endOffset } = partition.replica.log.epochEnd(leaderEpoch)
      return { partition: index, errorCode: 0, leaderEpoch: epoch, endOffset }
    }),
  })),
}))
