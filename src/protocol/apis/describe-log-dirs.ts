import { api, array, bool, int16, int32, int64, string } from '../notation.ts'

/**
 * Size of partitions on disk. `topics`: null asks for all.
 *
 * Versions: 3 an error of its own; 4 size of the volume.
 * @source KIP-113, KIP-827
 */
export const DescribeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [1, 4],
  flexible: 2,
  request: {
    topics: array({
      topic: string,
      partitions: array(int32),
    }).nullable,
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16.since(3).ignorable,
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: int64,
          offsetLag: int64,
          isFutureKey: bool,
        }),
      }),
      totalBytes: int64.since(4).or(-1).ignorable,
      usableBytes: int64.since(4).or(-1).ignorable,
    }),
  },
})
