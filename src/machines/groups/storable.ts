/**
 * Text of clients that is about to be replicated. A string of the protocol takes 32767 bytes at most, and so does one of a change;
 * but bytes that are not UTF-8 are read as U+FFFD, three bytes each, so what came in need not fit when it goes out.
 */
import { stringSizeMax } from '../../base/bytes.ts'
import { Refused } from '../../base/errors.ts'

export function isStorable(text: string): boolean {
  // The length of the text, times three, is what it takes at most: no need to count that of a short one.
  return text.length * 3 <= stringSizeMax || Buffer.byteLength(text) <= stringSizeMax
}

/** @throws Refused INVALID_REQUEST */
export function checkStorable(...texts: readonly string[]): void {
  if (!texts.every(isStorable)) throw new Refused('INVALID_REQUEST', 'a name is too long to be kept')
}
