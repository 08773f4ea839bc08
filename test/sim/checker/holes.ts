/** offset-hole: in the end, every offset from the log start to the high watermark holds a record. */
import type { Anomaly } from './history.ts'
import { anomaly, type View } from './structures.ts'

export function* offsetHoles({ keys }: View): Generator<Anomaly> {
  for (const { key, final } of keys.values()) {
    if (final === null) continue
    for (let offset = final.start; offset < final.highWatermark; offset++) {
      if (final.offsets.has(offset)) continue
      yield anomaly('offset-hole', key, `nothing at ${offset}, log [${final.start}, ${final.highWatermark})`)
      break // the first says it
    }
  }
}
