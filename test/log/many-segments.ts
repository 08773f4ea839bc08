/**
 * Run by files.test.ts in a process of its own with few descriptors: writes, reads and reopens many segments.
 * Arguments: folder, logs, segments each. Prints one line of JSON.
 */
import { readdirSync } from 'node:fs'
import { nodeWorld } from '../../src/io/node-world.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { Log } from '../../src/log/log.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { append, flush, readAll, smallSettings, startEpoch } from './fixture.ts'

const [folder = '', logCount = '50', segmentCount = '200'] = process.argv.slice(2)
const world = nodeWorld()
const files = new FilePool({ disk: world.disk, openMax: 128 })
const batchesEach = Number(segmentCount)
let descriptorsMax = 0
const look = (): void => {
  descriptorsMax = Math.max(descriptorsMax, readdirSync('/proc/self/fd').length)
}

function open(index: number): Promise<Log> {
  const settings = { ...smallSettings, segmentBytesMax: 100 } // every batch is a segment of its own
  return openLog({ world, folder: `${folder}/log-${index}`, settings, files })
}

const all = Array.from({ length: Number(logCount) }, (_, index) => index)
let logs = await Promise.all(all.map(open))
for (const log of logs) startEpoch(log)
for (let i = 0; i < batchesEach; i++) {
  for (const log of logs) append(log)
  // All logs at once, and all their files: far more than there are descriptors.
  if (i % 50 === 49) {
    const flushed = logs.map(flush)
    look()
    await Promise.all(flushed)
    look()
  }
}
await Promise.all(logs.map(flush))
look()
const segments = logs.reduce((sum, log) => sum + log.segments.length, 0)
const isWhole = async (log: Log): Promise<boolean> => {
  const records = await readAll(log, 0, 100_000)
  return (
    records.length === batchesEach &&
    records.every(({ offset, value }, i) => offset === i && value === `v${i}`)
  )
}
const beforeRestart = await Promise.all(logs.map(isWhole))
look()
await Promise.all(logs.map((log) => log.close()))
const openAfterClose = files.openCount
logs = await Promise.all(all.map(open))
look()
const afterRestart = await Promise.all(logs.map(isWhole))
look()
process.stdout.write(
  `${JSON.stringify({
    segments,
    descriptorsMax,
    openAfterClose,
    isWhole: beforeRestart.every(Boolean) && afterRestart.every(Boolean),
  })}\n`,
)
