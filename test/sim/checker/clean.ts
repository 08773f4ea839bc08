/**
 * Histories that are clean by construction: one log with a high watermark, producers and readers that overlap, answers that get
 * lost; and what turns each of them into a history that is not clean.
 */
import type { SeededRandom } from '../../../src/embedded/seeded-random.ts'
import type { Commit, History, Operation, Outcome, Poll, Send } from './history.ts'

const key = 'k'

export function cleanHistory(random: SeededRandom): History {
  const operations: Operation[] = []
  const log: string[] = []
  const readers = [0, 0, 0]
  let committed = -1
  let clock = 0
  const steps = 30 + random.below(60)
  for (let i = 0; i < steps; i++) {
    const began = ++clock
    const outcome: Outcome = random.chance(0.8) ? 'ok' : 'info'
    switch (random.below(5)) {
      case 0:
      case 1: {
        const isStored = outcome === 'ok' || random.chance(0.5)
        const value = `v${i}`
        if (isStored) log.push(value)
        operations.push({
          ...timed(`p${random.below(3)}`, began, ++clock, outcome),
          kind: 'send',
          value,
          offset: outcome === 'ok' ? log.length - 1 : null,
          acks: -1,
          isOrdered: true,
          beganMs: began,
        })
        break
      }
      case 2: {
        const reader = random.below(readers.length)
        const from = readers[reader] ?? 0
        const records = recordsOf(log, from, Math.min(log.length, from + 1 + random.below(8)))
        readers[reader] = from + records.length
        operations.push(poll(`c${reader}`, began, ++clock, records, log.length, false))
        break
      }
      case 3:
        operations.push({
          ...timed('l', began, ++clock, 'ok'),
          kind: 'bound',
          which: 'latest',
          offset: log.length,
          endedMs: clock,
        })
        break
      default: {
        committed = Math.max(committed, readers[0] ?? 0)
        const group = { group: 'g', offset: committed }
        operations.push({ ...timed('c0', began, ++clock, 'ok'), kind: 'commit', ...group })
        operations.push({ ...timed('c0', ++clock, ++clock, 'ok'), kind: 'committed', ...group })
      }
    }
  }
  operations.push(poll('final', ++clock, ++clock, recordsOf(log, 0, log.length), log.length, true))
  return { operations, disruptions: [], policies: new Map(), unsynced: new Set(), copies: [] }
}

function timed(process: string, began: number, ended: number, outcome: Outcome) {
  return { process, key, began, ended: outcome === 'info' ? Infinity : ended, outcome }
}

function recordsOf(log: readonly string[], from: number, to: number): [number, string][] {
  return log.slice(from, to).map((value, i) => [from + i, value])
}

function poll(
  process: string,
  began: number,
  ended: number,
  records: [number, string][],
  highWatermark: number,
  isFinal: boolean,
): Poll {
  return {
    ...timed(process, began, ended, 'ok'),
    kind: 'poll',
    records,
    highWatermark,
    logStart: 0,
    endedMs: ended,
    isFinal,
  }
}

/** What a faulty log would have shown; null where this history has no place for it. Each must be caught. */
export const mutations: {
  readonly [name: string]: (history: History, random: SeededRandom) => History | null
} = {
  'drop an acknowledged record in the end': (history, random) => {
    const send = pick(history.operations.filter(isAcknowledged), random)
    if (send === undefined) return null
    return mapFinal(history, (records) => records.filter(([, value]) => value !== send.value))
  },
  'lose the tail, watermark and all': (history) => {
    const last = history.operations.filter(isAcknowledged).at(-1)
    if (last?.offset == null) return null
    const end = last.offset
    return mapPolls(history, (one) =>
      one.isFinal
        ? { ...one, records: one.records.filter(([offset]) => offset < end), highWatermark: end }
        : one,
    )
  },
  'store a record twice': (history, random) => {
    const send = pick(history.operations.filter(isAcknowledged), random)
    if (send === undefined) return null
    return mapPolls(history, (one) => {
      const { records, highWatermark } = one
      if (!one.isFinal) return one
      return { ...one, records: [...records, [highWatermark, send.value]], highWatermark: highWatermark + 1 }
    })
  },
  'swap two values in the end': (history, random) => {
    const final = history.operations.find((one): one is Poll => one.kind === 'poll' && one.isFinal)
    const acknowledged = history.operations.filter(isAcknowledged)
    const send = pick(acknowledged, random)
    if (final === undefined || send === undefined) return null
    const other = final.records.find(([, value]) => value !== send.value)
    if (other === undefined) return null
    return mapFinal(history, (records) =>
      records.map(([offset, value]) => [
        offset,
        value === send.value ? other[1] : value === other[1] ? send.value : value,
      ]),
    )
  },
  'shift what is read by one': (history) => {
    if (!history.operations.some(isAcknowledged)) return null
    return mapPolls(history, (one) =>
      one.isFinal
        ? {
            ...one,
            records: one.records.map(([offset, value]) => [offset + 1, value]),
            highWatermark: one.highWatermark + 1,
          }
        : one,
    )
  },
  'answer a poll above its watermark': (history, random) => {
    const one = pick(
      history.operations.filter(
        (operation): operation is Poll => operation.kind === 'poll' && operation.records.length > 0,
      ),
      random,
    )
    if (one === undefined) return null
    const last = one.records.at(-1)?.[0] ?? 0
    return replace(history, one, { ...one, highWatermark: last })
  },
  'move a poll back': (history, random) => {
    const polls = history.operations.filter(
      (one): one is Poll => one.kind === 'poll' && one.records.length > 0 && !one.isFinal,
    )
    const one = pick(polls, random)
    if (one === undefined) return null
    const again = { ...one, began: one.ended + 0.2, ended: one.ended + 0.4 }
    return { ...history, operations: [...history.operations, again] }
  },
  'let the end fall behind': (history) => {
    const last = history.operations.filter(isAcknowledged).at(-1)
    if (last?.offset == null) return null
    const { ended, offset } = last
    const bound = {
      ...timed('x', ended + 0.2, ended + 0.4, 'ok'),
      kind: 'bound' as const,
      which: 'latest' as const,
      offset,
      endedMs: 0,
    }
    return { ...history, operations: [...history.operations, bound] }
  },
  'forget a commit': (history, random) => {
    const commits = history.operations.filter((one): one is Commit => one.kind === 'commit')
    const commit = pick(commits, random)
    if (commit === undefined) return null
    const fetch = {
      ...timed('x', commit.ended + 0.2, commit.ended + 0.4, 'ok'),
      kind: 'committed' as const,
      group: 'g',
      offset: -1,
    }
    return { ...history, operations: [...history.operations, fetch] }
  },
  'raise the start for nothing': (history) =>
    mapPolls(history, (one) =>
      one.isFinal && one.highWatermark > 0 ? { ...one, logStart: 1, records: one.records.slice(1) } : one,
    ).operations.some((one) => one.kind === 'poll' && one.logStart === 1)
      ? mapPolls(history, (one) =>
          one.isFinal ? { ...one, logStart: 1, records: one.records.slice(1) } : one,
        )
      : null,
}

function isAcknowledged(one: Operation): one is Send {
  return one.kind === 'send' && one.outcome === 'ok'
}

function pick<T>(items: readonly T[], random: SeededRandom): T | undefined {
  return items[random.below(Math.max(1, items.length))]
}

function replace(history: History, from: Operation, to: Operation): History {
  return { ...history, operations: history.operations.map((one) => (one === from ? to : one)) }
}

function mapPolls(history: History, change: (poll: Poll) => Poll): History {
  return {
    ...history,
    operations: history.operations.map((one) => (one.kind === 'poll' ? change(one) : one)),
  }
}

function mapFinal(history: History, change: (records: Poll['records']) => Poll['records']): History {
  return mapPolls(history, (one) => (one.isFinal ? { ...one, records: change(one.records) } : one))
}
