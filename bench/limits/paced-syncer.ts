/**
 * How soon the disk has a batch, at a fixed rate: each is written to every file with one call, and is there when most of them were synced after that; one
 * sync of a file for all that came meanwhile.
 *
 *     node paced-syncer.js FOLDER FILES BATCH_BYTES BATCHES_A_SECOND SECONDS     prints delays, ms
 */
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { createHistogram } from 'node:perf_hooks'
import { delaysOf } from '../load/delays.ts'
import { atRate } from '../load/rate.ts'

const [folder, ...numbers] = process.argv.slice(2)
const [files = 0, batchBytes = 0, perSecond = 0, seconds = 0] = numbers.map(Number)
const count = perSecond * seconds
const most = Math.floor(files / 2) + 1
const batch = Buffer.alloc(batchBytes, 'x')
const dues = new Float64Array(count)
const copies = new Uint8Array(count)
const histogram = createHistogram()
let open = files

class SyncedFile {
  readonly #file: number
  #written = 0
  #synced = 0
  #isSyncing = false

  constructor(name: string) {
    this.#file = openSync(name, 'w')
  }

  write(): void {
    writeSync(this.#file, batch)
    this.#written++
    this.#sync()
  }

  #sync(): void {
    if (this.#isSyncing || this.#synced === this.#written) return
    this.#isSyncing = true
    const covered = this.#written
    fdatasync(this.#file, (error) => {
      if (error !== null) throw error
      this.#isSyncing = false
      for (; this.#synced < covered; this.#synced++) arrived(this.#synced)
      if (this.#synced === count) this.#close()
      else this.#sync()
    })
  }

  #close(): void {
    closeSync(this.#file)
    open--
    if (open === 0) process.stdout.write(`${JSON.stringify(delaysOf(histogram))}\n`)
  }
}

function arrived(n: number): void {
  copies[n] = (copies[n] ?? 0) + 1
  const late = performance.now() - (dues[n] ?? Number.NaN)
  if (copies[n] === most) histogram.record(Math.max(1, Math.round(late * 1e6)))
}

const all = Array.from({ length: files }, (_, n) => new SyncedFile(`${folder}/paced-${process.pid}-${n}`))
atRate({ intervalMs: 1000 / perSecond, count }, (n, due) => {
  dues[n] = due
  for (const one of all) one.write()
})
