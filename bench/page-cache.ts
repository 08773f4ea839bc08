/**
 * A page of memory that a virtual machine touches for the first time costs ten times what writing to it does (13 us of system time for 4
 * KiB where this was written), and pages that are freed go back to the host within seconds. So whoever writes next pays for who deleted
 * last. With a page cache that is full of clean pages every write recycles one of them, and costs the same for everybody.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Beyond what is free, so that the system begins to recycle. */
const surplusBytes = 256e6
/** With less than this it recycles already: the system keeps some 100 MB free. */
const freeBytesMin = 400e6

let folder = ''
let files = 0

/** From now on `settleMachine` keeps memory full: a minute or two for the first time. */
export function keepMemoryFull(): void {
  if (folder !== '') return
  folder = mkdtempSync(join(tmpdir(), 'lograft-bench-fill-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
}

/** What was written before is on the disk, and what was deleted is replaced: neither slows anybody down who comes next. */
export function settleMachine(): void {
  execFileSync('sync')
  if (folder !== '') fillPageCache()
}

/** Reads files of nothing until memory is full; they go with this process. */
function fillPageCache(): void {
  const free = Number(/MemFree:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024
  if (free < freeBytesMin) return
  const bytes = free + surplusBytes
  if (bytes > 8e9) process.stderr.write(`filling the page cache: ${(bytes / 1e9).toFixed(1)} GB\n`)
  const file = openSync(join(folder, `${files++}`), 'w+')
  ftruncateSync(file, bytes)
  const into = Buffer.alloc(1 << 20)
  for (let at = 0; at < bytes; ) at += readSync(file, into, 0, into.length, at)
  closeSync(file)
}
