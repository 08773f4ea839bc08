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
  /** How late the event loop was, in the last window and since the start; null where time is not the machine's. */
  readonly loop: { readonly recent: Delay; readonly sinceStart: Delay } | null
}

/** null: it was not worth a line. `warnMs` 0: it never is. */
export function stallEvent(window: LoopWindow, warnMs: number): BrokerEvent | null {
  const { maxMs, p99Ms, cpuMs } = window
  if (warnMs === 0 || maxMs <= warnMs) return null
  const cause =
    cpuMs > maxMs / 2
      ? 'this broker was at work: a garbage collection, or too much in one piece'
      : 'this broker waited: for a machine without CPU to spare, for a disk that took no write, or it was paused'
  return {
    level: 'warn',
    event: 'loop.stalled',
    message: `nothing was answered for ${Math.round(maxMs)} ms (CPU used meanwhile: ${Math.round(cpuMs)} ms); ${cause}`,
    maxMs,
    p99Ms,
    cpuMs: Math.round(cpuMs),
  }
}
