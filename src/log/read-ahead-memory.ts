/** What all logs of a broker have read ahead, together: bounded, and given to those who go on reading. */

/** A part of a log in memory. */
export interface Kept {
  /** What it takes. */
  readonly size: number
  readonly usedMs: number
  /** `giveBack` follows. */
  drop(): void
}

/**
 * Who has not come back for so long makes room for others. Were it those that were used least recently, more readers than there is
 * room for would drop each other's windows before they are read; like this, no more than the bound is read in vain in such a time.
 */
const idleMs = 1000

export class ReadAheadMemory {
  readonly #bytesMax: number
  /** Somebody is about to read on in these. The one that was used least recently comes first. */
  readonly #open = new Set<Kept>()
  /** Those whose reader has come to the end: another may be on its way through. */
  readonly #spent = new Set<Kept>()
  #bytes = 0

  /** @param bytesMax 0: nothing is read ahead */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Sets memory aside for what is about to be read; false: the others are in use. */
  reserve(bytes: number, nowMs: number): boolean {
    if (bytes > this.#bytesMax) return false
    while (this.#bytes + bytes > this.#bytesMax) {
      const first = this.#leastNeeded(nowMs)
      if (first === null) return false
      first.drop()
    }
    this.#bytes += bytes
    return true
  }

  unreserve(bytes: number): void {
    this.#bytes -= bytes
  }

  /** What was reserved for it is no longer. */
  keep(kept: Kept): void {
    this.#open.add(kept)
    this.#bytes += kept.size
  }

  /** Somebody has read in it, and `isSpent`: to its end. */
  used(kept: Kept, isSpent: boolean): void {
    if (!this.#open.delete(kept) && !this.#spent.delete(kept)) return
    const among = isSpent ? this.#spent : this.#open
    among.add(kept)
  }

  giveBack(kept: Kept): void {
    if (this.#open.delete(kept) || this.#spent.delete(kept)) this.#bytes -= kept.size
  }

  #leastNeeded(nowMs: number): Kept | null {
    const [spent] = this.#spent
    if (spent !== undefined) return spent
    const [first] = this.#open
    return first !== undefined && nowMs - first.usedMs >= idleMs ? first : null
  }
}
