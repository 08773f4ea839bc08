/**
 * Which records are past their retention: whole segments, oldest first. Pure; the decision is replicated by
 * the caller.
 */
import type { SegmentSummary } from './log.ts'

/**
 * Where the log should start: the end of the last segment that goes, or `start` when none does.
 *
 * Time counts from when the broker last appended to a segment, so that neither a timestamp in the future
 * keeps a segment for ever nor one in the past removes it at once. Size: the oldest segments go while at
 * least `retentionBytes` remain without them. Nothing at or above the high watermark goes. When even the
 * segment that is being written is past its time, the answer is its end: it is rolled by being removed.
 *
 * @param limits `Infinity` for no limit
 * @source org.apache.kafka.storage.internals.log.UnifiedLog#deleteOldSegments
 */
export function retentionStart(
  segments: readonly SegmentSummary[],
  limits: { readonly retentionMs: number; readonly retentionBytes: number },
  nowMs: number,
  highWatermark: number,
  start: number,
): number {
  let excess = -limits.retentionBytes
  for (const segment of segments) excess += segment.bytes
  let target = start
  for (const segment of segments) {
    const isTooOld = nowMs - segment.lastAppendMs > limits.retentionMs
    const isTooMuch = excess >= segment.bytes
    if (!(isTooOld || isTooMuch) || segment.endOffset > highWatermark) break
    excess -= segment.bytes
    target = Math.max(target, segment.endOffset)
  }
  return target
}
