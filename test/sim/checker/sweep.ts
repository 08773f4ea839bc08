/** Things that must never go back, seen by operations that overlap: O(n log n). */
export interface Seen {
  readonly began: number
  readonly ended: number
  readonly value: number
}

/**
 * Each `reader` that saw less than what was known before it began, with how much was known. `known` and `readers` may be the same.
 */
export function* regressions<R extends Seen>(
  known: readonly Seen[],
  readers: readonly R[],
): Generator<{ reader: R; known: number }> {
  const byEnd = [...known].sort((a, b) => a.ended - b.ended)
  const byBeginning = [...readers].sort((a, b) => a.began - b.began)
  let at = 0
  let most = -Infinity
  for (const reader of byBeginning) {
    for (let next = byEnd[at]; next !== undefined && next.ended < reader.began; next = byEnd[++at]) {
      most = Math.max(most, next.value)
    }
    if (reader.value < most) yield { reader, known: most }
  }
}

export function grouped<T>(items: Iterable<T>, nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = nameOf(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [item])
    else group.push(item)
  }
  return groups
}
