/** Whole batches in bytes that are not trusted yet. Reads nothing at or beyond `end`, whatever the bytes say. */
import {
  baseOffset,
  batchHeaderSize,
  batchSize,
  currentMagic,
  lastOffsetDelta,
  magic,
  verifyCrc,
} from './batch.ts'
import { MalformedRecords } from './errors.ts'

export type BatchCheck =
  | { ok: true; size: number }
  /**
   * - `short`: the bytes end before the batch does: a write cut off, or a length that is wrong
   * - `zeros`: a header of zeros: space that was allocated and never written
   * - `corrupt`: it cannot be, or the checksum is wrong
   */
  | { ok: false; reason: 'short' | 'zeros' | 'corrupt'; detail: string }

/**
 * Is there a whole, sound batch at `at`? The checksum does not cover the base offset and the leader epoch: whoever
 * knows which come next compares those.
 */
export function checkBatch(buffer: Buffer, at: number, end: number): BatchCheck {
  const rest = end - at
  if (rest > 0 && isZero(buffer, at, Math.min(end, at + batchHeaderSize))) {
    return { ok: false, reason: 'zeros', detail: `zeros from position ${at}` }
  }
  if (rest < batchHeaderSize) {
    return { ok: false, reason: 'short', detail: `${rest} bytes where a header takes ${batchHeaderSize}` }
  }
  const fault = headerFault(buffer, at)
  if (fault !== null) return { ok: false, reason: 'corrupt', detail: fault }
  const size = batchSize(buffer, at)
  if (size > rest) {
    return { ok: false, reason: 'short', detail: `${rest} bytes of a batch of ${size}` }
  }
  if (!verifyCrc(buffer, at)) {
    return { ok: false, reason: 'corrupt', detail: `a batch of ${size} bytes fails its checksum` }
  }
  return { ok: true, size }
}

/**
 * The positions of the whole batches from `at` to `end`. A last batch that is cut off is left out: brokers may cut
 * a fetch response anywhere. Checksums are not verified.
 * @throws MalformedRecords when a header cannot be one
 */
export function* batchPositions(buffer: Buffer, at = 0, end = buffer.length): Generator<number, void, void> {
  let position = at
  while (end - position >= batchHeaderSize) {
    const fault = headerFault(buffer, position)
    if (fault !== null) throw new MalformedRecords(fault)
    const size = batchSize(buffer, position)
    if (size > end - position) return
    yield position
    position += size
  }
}

/** What a header of 61 bytes says that no batch can say, or null. */
function headerFault(buffer: Buffer, at: number): string | null {
  if (magic(buffer, at) !== currentMagic) return `magic ${magic(buffer, at)}`
  if (batchSize(buffer, at) < batchHeaderSize) return `a batch of ${batchSize(buffer, at)} bytes`
  if (baseOffset(buffer, at) < 0) return `base offset ${baseOffset(buffer, at)}`
  if (lastOffsetDelta(buffer, at) < 0) return `last offset delta ${lastOffsetDelta(buffer, at)}`
  return null
}

function isZero(buffer: Buffer, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (buffer[i] !== 0) return false
  return true
}
