/** What lies on the disks in the end: the same bytes on all replicas of a partition, and the same records as were read. */
import { crc32c } from '../../src/base/crc32c.ts'
import { clusterPartition, clusterTopicId } from '../../src/broker/internal-topics.ts'
import type { Disk } from '../../src/io/world.ts'
import { batchesOf, recordsOf, segmentFiles } from '../../src/log/dump.ts'
import type { Placement } from './actors/probes.ts'
import { textOf } from './actors/readers.ts'
import type { Copy, Operation, Poll } from './checker/history.ts'
import type { Machine } from './machine.ts'
import { keyOf, type Place } from './stage.ts'

/** By base offset: what tells one batch from another. */
type Batches = Map<number, string>

/** Where replicas of a partition hold different batches, or one of them none. */
export async function compareDisks(
  machines: readonly Machine[],
  placed: readonly Placement[],
  startOf: (folder: string, nodeId: number) => number,
): Promise<string[]> {
  const disks = new Map<number, Map<string, Batches>>()
  for (const { nodeId, mount, dataDir } of machines)
    disks.set(nodeId, await batchesOn(mount, `${dataDir}/partitions`))
  const all = [...disks.keys()]
  const partitions = placed.map(({ topic, topicId, partition, replicas }) => {
    return { name: `${topic}-${partition}`, folder: `${topicId}-${partition}`, replicas }
  })
  partitions.push({
    name: "the cluster's log",
    folder: `${clusterTopicId}-${clusterPartition}`,
    replicas: all,
  })
  return partitions.flatMap(({ name, folder, replicas }) => {
    const copies = replicas.map((nodeId) => [nodeId, disks.get(nodeId)?.get(folder) ?? new Map()] as const)
    // What retention has taken already on one of them is not looked for on the others.
    return differences(name, copies, Math.max(...replicas.map((nodeId) => startOf(folder, nodeId))))
  })
}

function differences(name: string, copies: readonly (readonly [number, Batches])[], from: number): string[] {
  const [first, ...others] = copies
  if (first === undefined) return []
  for (const [nodeId, batches] of others) {
    const offsets = new Set([...first[1].keys(), ...batches.keys()])
    for (const offset of [...offsets].sort((a, b) => a - b)) {
      const [one, other] = [first[1].get(offset), batches.get(offset)]
      if (offset < from || one === other) continue
      return [
        `${name} at ${offset}: n${first[0]} holds ${one ?? 'nothing'}, n${nodeId} ${other ?? 'nothing'}`,
      ]
    }
  }
  return []
}

async function batchesOn(disk: Disk, path: string): Promise<Map<string, Batches>> {
  const folders = new Map<string, Batches>()
  for (const segment of segmentFiles(disk, path)) {
    const name = segment.folder.slice(segment.folder.lastIndexOf('/') + 1)
    const batches = folders.get(name) ?? new Map<number, string>()
    folders.set(name, batches)
    for await (const { summary, buffer, at } of batchesOf(disk, segment)) {
      const { baseOffset, bytes, leaderEpoch } = summary
      const sum = crc32c(buffer.subarray(at, at + bytes))
      batches.set(baseOffset, `a batch of epoch ${leaderEpoch}, ${bytes} bytes, sum ${sum}`)
    }
  }
  return folders
}

/** Each partition as it was read at the end, and as its first replica has it. */
export async function readCopies(
  machines: readonly Machine[],
  placed: readonly Placement[],
  operations: readonly Operation[],
  places: readonly Place[],
): Promise<Copy[]> {
  const copies: Copy[] = []
  for (const place of places) {
    const read = readCopy(keyOf(place), operations)
    const found = placed.find(
      ({ topic, partition }) => topic === place.topic && partition === place.partition,
    )
    const machine = machines.find(({ nodeId }) => nodeId === found?.replicas[0])
    if (read === null || found === undefined || machine === undefined) continue
    const folder = `${machine.dataDir}/partitions/${found.topicId}-${found.partition}`
    const records = await recordsIn(machine.mount, folder)
    // Retention may have gone on after the reading.
    const start = Math.max(read.start, Math.min(...records.keys(), read.highWatermark))
    copies.push(read, { ...read, node: machine.host, start, records })
  }
  return copies
}

async function recordsIn(disk: Disk, folder: string): Promise<Map<number, string>> {
  const records = new Map<number, string>()
  if (disk.stat(folder) === null) return records
  for (const segment of segmentFiles(disk, folder)) {
    for await (const { buffer, at } of batchesOf(disk, segment)) {
      for (const { offset, value } of recordsOf(buffer, at, 1 << 20)) records.set(offset, textOf(value))
    }
  }
  return records
}

function readCopy(key: string, operations: readonly Operation[]): Copy | null {
  const polls = operations.filter((one): one is Poll => one.kind === 'poll' && one.key === key && one.isFinal)
  const last = polls.at(-1)
  if (last === undefined) return null
  const records = new Map(polls.flatMap((poll) => poll.records))
  const { logStart: start, highWatermark } = last
  return { key, node: 'readers', start, highWatermark, records }
}
