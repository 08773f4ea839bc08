/** Open loops: what is due is due, whether the one before was done or not. */

export interface Rate {
  readonly intervalMs: number
  readonly count: number
  /**
   * Asks the clock once a millisecond and not turn by turn: up to so much later, and without a core of its own, where what is measured
   * needs all there are.
   */
  readonly isPatient?: boolean
}

/** Says of each of `count` moments that it has come, and when it was due; the first at once. */
export function atRate(
  { intervalMs, count, isPatient = false }: Rate,
  onDue: (n: number, dueMs: number) => void,
): void {
  const begun = performance.now()
  let n = 0
  const turn = () => {
    const elapsed = performance.now() - begun
    for (; n < count && n * intervalMs <= elapsed; n++) onDue(n, begun + n * intervalMs)
    if (n === count) return
    // A timer is up to a millisecond late: the last of the way is waited for turn by turn.
    const leftMs = begun + n * intervalMs - performance.now()
    if (leftMs > 2 || isPatient) setTimeout(turn, leftMs - 1.5)
    else setImmediate(turn)
  }
  turn()
}
