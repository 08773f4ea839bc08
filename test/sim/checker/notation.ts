/**
 * Histories as text, for tests that are read: one operation a line, one after the other unless `[began,ended]` says when.
 *
 *     p1 send a @0                 acknowledged at 0, acks=all, ordered
 *     p1 send b info               also: fail, acks=1, acks=0, loose (no promise of order)
 *     [5,9] c1 poll 0:a 1:b hw=2   start=, from there `final`
 *     c1 seek
 *     c1 latest 2                  c1 earliest 0
 *     c1 trim 3
 *     g1 commit 5, g1 committed 5  by the group of this name
 *     power                        a loss of power
 *     policy ms=10 bytes=100 record=10 jumped=0
 *     unsynced
 *     copy n1 0:a 1:b hw=2 start=0
 *
 * All of it is about one key, k, unless a line says `key=x`. The clock shows `began` * 100 ms at the beginning, and so for ends.
 */
import type { AnomalyKind, Copy, History, Operation, Outcome, Policy } from './history.ts'

const unlimitedPolicy = { retentionMs: -1, retentionBytes: -1, recordBytesMax: 1, jumpedMs: 0 }
/** Of one line: what stands free, and what has a name. */
class Words {
  readonly free: string[] = []
  readonly #named = new Map<string, string>()

  constructor(text: string) {
    for (const word of text.split(/\s+/).filter(Boolean)) {
      const at = word.indexOf('=')
      if (at > 0) this.#named.set(word.slice(0, at), word.slice(at + 1))
      else this.free.push(word)
    }
  }

  number(name: string, otherwise: number): number {
    const text = this.#named.get(name)
    return text === undefined ? otherwise : Number(text)
  }

  get key(): string {
    return this.#named.get('key') ?? 'k'
  }

  has(word: string): boolean {
    return this.free.includes(word)
  }

  get outcome(): Outcome {
    return this.has('fail') ? 'fail' : this.has('info') ? 'info' : 'ok'
  }

  get records(): [number, string][] {
    return this.free
      .filter((word) => /^\d+:/.test(word))
      .map((word) => {
        const [offset = '', value = ''] = word.split(':')
        return [Number(offset), value]
      })
  }

  get offset(): number | null {
    const word = this.free.find((one) => one.startsWith('@'))
    return word === undefined ? null : Number(word.slice(1))
  }
}

export function historyOf(text: string): History {
  const operations: Operation[] = []
  const disruptions: number[] = []
  const policies = new Map<string, Policy>()
  const unsynced = new Set<string>()
  const copies: Copy[] = []
  let clock = 0
  for (const line of text
    .split('\n')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const at = /^\[(\d+),(\d+|never)\]\s*/.exec(line)
    const words = new Words(at === null ? line : line.slice(at[0].length))
    const { key } = words
    const began = at === null ? ++clock : Number(at[1])
    const ended = at === null ? ++clock : at[2] === 'never' ? Infinity : Number(at[2])
    const [process = '', verb = '', argument = ''] = words.free
    if (process === 'power') disruptions.push(began)
    else if (process === 'unsynced') unsynced.add(key)
    else if (process === 'policy') policies.set(key, policyOf(words))
    else if (process === 'copy') {
      const [start, highWatermark] = [words.number('start', 0), words.number('hw', 0)]
      copies.push({ key, node: verb, start, highWatermark, records: new Map(words.records) })
    } else {
      const timed = { process, key, began, ended, outcome: words.outcome }
      operations.push(operationOf(verb, argument, words, timed))
    }
  }
  return { operations, disruptions, policies, unsynced, copies }
}

function policyOf(words: Words): Policy {
  return {
    retentionMs: words.number('ms', unlimitedPolicy.retentionMs),
    retentionBytes: words.number('bytes', unlimitedPolicy.retentionBytes),
    recordBytesMax: words.number('record', unlimitedPolicy.recordBytesMax),
    jumpedMs: words.number('jumped', unlimitedPolicy.jumpedMs),
  }
}

function operationOf(
  verb: string,
  argument: string,
  words: Words,
  timed: { process: string; key: string; began: number; ended: number; outcome: Outcome },
): Operation {
  const endedMs = timed.ended * 100
  switch (verb) {
    case 'send': {
      const acks = words.number('acks', -1) as -1 | 0 | 1
      const send = { value: argument, offset: words.offset, acks, isOrdered: !words.has('loose') }
      return { kind: 'send', ...timed, ...send, beganMs: timed.began * 100 }
    }
    case 'poll': {
      const { records } = words
      const highWatermark = words.number('hw', (records.at(-1)?.[0] ?? -1) + 1)
      const logStart = words.number('start', 0)
      return {
        kind: 'poll',
        ...timed,
        records,
        highWatermark,
        logStart,
        endedMs,
        isFinal: words.has('final'),
      }
    }
    case 'latest':
    case 'earliest':
      return { kind: 'bound', ...timed, which: verb, offset: Number(argument), endedMs }
    case 'seek':
      return { kind: 'seek', ...timed }
    case 'trim':
      return { kind: 'trim', ...timed, offset: Number(argument) }
    case 'commit':
    case 'committed':
      return { kind: verb, ...timed, group: timed.process, offset: Number(argument) }
    default:
      throw new Error(`there is no operation '${verb}'`)
  }
}

/** One hand-made history and what is wrong with it. */
export interface Example {
  readonly name: string
  readonly text: string
  readonly expected: readonly AnomalyKind[]
}
