/** Logs that are no longer in memory (GNU coreutils: `dd` with posix_fadvise, for which Node has no call). */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Internal partitions hold less. */
const muchBytes = 1e6

/** The segments of the partitions of a broker that hold much, with their indexes. */
function filesOf(dataFolder: string): string[] {
  const partitions = join(dataFolder, 'partitions')
  return readdirSync(partitions).flatMap((partition) => {
    const files = readdirSync(join(partitions, partition))
      .filter((name) => name.endsWith('.log') || name.endsWith('.index'))
      .map((name) => join(partitions, partition, name))
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
    return bytes < muchBytes ? [] : files
  })
}

/** On the disk: what is written next is not slowed down by what was written before. */
export function syncLogs(dataFolder: string): void {
  execFileSync('sync', ['--data', ...filesOf(dataFolder)])
}

/** On the disk, and nowhere else. */
export function coolDown(dataFolder: string): void {
  const flags = ['oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']
  for (const file of filesOf(dataFolder)) execFileSync('dd', [`of=${file}`, ...flags])
}
