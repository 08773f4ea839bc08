/** Ranges of offsets that were looked at. Bounded: with too many gaps the shortest range is forgotten, and looked at again. */
export class CheckedRanges {
  readonly #max: number
  /** In order, apart from each other. */
  #ranges: { readonly from: number; readonly to: number }[] = []

  constructor(max = 64) {
    this.#max = max
  }

  covers(from: number, to: number): boolean {
    return this.gapFrom(from) >= to
  }

  /** The first offset at or above `offset` that is in no range. */
  gapFrom(offset: number): number {
    return this.#ranges.find(({ from, to }) => from <= offset && offset < to)?.to ?? offset
  }

  /** [10,20) and [20,30) become [10,30). */
  add(from: number, to: number): void {
    const touched = this.#ranges.filter((range) => range.from <= to && from <= range.to)
    const apart = this.#ranges.filter((range) => range.from > to || from > range.to)
    const joined = {
      from: Math.min(from, ...touched.map((range) => range.from)),
      to: Math.max(to, ...touched.map((range) => range.to)),
    }
    this.#ranges = [...apart, joined].sort((a, b) => a.from - b.from)
    if (this.#ranges.length > this.#max) this.#forgetShortest()
  }

  #forgetShortest(): void {
    const shortest = Math.min(...this.#ranges.map(({ from, to }) => to - from))
    const at = this.#ranges.findIndex(({ from, to }) => to - from === shortest)
    this.#ranges.splice(at, 1)
  }
}
