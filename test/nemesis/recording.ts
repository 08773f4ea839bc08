/**
 * What clients saw of real processes, as a history for the checker. Times are of the machine's monotonic clock, ns, which every
 * process here reads alike; they are strictly growing within this one.
 */
import type { History, Operation, Outcome } from '../sim/checker/history.ts'

type Finished<O> = O extends Operation ? Omit<O, 'began' | 'ended' | 'outcome' | 'process'> : never

/** An error that reached an application. */
export interface Surfaced {
  readonly process: string
  readonly error: string
  readonly atNs: number
}

export class Recording {
  readonly operations: Operation[] = []
  /** What may cost a record that only its leader had. */
  readonly disruptions: number[] = []
  /** What must not happen, and is no matter of histories. */
  readonly violations: string[] = []
  readonly surfaced: Surfaced[] = []
  /** Called for every acks=all record, when it is acknowledged. */
  readonly onAcked: ((key: string, beganNs: number, endedNs: number) => void)[] = []
  readonly counts = { sent: 0, acked: 0, read: 0 }
  #lastNs = 0

  /** Of two calls the later one gets more: the checker takes equal times for simultaneous. */
  now(): number {
    this.#lastNs = Math.max(this.#lastNs + 1, Number(process.hrtime.bigint()))
    return this.#lastNs
  }

  begin(process: string): (outcome: Outcome, operation: Finished<Operation>) => void {
    const began = this.now()
    return (outcome, operation) => this.add(process, began, this.now(), outcome, operation)
  }

  /** An operation of another process, by its own word. */
  add(
    process: string,
    began: number,
    endedNs: number,
    outcome: Outcome,
    operation: Finished<Operation>,
  ): void {
    const ended = outcome === 'info' ? Infinity : endedNs
    this.operations.push({ ...operation, process, began, ended, outcome } as Operation)
    if (operation.kind === 'poll') this.counts.read += operation.records.length
    if (operation.kind !== 'send') return
    this.counts.sent++
    if (outcome !== 'ok' || operation.acks !== -1) return
    this.counts.acked++
    for (const listener of this.onAcked) listener(operation.key, began, ended)
  }

  /** Told to an application that retries as its library does by default. */
  surface(process: string, error: string): void {
    this.surfaced.push({ process, error, atNs: this.now() })
  }

  violate(what: string): void {
    if (!this.violations.includes(what)) this.violations.push(what)
  }

  disrupt(): void {
    this.disruptions.push(this.now())
  }

  history(): History {
    const { operations, disruptions } = this
    return { operations, disruptions, unsynced: new Set(), policies: new Map(), copies: [] }
  }
}
