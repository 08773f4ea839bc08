/** What has come to one end of a connection without a socket, and was not read yet: handed over where the reader wants it. */
import { sizeOf } from '../base/buffers.ts'

export class Unread {
  readonly #chunks: Buffer[] = []
  /** Where what is read next is to lie, as `Connection.readInto` said. */
  into: Buffer | null = null

  get isEmpty(): boolean {
    return this.#chunks.length === 0
  }

  get bytes(): number {
    return sizeOf(this.#chunks)
  }

  push(...chunks: readonly Buffer[]): void {
    this.#chunks.push(...chunks)
  }

  clear(): void {
    this.#chunks.length = 0
  }

  /** The next chunk, or as much of it as fits into its place; null: nothing is there. */
  next(): Buffer | null {
    const chunk = this.#chunks.shift()
    const { into } = this
    if (chunk === undefined || into === null) return chunk ?? null
    const bytes = chunk.copy(into)
    if (bytes < chunk.length) this.#chunks.unshift(chunk.subarray(bytes))
    return into.subarray(0, bytes)
  }
}
