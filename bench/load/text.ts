/** Records that compress as text does: events as JSON, no two alike. */
import type { Codec } from '../../src/records/codecs.ts'
import { BatchBuilder } from '../../src/records/records.ts'
import type { Payload } from './topic.ts'

const paths = ['/orders', '/orders/items', '/customers', '/search', '/basket', '/login', '/health']
const agents = ['Mozilla/5.0 (X11; Linux x86_64)', 'curl/8.5.0', 'okhttp/4.12.0', 'Mozilla/5.0 (iPhone)']

function eventOf(n: number): Buffer {
  // A generator of pseudo-random numbers (Knuth's multiplier), so that every run sends the same.
  const chance = (n * 2_654_435_761) >>> 0
  return Buffer.from(
    JSON.stringify({
      id: `${chance.toString(16).padStart(8, '0')}-${n}`,
      at: new Date(1.7e12 + n * 37 + (chance % 31)).toISOString(),
      customer: `c-${chance % 100_000}`,
      path: paths[chance % paths.length],
      agent: agents[(chance >>> 8) % agents.length],
      status: chance % 50 === 0 ? 500 : 200,
      tookMs: (chance >>> 4) % 900,
      bytes: (chance >>> 6) % 65_536,
    }),
  )
}

export interface Compressed extends Payload {
  /** Of the records before they were compressed. */
  readonly plainBytes: number
}

/** A batch of about `batchBytes` on the wire, whatever the codec makes of its records. */
export function textPayload(codec: Codec, batchBytes: number): Compressed {
  let records = 200
  for (let attempt = 0; ; attempt++) {
    const built = build(codec, records)
    const missed = batchBytes / built.batch.length
    if (attempt === 8 || Math.abs(missed - 1) < 0.01) return built
    records = Math.max(1, Math.round(records * missed))
  }
}

function build(codec: Codec, count: number): Compressed {
  const builder = new BatchBuilder({ codec })
  const timestamp = Date.now()
  for (let n = 0; n < count; n++) builder.append({ key: null, value: eventOf(n), headers: [], timestamp })
  return { batch: builder.build(), records: count, plainBytes: builder.sizeBytes }
}
