/**
 * phantom-read: a value that nobody had sent by then. aborted-read (G1a): one whose send definitely failed. read-above-hw: a
 * record at or above the high watermark of the same answer.
 */
import type { Anomaly } from './history.ts'
import { anomaly, type View } from './structures.ts'

export function* impossibleReads({ keys }: View): Generator<Anomaly> {
  for (const { key, polls, sendOf } of keys.values()) {
    for (const poll of polls) {
      for (const [offset, value] of poll.records) {
        const send = sendOf.get(value)
        if (send === undefined || send.began > poll.ended)
          yield anomaly('phantom-read', key, `${value} at ${offset} was never sent`)
        else if (send.outcome === 'fail')
          yield anomaly('aborted-read', key, `${value} at ${offset} was refused`)
      }
    }
  }
}

export function* readsAboveHighWatermark({ keys }: View): Generator<Anomaly> {
  for (const { key, polls } of keys.values()) {
    for (const { records, highWatermark } of polls) {
      const above = records.find(([offset]) => offset >= highWatermark)
      if (above !== undefined)
        yield anomaly('read-above-hw', key, `${above[1]} at ${above[0]}, high watermark ${highWatermark}`)
    }
  }
}
