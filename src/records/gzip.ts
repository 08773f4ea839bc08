/** @source RFC 1952 */

import { gunzipSync, gzipSync } from 'node:zlib'
import { messageOf } from '../base/errors.ts'
import { CorruptPayload, ExpandedTooLarge } from './errors.ts'

/** `level` 1 to 9, zlib's default (6) when absent. */
export function compressGzip(bytes: Buffer, level?: number): Buffer {
  return gzipSync(bytes, { ...(level !== undefined && { level }), chunkSize: chunkSize(bytes.length) })
}

/** Several members in a row are read as one, as Java's GZIPInputStream does. */
export function expandGzip(bytes: Buffer, maxBytes: number): Buffer {
  // zlib wants a positive bound; for an empty batch the check after it decides.
  const maxOutputLength = Math.max(1, maxBytes)
  let expanded: Buffer
  try {
    expanded = gunzipSync(bytes, { maxOutputLength, chunkSize: chunkSize(bytes.length * 4) })
  } catch (cause) {
    if (isTooLarge(cause)) throw new ExpandedTooLarge('gzip', maxBytes)
    throw new CorruptPayload('gzip', messageOf(cause))
  }
  if (expanded.length > maxBytes) throw new ExpandedTooLarge('gzip', maxBytes)
  return expanded
}

/** zlib hands its output over in chunks of this size; too small means many calls, too large a wasted allocation. */
function chunkSize(expectedBytes: number): number {
  return Math.min(Math.max(1024, expectedBytes), 256 * 1024)
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
}
