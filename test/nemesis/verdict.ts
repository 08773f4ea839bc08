/** After the faults: everything is read once more, every disk is compared, and the history is judged. */

import { Faulted } from '../../src/base/errors.ts'
import { NodeDisk } from '../../src/io/node-disk.ts'
import { batchesOf, segmentFiles } from '../../src/log/dump.ts'
import { crc } from '../../src/records/batch.ts'
import { check } from '../sim/checker/check.ts'
import type { Anomaly, Copy } from '../sim/checker/history.ts'
import { readWhole } from './clients/readers.ts'
import type { Load } from './load.ts'
import { keyOf, type Place, until } from './stage.ts'

const servesWithinMs = 60_000
const inSyncWithinMs = 60_000

export interface Verdict {
  readonly anomalies: readonly Anomaly[]
  readonly violations: readonly string[]
  /** Of all partitions. */
  readonly records: number
}

/** The cluster is healed. It is stopped afterwards, to compare what lies on its disks. */
export async function judge(load: Load): Promise<Verdict> {
  const { stage } = load
  const { recording, cluster, places } = stage
  const ends: number[] = []
  try {
    await load.stop()
    for (const place of places) {
      recording.begin('final')('ok', { kind: 'seek', key: keyOf(place) })
      ends.push(await readWhole(stage, 'final', place, servesWithinMs))
    }
    await load.finish(ends)
    const topicId = await inSync(load)
    for (const node of cluster.nodes)
      if (node.hasDied) recording.violate(`broker ${node.id} died by itself:\n${node.tail()}`)
    await Promise.all(cluster.nodes.map((node) => node.stop()))
    const differing = await compareDisks(load, topicId, ends)
    const anomalies = [...check(recording.history()), ...differing]
    return { anomalies, violations: recording.violations, records: ends.reduce((sum, end) => sum + end, 0) }
  } catch (error) {
    recording.violate(`the end was not reached: ${error instanceof Error ? error.stack : String(error)}`)
    const anomalies = check(recording.history())
    return { anomalies, violations: recording.violations, records: ends.reduce((sum, end) => sum + end, 0) }
  }
}

/** Every replica has caught up. Resolves with the topic's id. */
async function inSync({ stage }: Load): Promise<string> {
  const client = stage.cluster.client('final-metadata')
  const topic = stage.places[0]?.topic ?? ''
  let topicId = ''
  let state = ''
  await until('all replicas are in sync', inSyncWithinMs, async () => {
    const { topics } = await client.metadata.fetch([topic], false)
    const found = topics.get(topic)
    topicId = found?.topicId ?? ''
    state = (found?.partitions ?? [])
      .map(({ index, leader, inSync }) => `${index}: ${leader} of ${inSync}`)
      .join('; ')
    return found?.partitions.every(({ replicas, inSync }) => inSync.length === replicas.length) ?? false
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${state}`)
  })
  return topicId
}

async function compareDisks({ stage }: Load, topicId: string, ends: readonly number[]): Promise<Anomaly[]> {
  const anomalies: Anomaly[] = []
  for (const [i, place] of stage.places.entries()) {
    const copies: Copy[] = []
    for (const node of stage.cluster.nodes) {
      const folder = `${node.dataDir}/partitions/${topicId}-${place.partition}`
      copies.push(await copyOf(folder, `broker ${node.id}`, place, ends[i] ?? 0))
    }
    anomalies.push(
      ...check({ operations: [], disruptions: [], unsynced: new Set(), policies: new Map(), copies }),
    )
  }
  return anomalies
}

async function copyOf(folder: string, node: string, place: Place, highWatermark: number): Promise<Copy> {
  const disk = new NodeDisk()
  const records = new Map<number, string>()
  try {
    for (const segment of segmentFiles(disk, folder)) {
      for await (const found of batchesOf(disk, segment)) {
        const { baseOffset, lastOffset, leaderEpoch } = found.summary
        // The checksum covers all but the place and the epoch.
        const identity = `${crc(found.buffer, found.at)} of epoch ${leaderEpoch} at ${baseOffset}`
        for (let offset = baseOffset; offset <= lastOffset; offset++) records.set(offset, identity)
      }
    }
  } catch (error) {
    if (!(error instanceof Faulted)) throw error
    // What could not be read is missing from the copy, and that is what is reported.
  }
  return { key: keyOf(place), node, start: 0, highWatermark, records }
}
