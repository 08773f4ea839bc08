/** What lies on a disk, next to what was read at the end: two copies that must be equal. */
import type { Disk } from '../../src/io/world.ts'
import { batchesOf, recordsOf, segmentFiles } from '../../src/log/dump.ts'
import { textOf } from './actors/readers.ts'
import type { Copy, Operation, Poll } from './checker/history.ts'
import { dataDir } from './machine.ts'
import { keyOf, type Place } from './stage.ts'

export async function copiesOnDisk(
  disk: Disk,
  operations: readonly Operation[],
  places: readonly Place[],
): Promise<Copy[]> {
  const folders = new Map<string, Map<number, string>>()
  for (const segment of segmentFiles(disk, `${dataDir}/partitions`)) {
    const records = folders.get(segment.folder) ?? new Map<number, string>()
    folders.set(segment.folder, records)
    for await (const { buffer, at } of batchesOf(disk, segment)) {
      for (const { offset, value } of recordsOf(buffer, at, 1 << 20)) records.set(offset, textOf(value))
    }
  }
  return places.flatMap((place) => {
    const read = readCopy(keyOf(place), operations)
    // Values are unique: the folder that holds one of them is the partition's.
    const [sample] = read?.records ?? []
    if (read === null || sample === undefined) return []
    const values = new Set(read.records.values())
    const found = [...folders.values()].find((records) =>
      [...records.values()].some((value) => values.has(value)),
    )
    // Retention may have gone on after the reading.
    const start = Math.max(read.start, Math.min(...(found?.keys() ?? [read.highWatermark])))
    return [read, { ...read, node: 'disk', start, records: found ?? new Map() }]
  })
}

function readCopy(key: string, operations: readonly Operation[]): Copy | null {
  const polls = operations.filter((one): one is Poll => one.kind === 'poll' && one.key === key && one.isFinal)
  const last = polls.at(-1)
  if (last === undefined) return null
  const records = new Map(polls.flatMap((poll) => poll.records))
  const { logStart: start, highWatermark } = last
  return { key, node: 'readers', start, highWatermark, records }
}
