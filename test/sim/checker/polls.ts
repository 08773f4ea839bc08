/**
 * poll-skip, nonmonotonic-poll: what one process polls of one key goes on where its last poll ended. int-: the same inside one
 * poll. Distance is counted in records known to exist, so that holes of transactions will not matter.
 */
import type { Anomaly, Poll } from './history.ts'
import { anomaly, type KeyView, type View } from './structures.ts'

export function* pollOrder({ operations, keys }: View): Generator<Anomaly> {
  const ranks = new Map<string, Ranks>()
  for (const view of keys.values()) ranks.set(view.key, new Ranks(view))
  /** Last offset by process and key. */
  const cursors = new Map<string, number>()
  for (const operation of operations) {
    if (operation.kind !== 'poll' && operation.kind !== 'seek') continue
    const cursor = `${operation.process} ${operation.key}`
    if (operation.kind === 'seek') cursors.delete(cursor)
    const known = ranks.get(operation.key)
    if (operation.kind !== 'poll' || operation.outcome !== 'ok' || known === undefined) continue
    yield* within(operation, known)
    const [first] = operation.records
    const last = operation.records.at(-1)
    if (first === undefined || last === undefined) continue
    const before = cursors.get(cursor)
    if (before !== undefined) yield* between(operation, before, first[0], known)
    cursors.set(cursor, last[0])
  }
}

function* between(poll: Poll, before: number, first: number, known: Ranks): Generator<Anomaly> {
  const { key, process } = poll
  if (first <= before) yield anomaly('nonmonotonic-poll', key, `${process} read ${first} after ${before}`)
  else if (known.between(Math.max(before, startOf(poll, known) - 1), first) > 0)
    yield anomaly('poll-skip', key, `${process} read ${first} after ${before}`)
}

function* within({ key, records, process }: Poll, known: Ranks): Generator<Anomaly> {
  for (let i = 1; i < records.length; i++) {
    const before = records[i - 1]?.[0] ?? 0
    const next = records[i]?.[0] ?? 0
    if (next <= before)
      yield anomaly('int-nonmonotonic-poll', key, `${process} read ${next} after ${before} in one poll`)
    else if (known.between(before, next) > 0)
      yield anomaly('int-poll-skip', key, `${process} read ${next} after ${before} in one poll`)
  }
}

/** Where the log may have begun for this poll. */
function startOf({ logStart }: Poll, known: Ranks): number {
  return logStart < 0 ? known.lastStart : logStart
}

/** Offsets at which somebody has read a record, in order. */
class Ranks {
  readonly #offsets: number[]
  readonly #rankOf = new Map<number, number>()

  /** The highest log start that anybody was told. */
  readonly lastStart: number

  constructor({ polls }: KeyView) {
    this.lastStart = polls.reduce((start, { logStart }) => Math.max(start, logStart), 0)
    const offsets = new Set<number>()
    for (const { records } of polls) for (const [offset] of records) offsets.add(offset)
    this.#offsets = [...offsets].sort((a, b) => a - b)
    for (const [rank, offset] of this.#offsets.entries()) this.#rankOf.set(offset, rank)
  }

  /** How many lie strictly between the two; `to` is one of them. */
  between(from: number, to: number): number {
    const rank = this.#rankOf.get(to) ?? 0
    let low = 0
    let high = rank
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#offsets[middle] ?? 0) <= from) low = middle + 1
      else high = middle
    }
    return rank - low
  }
}
