/**
 * How many bytes a leader has taken that are not committed yet. Counted per turn, not per batch: the sum of all bytes
 * ever taken, and what that sum was at the end of each turn that is still open.
 */
export class Uncommitted {
  #taken = 0
  #committed = 0
  #ends: number[] = []
  #sums: number[] = []

  get bytes(): number {
    return this.#taken - this.#committed
  }

  take(bytes: number): void {
    this.#taken += bytes
  }

  /** The end of a turn: all that was taken lies below `endOffset`. */
  turn(endOffset: number): void {
    if (this.#taken === (this.#sums.at(-1) ?? this.#committed)) return
    this.#ends.push(endOffset)
    this.#sums.push(this.#taken)
  }

  commit(highWatermark: number): void {
    let done = 0
    while ((this.#ends[done] ?? Infinity) <= highWatermark) done++
    if (done === 0) return
    this.#committed = this.#sums[done - 1] as number
    // As a rule this is all. (New arrays would outlive the turn, in each of thousands of partitions.)
    if (done === this.#ends.length) {
      this.#ends.length = 0
      this.#sums.length = 0
    } else {
      this.#ends = this.#ends.slice(done)
      this.#sums = this.#sums.slice(done)
    }
  }

  reset(): void {
    this.#committed = this.#taken
    this.#ends = []
    this.#sums = []
  }
}
