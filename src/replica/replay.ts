/** The changes of a machine, read back from its log. */
import { Faulted } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import { isControl } from '../records/batch.ts'
import { forEachRecord } from '../records/records.ts'
import { batchPositions } from '../records/scan.ts'

/** One read; replay yields to others between two. */
const readBytes = 262_144
/** What a machine writes is not compressed. */
const limits = { maxExpandedBytes: 268_435_456 }

export interface Replayed<Change> {
  readonly changes: readonly { readonly offset: number; readonly change: Change }[]
  readonly nextOffset: number
  readonly bytes: number
}

/** Some changes from `offset` on, one batch at least; `offset` is below `boundOffset`. @throws Faulted */
export async function readChanges<Change>(
  log: Log,
  offset: number,
  boundOffset: number,
  decode: (key: Buffer, value: Buffer) => Change,
): Promise<Replayed<Change>> {
  const { batches, bytes, nextOffset } = await log.read(offset, {
    boundOffset,
    maxBytes: readBytes,
    minOne: true,
  })
  const changes: { offset: number; change: Change }[] = []
  for (const run of batches) {
    for (const at of batchPositions(run)) {
      if (isControl(run, at)) continue
      forEachRecord(run, at, limits, (record) => {
        if (record.offset < offset) return true
        if (record.key === null || record.value === null) {
          throw new Faulted('bytes', `read a change at ${record.offset} in ${log.folder}: no key or value`)
        }
        changes.push({ offset: record.offset, change: decode(record.key, record.value) })
        return true
      })
    }
  }
  if (nextOffset <= offset)
    throw new Faulted('bytes', `read changes at ${offset} in ${log.folder}: nothing there`)
  return { changes, nextOffset, bytes }
}
