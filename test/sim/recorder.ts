/** What happened: the history for the checker, and one hash over everything, by which two runs of a seed are compared. */
import { createHash } from 'node:crypto'
import type { Clock } from '../../src/io/world.ts'
import type { Copy, History, Operation, Outcome, Policy } from './checker/history.ts'

type Finished<O> = O extends Operation ? Omit<O, 'began' | 'ended' | 'outcome' | 'process'> : never

export interface Begun {
  /** The operation is over; with `info` it never is, as far as anybody knows. */
  end(outcome: Outcome, operation: Finished<Operation>): void
}

export class Recorder {
  readonly operations: Operation[] = []
  readonly disruptions: number[] = []
  readonly unsynced = new Set<string>()
  readonly policies = new Map<string, Policy>()
  readonly copies: Copy[] = []
  /** What must not happen, and is no matter of histories. */
  readonly violations: string[] = []
  /** How often each remarkable thing happened. */
  readonly marks = new Map<string, number>()
  readonly lines: string[] = []
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #keepsLines: boolean
  readonly #hash = createHash('sha256')
  #sequence = 0

  constructor(clock: Pick<Clock, 'monotonic'>, keepsLines: boolean) {
    this.#clock = clock
    this.#keepsLines = keepsLines
  }

  trace(line: string): void {
    const text = `${this.#clock.monotonic().toFixed(3)} ${line}`
    this.#hash.update(text).update('\n')
    if (this.#keepsLines) this.lines.push(text)
  }

  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1)
  }

  violate(what: string): void {
    if (this.violations.includes(what)) return
    this.violations.push(what)
    this.trace(`VIOLATION ${what}`)
  }

  disrupt(): void {
    this.disruptions.push(++this.#sequence)
  }

  begin(process: string): Begun {
    const began = ++this.#sequence
    return {
      end: (outcome, operation) => {
        const ended = ++this.#sequence
        const timed = { process, began, ended: outcome === 'info' ? Infinity : ended, outcome }
        this.operations.push({ ...operation, ...timed } as Operation)
        this.trace(`${process} ${outcome} ${describe(operation)}`)
      },
    }
  }

  history(): History {
    const { operations, disruptions, unsynced, policies, copies } = this
    return { operations, disruptions, unsynced, policies, copies }
  }
}

function describe(operation: Finished<Operation>): string {
  if (operation.kind !== 'poll') return JSON.stringify(operation)
  const { records, ...rest } = operation
  return `${JSON.stringify(rest)} ${records.map(([offset, value]) => `${offset}:${value}`).join(' ')}`
}
