/** How long a partition whose leader was lost acknowledges nothing: from the loss to the first acks=all of a record sent after it. */
import type { Recording } from './recording.ts'

export class Downtime {
  readonly #recording: Recording
  /** Partitions that wait, and since when. */
  readonly #waiting = new Map<string, number>()
  readonly samplesMs: number[] = []

  constructor(recording: Recording) {
    this.#recording = recording
    recording.onAcked.push((key, beganNs, endedNs) => {
      const since = this.#waiting.get(key)
      if (since === undefined || beganNs < since) return
      this.#waiting.delete(key)
      this.samplesMs.push((endedNs - since) / 1e6)
    })
  }

  begin(keys: readonly string[]): void {
    const now = this.#recording.now()
    for (const key of keys) this.#waiting.set(key, now)
  }

  /** Nothing waits any more. */
  get isOver(): boolean {
    return this.#waiting.size === 0
  }
}

export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

export function summary(samples: readonly number[]): string {
  if (samples.length === 0) return 'none'
  const of = (percent: number) => Math.round(percentile(samples, percent))
  return `p50 ${of(50)} ms, p99 ${of(99)} ms, max ${of(100)} ms of ${samples.length}`
}
