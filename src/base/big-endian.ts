/**
 * Fixed-width integers in network order, at a place that is known to lie inside the buffer: nothing is
 * checked here.
 *
 * Plain byte arithmetic is as fast as a DataView and does not cost one per message (80 ns); Buffer's own
 * methods check value and place again and took half as long again for whole messages.
 */

const two32 = 0x1_0000_0000

export function int16At(buffer: Buffer, at: number): number {
  return ((buffer[at]! << 24) >> 16) | buffer[at + 1]!
}

export function int32At(buffer: Buffer, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
}

/** The nearest number: exact up to 2^53. */
export function int64At(buffer: Buffer, at: number): number {
  return int32At(buffer, at) * two32 + (int32At(buffer, at + 4) >>> 0)
}

export function putInt16(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >> 8
  buffer[at + 1] = value
}

export function putInt32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value >> 24
  buffer[at + 1] = value >> 16
  buffer[at + 2] = value >> 8
  buffer[at + 3] = value
}

/** @param value a safe integer. */
export function putInt64(buffer: Buffer, at: number, value: number): void {
  const high = Math.floor(value / two32)
  putInt32(buffer, at, high)
  putInt32(buffer, at + 4, (value - high * two32) | 0)
}
