/** The payload of an append: what lies between two positions of a log, read on the leader, appended on a follower. */
import { assert } from '../base/assert.ts'
import type { Log, PlacedMark } from '../log/log.ts'
import { baseOffset, batchSize, nextOffset } from '../records/batch.ts'
import { batchPositions, checkBatch } from '../records/scan.ts'

export interface Entries {
  readonly marks: readonly PlacedMark[]
  /** Whole batches, one after the other; several may lie in one buffer. */
  readonly batches: readonly Buffer[]
}

/**
 * Units from `from` on, below `boundPosition` (what is written): whole batches, about `bytesMax`, one at least; the first may
 * begin below the start that users see. null when nothing there is written yet, when it was trimmed, or when `isStill` says
 * after the read that the log may not be the same any more.
 * @throws Refused OFFSET_OUT_OF_RANGE when the log was trimmed during the read; Faulted
 */
export async function readEntries(
  log: Log,
  read: { from: number; boundPosition: number; bytesMax: number },
  isStill: () => boolean,
): Promise<{ entries: Entries; until: number; bytes: number } | null> {
  const { from, boundPosition } = read
  const isKept = (): boolean => from >= log.base.position
  if (from >= boundPosition || !isKept()) return null
  const offset = log.offsetAt(from)
  const boundOffset = log.offsetAt(boundPosition)
  if (offset === boundOffset) {
    const marks = log.marks(from, boundPosition)
    return { entries: { marks, batches: [] }, until: boundPosition, bytes: 0 }
  }
  const limits = { boundOffset, maxBytes: read.bytesMax, minOne: true }
  const { batches, bytes, nextOffset: next } = await log.read(Math.max(offset, log.start), limits)
  // Of what was trimmed meanwhile the marks are gone.
  if (!isStill() || !isKept()) return null
  const until = next === boundOffset ? boundPosition : log.positionOf(next)
  return { entries: { marks: log.marks(from, until), batches }, until, bytes }
}

/** Appends what of `entries` the log does not hold yet. */
export function appendEntries(log: Log, entries: Entries): void {
  const batches = batchesOf(entries)
  let batch = batches.next()
  const appendBatchesBelow = (position: number): void => {
    for (; batch.done !== true && log.endPosition < position; batch = batches.next()) {
      if (nextOffset(batch.value, 0) <= log.end) continue
      assert(baseOffset(batch.value, 0) === log.end, 'a batch continues the log')
      log.append(batch.value)
    }
  }
  for (const { mark, epoch, position } of entries.marks) {
    if (position < log.endPosition) continue
    appendBatchesBelow(position)
    const placed = log.appendMark(mark, epoch)
    assert(placed === position, 'a mark comes where the leader has it')
  }
  appendBatchesBelow(Infinity)
}

/** Whether the batches came as they left: what a follower appends it will serve. */
export function areWhole(entries: Entries): boolean {
  for (const run of entries.batches) {
    for (let at = 0; at < run.length; ) {
      const check = checkBatch(run, at, run.length)
      if (!check.ok) return false
      at += check.size
    }
  }
  return true
}

function* batchesOf({ batches }: Entries): Generator<Buffer, void> {
  for (const run of batches) {
    for (const at of batchPositions(run)) yield run.subarray(at, at + batchSize(run, at))
  }
}
