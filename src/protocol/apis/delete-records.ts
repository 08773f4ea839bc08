import { api, array, int16, int32, int64, nearest64, string } from '../notation.ts'

/**
 * Move the log start of partitions up to `offset`; -1 asks for the high watermark.
 *
 * @source KIP-107
 */
export const DeleteRecords = api({
  key: 21,
  name: 'DeleteRecords',
  versions: [0, 2],
  flexible: 2,
  request: {
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        offset: nearest64,
      }),
    }),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.or(0),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        lowWatermark: int64,
        errorCode: int16,
      }),
    }),
  },
})
