/**
 * What the disk gives: groups of batches, each written with one call and made durable before the next.
 *
 *     node syncer.js FOLDER BATCH_BYTES BATCHES_A_GROUP BYTES     prints {"megabytesPerSecond", "cpuPerGigabyte"}
 */
import { fdatasyncSync, openSync, writevSync } from 'node:fs'

const [folder, ...numbers] = process.argv.slice(2)
const [batchBytes = 0, batches = 0, bytes = 0] = numbers.map(Number)
const file = openSync(`${folder}/synced-${process.pid}`, 'w')
const group = Array.from({ length: batches }, () => Buffer.alloc(batchBytes, 'x'))
let written = 0
const before = process.cpuUsage()
const begun = performance.now()
while (written < bytes) {
  written += writevSync(file, group)
  fdatasyncSync(file)
}
const seconds = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(before)
const figures = {
  megabytesPerSecond: written / 1e6 / seconds,
  cpuPerGigabyte: (user + system) / 1e6 / (written / 1e9),
}
process.stdout.write(`${JSON.stringify(figures)}\n`)
