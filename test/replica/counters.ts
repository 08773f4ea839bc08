/** A small machine with everything a machine can have: counters, callers who wait, and a deadline. */
import type { Decision, Machine, Token } from '../../src/machines/machine.ts'

export interface Counters {
  readonly totals: Map<string, number>
  /** Volatile: who waits until a counter is so high, and when the counters are cleared. */
  readonly waiting: Map<Token, { name: string; atLeast: number }>
  clearAtMs: number
}

export type Command =
  | { type: 'add'; name: string; by: number }
  | { type: 'read'; name: string }
  | { type: 'waitFor'; name: string; atLeast: number }
  | { type: 'clearIn'; ms: number }
  | { type: 'clear' }
  | { type: 'refuse' }
  | { type: 'break' }

export type Change = { type: 'set'; name: string; total: number } | { type: 'broken' }
type Volatile =
  | { type: 'wait'; token: Token; name: string; atLeast: number }
  | { type: 'clearAt'; ms: number }

export type Replies = {
  add: number
  read: number
  waitFor: number
  clearIn: null
  refuse: null
  break: null
}

type CountersDecision = Decision<Change, Volatile, Replies>

const nothing: CountersDecision = { changes: [], volatile: [], replies: [] }

export const counters: Machine<Counters, Command, Change, Volatile, Replies> = {
  name: 'counters',
  empty: () => ({ totals: new Map(), waiting: new Map(), clearAtMs: Infinity }),

  decide(state, command, now, token): CountersDecision {
    switch (command.type) {
      case 'add': {
        const total = (state.totals.get(command.name) ?? 0) + command.by
        const woken = [...state.waiting].filter(
          ([, { name, atLeast }]) => name === command.name && atLeast <= total,
        )
        return {
          ...nothing,
          changes: [{ type: 'set', name: command.name, total }],
          replies: [token, ...woken.map(([to]) => to)].map((to) => ({ to, reply: total })),
        }
      }
      case 'read':
        return { ...nothing, replies: [{ to: token, reply: state.totals.get(command.name) ?? 0 }] }
      case 'waitFor':
        return { ...nothing, volatile: [{ ...command, type: 'wait', token }] }
      case 'clearIn':
        return {
          ...nothing,
          volatile: [{ type: 'clearAt', ms: now.monotonicMs + command.ms }],
          replies: [{ to: token, reply: null }],
        }
      case 'clear': {
        const changes = [...state.totals.keys()].map((name) => ({ type: 'set', name, total: 0 }) as const)
        return { ...nothing, changes, volatile: [{ type: 'clearAt', ms: Infinity }] }
      }
      case 'refuse':
        return {
          ...nothing,
          replies: [{ to: token, refused: 'INVALID_REQUEST', detail: 'as it was asked to' }],
        }
      case 'break':
        return { ...nothing, changes: [{ type: 'broken' }] }
    }
  },
  apply(state, change) {
    if (change.type === 'broken') throw new Error('a bug of the machine')
    state.totals.set(change.name, change.total)
  },
  touch(state, change) {
    if (change.type === 'wait') state.waiting.set(change.token, change)
    else state.clearAtMs = change.ms
  },
  deadline: (state) => state.clearAtMs,
  onDeadline: () => ({ type: 'clear' }),
  onLead: () => {},
  onResign(state) {
    const tokens = [...state.waiting.keys()]
    state.waiting.clear()
    state.clearAtMs = Infinity
    return tokens
  },
  changes: {
    encode: (change) => ({ key: Buffer.from(change.type), value: Buffer.from(JSON.stringify(change)) }),
    decode: (_key, value) => JSON.parse(value.toString()) as Change,
  },
  image: {
    encode: (state) => Buffer.from(JSON.stringify([...state.totals])),
    decode: (image) => ({
      totals: new Map(JSON.parse(image.toString()) as [string, number][]),
      waiting: new Map(),
      clearAtMs: Infinity,
    }),
  },
}
