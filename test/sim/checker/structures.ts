/** What every class of anomaly looks things up in: one pass over the history. */
import type { Anomaly, AnomalyKind, History, Operation, Poll, Send } from './history.ts'

export interface KeyView {
  readonly key: string
  readonly sends: Send[]
  /** That were answered. */
  readonly polls: Poll[]
  readonly sendOf: Map<string, Send>
  /** From polls, and from sends that may have taken effect and know their offset. */
  readonly valuesAt: Map<number, Set<string>>
  readonly offsetsOf: Map<string, Set<number>>
  readonly readValues: Set<string>
  /** The last final read: what is there in the end. null when there was none. */
  final: { start: number; highWatermark: number; values: Set<string>; offsets: Set<number> } | null
}

export interface View {
  readonly history: History
  readonly keys: ReadonlyMap<string, KeyView>
  /** By beginning. */
  readonly operations: readonly Operation[]
}

export type Check = (view: View) => Iterable<Anomaly>

/** Keys of which no record may ever be replaced. */
export function* firmKeys({ keys, history }: View): Generator<KeyView> {
  for (const view of keys.values()) {
    if (history.disruptions.length === 0 || !history.unsynced.has(view.key)) yield view
  }
}

export function anomaly(kind: AnomalyKind, key: string, detail: string): Anomaly {
  return { kind, key, detail }
}

export function viewOf(history: History): View {
  const keys = new Map<string, KeyView>()
  const operations = [...history.operations].sort((a, b) => a.began - b.began)
  for (const operation of operations) {
    if (operation.kind === 'send') takeSend(viewFor(keys, operation.key), operation)
    else if (operation.kind === 'poll' && operation.outcome === 'ok')
      takePoll(viewFor(keys, operation.key), operation)
  }
  return { history, keys, operations }
}

// What only the leader had (acks=1) may be replaced by what the next leader has: its offset is no promise.
function takeSend(view: KeyView, send: Send): void {
  view.sends.push(send)
  view.sendOf.set(send.value, send)
  if (send.offset !== null && send.outcome !== 'fail' && send.acks === -1)
    place(view, send.offset, send.value)
}

function takePoll(view: KeyView, poll: Poll): void {
  view.polls.push(poll)
  for (const [offset, value] of poll.records) {
    place(view, offset, value)
    view.readValues.add(value)
  }
  if (!poll.isFinal) return
  view.final ??= { start: 0, highWatermark: 0, values: new Set(), offsets: new Set() }
  view.final.start = Math.max(view.final.start, poll.logStart)
  view.final.highWatermark = Math.max(view.final.highWatermark, poll.highWatermark)
  for (const [offset, value] of poll.records) {
    view.final.values.add(value)
    view.final.offsets.add(offset)
  }
}

function viewFor(keys: Map<string, KeyView>, key: string): KeyView {
  let view = keys.get(key)
  if (view === undefined) {
    view = {
      key,
      sends: [],
      polls: [],
      sendOf: new Map(),
      valuesAt: new Map(),
      offsetsOf: new Map(),
      readValues: new Set(),
      final: null,
    }
    keys.set(key, view)
  }
  return view
}

function place(view: KeyView, offset: number, value: string): void {
  add(view.valuesAt, offset, value)
  add(view.offsetsOf, value, offset)
}

function add<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}
