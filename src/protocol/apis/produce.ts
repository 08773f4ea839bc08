import { api, array, int16, int32, int64, nearest64, records, string, struct } from '../notation.ts'

/**
 * Append record batches to partitions. `acks`: 0 asks for no response at all, 1 for the leader's log, -1 for
 * a majority.
 *
 * Versions 0-2 are named by ApiVersions but not served: old librdkafka turns compression off without them
 * (KAFKA-18659). Versions: 3 message format 2; 7 zstd; 8 errors of single records; 10 the new leader; 11
 * TRANSACTION_ABORTABLE.
 * @source KIP-98, KIP-110, KIP-467, KIP-951, KIP-890
 */
export const Produce = api({
  key: 0,
  name: 'Produce',
  versions: [3, 11],
  advertisedMin: 0,
  flexible: 9,
  request: {
    transactionalId: string.nullable.or(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      name: string,
      partitionData: array({
        index: int32,
        records: records.nullable,
      }),
    }),
  },
  response: {
    responses: array({
      name: string,
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: int64,
        logAppendTimeMs: nearest64.or(-1),
        logStartOffset: int64.since(5).or(-1).ignorable,
        recordErrors: array({
          batchIndex: int32,
          batchIndexErrorMessage: string.nullable.or(null),
        }).since(8).ignorable,
        errorMessage: string.nullable.since(8).ignorable,
        currentLeader: struct({
          leaderId: int32.or(-1),
          leaderEpoch: int32.or(-1),
        })
          .since(10)
          .tag(0),
      }),
    }),
    throttleTimeMs: int32.or(0),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable.or(null),
    })
      .since(10)
      .tag(0),
  },
})
