/** Lines out of a stream of bytes, as bytes: a value need not be text. The last line needs no newline. */
import { Failure } from './failure.ts'

/** Longer than any record that a broker takes. */
const lineBytesMax = 64 * 1024 * 1024

/** Lists of lines, one for each chunk: a promise for each line would cost more than the line. */
export async function* lineLists(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[], void, void> {
  let begun: Buffer[] = []
  let begunBytes = 0
  for await (const chunk of chunks) {
    const lines: Buffer[] = []
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, end)
      lines.push(begun.length === 0 ? piece : Buffer.concat([...begun, piece]))
      begun = []
      begunBytes = 0
      from = end + 1
    }
    if (from < chunk.length) {
      begun.push(chunk.subarray(from))
      begunBytes += chunk.length - from
      if (begunBytes > lineBytesMax)
        throw new Failure(`the input has a line of more than ${lineBytesMax} bytes`)
    }
    if (lines.length > 0) yield lines
  }
  if (begun.length > 0) yield [Buffer.concat(begun)]
}
