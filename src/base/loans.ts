import { releaseAll } from './buffer-pool.ts'

/** Memory that lies in what a socket is given: a use of each buffer, released when the socket has taken its last byte. */
export class Loans {
  readonly #loans: { readonly buffers: readonly Buffer[]; readonly until: number }[] = []

  /** `until`: how many bytes the socket will have been given when the last of `buffers` is among them. */
  add(buffers: readonly Buffer[], until: number): void {
    if (buffers.length > 0) this.#loans.push({ buffers, until })
  }

  /** The socket holds nothing any more of the first so many bytes. */
  settle(bytes: number): void {
    for (let first = this.#loans[0]; first !== undefined && first.until <= bytes; first = this.#loans[0]) {
      releaseAll(first.buffers)
      this.#loans.shift()
    }
  }

  /** Who knows how long a socket that breaks looks at what it was given? Nothing is released. */
  forget(): void {
    this.#loans.length = 0
  }
}
