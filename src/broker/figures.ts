/** What can be measured of a running broker, for whoever shows it: plain numbers, sizes in bytes, times in ms. */
import type { Delay, LoopWindow } from '../io/loop-delay.ts'
import type { BrokerEvent } from './broker.ts'

export interface Figures {
  /** Clients that are connected. */
  readonly connections: number
  /** Requests that were received, as a whole or in part, and are not answered. */
  readonly requestBytes: number
  /** Answers that are being made, or wait for slow readers. */
  readonly outboundBytes: number
  /** Fetches that wait for records. */
  readonly fetchesParked: number
  /** What was appended last, and is read from memory. */
  readonly tailBytes: number
  /** What was read ahead of consumers further back. */
  readonly aheadBytes: number
  /** How late the event loop was, in the last window and since the start; null where time is not the machine's. */
  readonly loop: { readonly recent: Delay; readonly sinceStart: Delay } | null
}

/** null: it was not worth a line. `warnMs` 0: it never is. */
export function stallEvent({ maxMs, p99Ms, ownMaxMs, cpu }: LoopWindow, warnMs: number): BrokerEvent | null {
  if (warnMs === 0 || maxMs <= warnMs) return null
  const usedMs = Math.round(cpu.usedMs)
  const waitedMs = Math.round(cpu.waitedMs)
  let why = `without CPU to wait for, or to use (${usedMs} ms): a disk that took no write, or it was paused`
  if (cpu.waitedMs > maxMs / 2) why = `${waitedMs} ms of it without a CPU, which others on this machine had`
  else if (cpu.usedMs > maxMs / 2)
    why = `${usedMs} ms of it at work: a garbage collection, or too much in one piece`
  const message = `the event loop stood still, and nothing was answered, for ${Math.round(maxMs)} ms; ${why}`
  return { level: 'warn', event: 'loop.stalled', message, maxMs, p99Ms, ownMaxMs, usedMs, waitedMs }
}
