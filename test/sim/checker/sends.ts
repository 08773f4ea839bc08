/**
 * nonmonotonic-send: sends of one ordered process lie in the order in which they were made. realtime-order: so do sends of
 * different processes, of which one began when the other was over.
 */
import type { Anomaly, Send } from './history.ts'
import { anomaly, firmKeys, type View } from './structures.ts'

export function* sendOrder(view: View): Generator<Anomaly> {
  for (const { key, sends } of firmKeys(view)) {
    const last = new Map<string, Send>()
    for (const send of sends) {
      if (!send.isOrdered || !isPlaced(send)) continue
      const before = last.get(send.process)
      if (before !== undefined && (before.offset ?? 0) > (send.offset ?? 0)) {
        yield anomaly(
          'nonmonotonic-send',
          key,
          `${before.value} at ${before.offset}, then ${send.value} at ${send.offset}`,
        )
      }
      last.set(send.process, send)
    }
  }
}

export function* realtimeOrder(view: View): Generator<Anomaly> {
  for (const { key, sends } of firmKeys(view)) {
    const placed = sends.filter(isPlaced).sort((a, b) => (b.offset ?? 0) - (a.offset ?? 0))
    let earliest: Send | null = null
    for (const send of placed) {
      if (earliest !== null && send.began > earliest.ended && (send.offset ?? 0) < (earliest.offset ?? 0)) {
        yield anomaly(
          'realtime-order',
          key,
          `${send.value} was sent after ${earliest.value} was acknowledged at ${earliest.offset}, and lies at ${send.offset}`,
        )
      }
      if (earliest === null || send.ended < earliest.ended) earliest = send
    }
  }
}

/** What a leader alone had promised may have lost its place. */
function isPlaced(send: Send): boolean {
  return send.outcome === 'ok' && send.acks === -1 && send.offset !== null
}
