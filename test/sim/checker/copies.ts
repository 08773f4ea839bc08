/** replica-equal: all copies of a partition hold the same below the lowest of their high watermarks. */
import type { Anomaly, Copy } from './history.ts'
import { anomaly, type View } from './structures.ts'
import { grouped } from './sweep.ts'

export function* replicaDifferences({ history }: View): Generator<Anomaly> {
  for (const [key, copies] of grouped(history.copies, (copy) => copy.key)) {
    const [first, ...others] = copies
    if (first === undefined) continue
    const bound = Math.min(...copies.map(({ highWatermark }) => highWatermark))
    for (const other of others) {
      const offset = differenceBelow(bound, first, other)
      if (offset !== null)
        yield anomaly('replica-equal', key, `${first.node} and ${other.node} differ at ${offset}`)
    }
  }
}

function differenceBelow(bound: number, a: Copy, b: Copy): number | null {
  for (let offset = Math.max(a.start, b.start); offset < bound; offset++) {
    const left = a.records.get(offset)
    if (left === undefined || left !== b.records.get(offset)) return offset
  }
  return null
}
