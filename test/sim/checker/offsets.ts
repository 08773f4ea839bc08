/** inconsistent-offsets: two values at one offset. duplicate: one value at two offsets. */
import type { Anomaly } from './history.ts'
import { anomaly, firmKeys, type View } from './structures.ts'

export function* inconsistentOffsets(view: View): Generator<Anomaly> {
  for (const { key, valuesAt } of firmKeys(view)) {
    for (const [offset, values] of valuesAt) {
      if (values.size > 1)
        yield anomaly('inconsistent-offsets', key, `offset ${offset} held ${[...values].join(' and ')}`)
    }
  }
}

/** Only where the producer promises it: a retry without idempotence may store a record twice. */
export function* duplicates(view: View): Generator<Anomaly> {
  for (const { key, offsetsOf, sendOf } of firmKeys(view)) {
    for (const [value, offsets] of offsetsOf) {
      if (offsets.size < 2 || sendOf.get(value)?.isOrdered === false) continue
      yield anomaly('duplicate', key, `${value} lies at ${[...offsets].join(' and ')}`)
    }
  }
}
