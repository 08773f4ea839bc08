/** One log on this machine's disk, which is not synced: append, look-up, and what a fetch reads. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeWorld } from '../../src/io/node-world.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { LogSettings } from '../../src/log/log.ts'
import { SegmentIndex } from '../../src/log/segment-index.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import * as batch from '../../src/records/batch.ts'
import { type Payload, payload } from '../load/topic.ts'
import type { Micro } from './measure.ts'

const settings: LogSettings = {
  segmentBytesMax: 1 << 30,
  segmentMs: Number.POSITIVE_INFINITY,
  indexIntervalBytes: 4096,
  indexBytesMax: 10 << 20,
  expandedBytesMax: 1 << 20,
  producerExpirationMs: 86_400_000,
  producersMax: 1000,
}
const epoch = 1
/** What is there to read; and where the log is cut back to that: what is measured is not how fast the disk fills. */
const storedBytes = 64e6
const bytesMax = 128e6

/** `close` removes the log. */
export async function logMicros(): Promise<{ micros: Micro[]; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-micro-'))
  const world = nodeWorld()
  const files = new FilePool({ disk: world.disk, openMax: 16 })
  const log = await openLog({ world, folder: join(folder, 'log'), settings, files })
  log.appendMark({ kind: 'epochStart', leaderId: 1 }, epoch)
  const small = payload(100, 16_384)
  const large = payload(1024, 65_536)
  const append = (batches: readonly Payload[]) => {
    for (const { batch: bytes } of batches) {
      batch.setBaseOffset(bytes, 0, log.end)
      batch.setLeaderEpoch(bytes, 0, epoch)
      log.append(bytes)
    }
    log.write()
  }
  while (log.sizeBytes < storedBytes) append([large])
  const stored = log.end
  const put = (batches: readonly Payload[]) => {
    if (log.sizeBytes > bytesMax) log.truncate(log.positionOf(stored))
    append(batches)
  }
  const ten = Array.from({ length: 10 }, () => payload(1024, 65_536))
  const read = (bytes: number) => {
    let offset = 0
    return async () => {
      const { nextOffset } = await log.read(offset, { boundOffset: stored, maxBytes: bytes, minOne: true })
      offset = nextOffset === stored ? 0 : nextOffset
    }
  }
  const index = new SegmentIndex(world.disk.open(join(folder, 'index'), 'create'), 0, true)
  const entries = 262_144
  for (let i = 0; i < entries; i++) index.append(i * 40, i * 4096, i)
  let wanted = 0
  const micros = [
    { what: 'append and write of 16 KiB', run: () => put([small]) },
    { what: 'append and write of 64 KiB', run: () => put([large]) },
    { what: 'append of ten times 64 KiB, one write', pieces: 10, run: () => put(ten) },
    {
      what: 'look-up among 262,144 index entries',
      run: () => {
        wanted = (wanted + 7_919 * 40) % (entries * 40)
        return index.floorOfOffset(wanted)
      },
    },
    { what: 'read of 64 KiB for a fetch', run: read(65_536) },
    { what: 'read of 1 MiB for a fetch', run: read(1 << 20) },
  ]
  const close = async () => {
    await log.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { micros, close }
}
