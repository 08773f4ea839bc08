/** Batches and their codecs, at 64 KiB. */
import { crc32c } from '../../src/base/crc32c.ts'
import { codecs, compress, expand } from '../../src/records/codecs.ts'
import { BatchBuilder, forEachRecord } from '../../src/records/records.ts'
import { validateProduced } from '../../src/records/validate.ts'
import { payload } from '../load/topic.ts'
import type { Micro } from './measure.ts'

const bytes = 65_536

export function recordMicros(): Micro[] {
  const large = Buffer.alloc(bytes, 'lograft')
  const { batch, records } = payload(100, bytes)
  const value = Buffer.alloc(100, 'x')
  const rules = {
    maxBatchBytes: 1 << 20,
    version: 9,
    timestampType: 'CreateTime',
    timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
    timestampAfterMaxMs: Number.POSITIVE_INFINITY,
    nowMs: Date.now(),
  } as const
  return [
    { what: 'crc32c of 100 B', pieces: 100, run: () => times(100, () => crc32c(value)) },
    { what: 'crc32c of 64 KiB', run: () => crc32c(large) },
    { what: 'batch of 64 KiB validated', run: () => validateProduced(batch, rules) },
    {
      what: 'record of 100 B put into a batch',
      pieces: records,
      run: () => {
        const builder = new BatchBuilder({ codec: 'none' }, bytes)
        times(records, () => builder.append({ key: null, value, headers: [], timestamp: 1 }))
        return builder.build()
      },
    },
    {
      what: 'record of 100 B read from a batch',
      pieces: records,
      run: () => forEachRecord(batch, 0, { maxExpandedBytes: 1 << 20 }, () => undefined),
    },
    ...codecMicros(),
  ]
}

/** Text as applications send it: most of each record is like the one before. */
function codecMicros(): Micro[] {
  const lines = Array.from(
    { length: 600 },
    (_, i) =>
      `{"id":${i * 7919},"user":"user-${(i * 31) % 97}","amount":${(i * 13) % 1009}.50,"currency":"EUR","ok":true}\n`,
  )
  const text = Buffer.from(lines.join('')).subarray(0, bytes)
  return codecs
    .filter((codec) => codec !== 'none')
    .flatMap((codec) => {
      const packed = compress(codec, text)
      return [
        { what: `${codec}, 64 KiB compressed`, run: () => compress(codec, text) },
        { what: `${codec}, 64 KiB expanded`, run: () => expand(codec, packed, 1 << 20) },
      ]
    })
}

function times(count: number, work: () => unknown): void {
  for (let i = 0; i < count; i++) work()
}
