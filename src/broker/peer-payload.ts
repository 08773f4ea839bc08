import { Writer } from '../base/bytes.ts'

/** The payload of a call, as it is written. */
export function bytesOf(write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  write(writer)
  return Buffer.concat(writer.finish())
}
