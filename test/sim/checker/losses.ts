/**
 * lost-write: acknowledged, below what was read, and never read. unseen: acknowledged and not there in the end. ack-contract: the
 * same of a record that only its leader had promised (acks=1, or a topic that is not synced), when nothing happened that may
 * cost it. What lies below the start of the log is not lost: whether it may go is the question of retention-legal.
 */
import type { Anomaly, History, Send } from './history.ts'
import { anomaly, type KeyView, type View } from './structures.ts'

export function* lostWrites({ keys, history }: View): Generator<Anomaly> {
  for (const view of keys.values()) {
    let bound = -1
    for (const { records } of view.polls) for (const [offset] of records) bound = Math.max(bound, offset)
    const start = startOf(view)
    for (const send of view.sends) {
      if (send.offset === null || send.offset > bound || send.offset < start) continue
      if (!isPromised(send, history) || view.readValues.has(send.value)) continue
      // Who reads from the middle has not lost what lies before: only offsets that somebody has read past count.
      if (isPassed(view, send.offset))
        yield anomaly(
          'lost-write',
          view.key,
          `${send.value}, acknowledged at ${send.offset}, was read past and never read`,
        )
    }
  }
}

/** A poll holds records on both sides of it. */
function isPassed(view: KeyView, offset: number): boolean {
  return view.polls.some(({ records }) => {
    const [first] = records
    const last = records.at(-1)
    return first !== undefined && last !== undefined && first[0] <= offset && offset <= last[0]
  })
}

export function* unseen({ keys, history }: View): Generator<Anomaly> {
  for (const view of keys.values()) {
    const { final } = view
    if (final === null) continue
    for (const send of view.sends) {
      if (final.values.has(send.value) || isGone(send, view)) continue
      if (isPromised(send, history))
        yield anomaly('unseen', view.key, `${send.value}, acknowledged at ${send.offset}, is gone in the end`)
      else if (isLeaderPromise(send, history) && !history.disruptions.some((at) => at > send.began))
        yield anomaly(
          'ack-contract',
          view.key,
          `${send.value}, acks=1, is gone, and nothing happened that may cost it`,
        )
    }
  }
}

/** On disk, by the contract. */
function isPromised({ outcome, acks, key }: Send, { unsynced }: History): boolean {
  return outcome === 'ok' && acks === -1 && !unsynced.has(key)
}

function isLeaderPromise({ outcome, acks, key }: Send, { unsynced }: History): boolean {
  return outcome === 'ok' && (acks === 1 || (acks === -1 && unsynced.has(key)))
}

/** It lies below the start, or may: a retry that found its record stored is not told where. */
function isGone(send: Send, view: KeyView): boolean {
  const start = startOf(view)
  if (start === 0) return false
  if (send.offset !== null) return send.offset < start
  const offsets = view.offsetsOf.get(send.value)
  return offsets === undefined || Math.min(...offsets) < start
}

function startOf(view: KeyView): number {
  return view.polls.reduce((start, { logStart }) => Math.max(start, logStart), 0)
}
