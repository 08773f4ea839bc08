import { crc32c } from '../base/crc32c.ts'
import { batchHeaderSize, batchSize, checksummedFrom } from '../records/batch.ts'

/**
 * The checksum, continued from `initial`, of what the batches' own checksums leave out: the first 21 bytes of each. Bytes that are
 * no batch end it early, at the same place on both sides.
 */
export function placesSum(batches: readonly Buffer[], initial: number): number {
  let sum = initial
  for (const run of batches) {
    for (let at = 0; at < run.length; ) {
      if (run.length - at < batchHeaderSize) return ~sum >>> 0
      sum = crc32c(run.subarray(at, at + checksummedFrom), sum)
      const size = batchSize(run, at)
      if (size < batchHeaderSize || size > run.length - at) return ~sum >>> 0
      at += size
    }
  }
  return sum
}
