/**
 * Bytes of requests under way over all connections, against one bound. Beyond it connections stop reading and stand in line;
 * the first in line goes on reading until its frame is whole. Without that, frames that are all half there could fill the
 * memory and wait for each other for ever. So the bound may be exceeded by one frame, and by what each socket had under way
 * (one read, at most 1 MiB). Calling up only as many as there is room for would be tighter, and wrong: whoever is called may
 * have nothing to read, and the others would wait for it.
 */
export interface Reader {
  /** Asks `mayRead` again. */
  readAgain(): void
}

export class RequestMemory {
  readonly #bytesMax: number
  /** In order of arrival. */
  readonly #line = new Set<Reader>()
  #used = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get used(): number {
    return this.#used
  }

  get isFull(): boolean {
    return this.#used >= this.#bytesMax
  }

  take(bytes: number): void {
    this.#used += bytes
  }

  release(bytes: number): void {
    this.#used -= bytes
    this.#callUp()
  }

  /** False: the reader stands in line now, and is told when to ask again. */
  mayRead(reader: Reader): boolean {
    if (!this.isFull) {
      this.#line.delete(reader)
      return true
    }
    this.#line.add(reader)
    return this.#first() === reader
  }

  /** The reader does not want to read for now, or is gone. */
  leave(reader: Reader): void {
    if (this.#line.delete(reader)) this.#callUp()
  }

  #first(): Reader | undefined {
    const [first] = this.#line
    return first
  }

  /** Tells the first in line, and those behind it as long as each finds room and leaves the line. */
  #callUp(): void {
    let called: Reader | undefined
    for (let first = this.#first(); first !== undefined && first !== called; first = this.#first()) {
      called = first
      first.readAgain()
    }
  }
}
