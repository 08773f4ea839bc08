/**
 * retention-legal: the log starts above 0 only where somebody has asked for it (DeleteRecords), or the policy of the topic lets
 * the records go: by age, counted from when their sending began, or by size, counted generously. Never above the high watermark.
 */
import type { Anomaly, Policy, Trim } from './history.ts'
import { anomaly, type KeyView, type View } from './structures.ts'
import { grouped } from './sweep.ts'

interface Start {
  readonly key: string
  readonly start: number
  readonly ended: number
  readonly endedMs: number
}

export function* retention({ operations, keys, history }: View): Generator<Anomaly> {
  const starts: Start[] = []
  const trims: Trim[] = []
  for (const operation of operations) {
    if (operation.kind === 'trim' && operation.outcome !== 'fail') trims.push(operation)
    if (operation.outcome !== 'ok') continue
    const { key, ended } = operation
    if (operation.kind === 'poll') {
      const { logStart, highWatermark, endedMs } = operation
      starts.push({ key, ended, endedMs, start: logStart })
      if (logStart > highWatermark)
        yield anomaly(
          'retention-legal',
          key,
          `the log starts at ${logStart}, above its high watermark ${highWatermark}`,
        )
    } else if (operation.kind === 'bound' && operation.which === 'earliest') {
      starts.push({ key, ended, endedMs: operation.endedMs, start: operation.offset })
    }
  }
  const trimsOf = grouped(trims, ({ key }) => key)
  for (const [key, seen] of grouped(starts, (one) => one.key)) {
    const view = keys.get(key)
    const policy = history.policies.get(key)
    for (const one of firstOfEach(seen)) {
      const isAsked =
        trimsOf.get(key)?.some(({ offset, began }) => offset >= one.start && began < one.ended) ?? false
      if (isAsked || (policy !== undefined && view !== undefined && isPast(one, view, policy))) continue
      yield anomaly('retention-legal', key, `the log starts at ${one.start}, and nothing allows it`)
    }
  }
}

/** The first sight of each start above 0. */
function firstOfEach(seen: readonly Start[]): Iterable<Start> {
  const first = new Map<number, Start>()
  for (const one of seen) {
    const known = first.get(one.start)
    if (one.start > 0 && (known === undefined || one.endedMs < known.endedMs)) first.set(one.start, one)
  }
  return first.values()
}

function isPast({ start, ended, endedMs }: Start, view: KeyView, policy: Policy): boolean {
  if (policy.retentionMs >= 0) {
    const sentMs = sentAt(view, start - 1)
    if (sentMs === null || sentMs + policy.retentionMs <= endedMs + policy.jumpedMs) return true
  }
  if (policy.retentionBytes < 0) return false
  const above = view.sends.filter(
    ({ began, offset, outcome }) => began < ended && outcome !== 'fail' && (offset ?? start) >= start,
  )
  return above.length * policy.recordBytesMax >= policy.retentionBytes
}

/** When the record at an offset was sent; null when nobody knows what was there. */
function sentAt(view: KeyView, offset: number): number | null {
  let earliest: number | null = null
  for (const value of view.valuesAt.get(offset) ?? []) {
    const sent = view.sendOf.get(value)?.beganMs
    if (sent !== undefined) earliest = Math.min(earliest ?? Infinity, sent)
  }
  return earliest
}
