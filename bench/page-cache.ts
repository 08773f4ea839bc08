/**
 * A page of memory that a virtual machine touches for the first time costs several times what writing to it does, and pages that are
 * freed go back to the host. So whoever writes next pays for who deleted last. With a page cache that is full of clean pages every
 * write recycles one of them, and costs the same for everybody.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Left for processes, which come and go. */
const reserveBytes = 1e9

let folder = ''
let files = 0

/** What was written before is on the disk, and slows nobody down who comes next. */
export function settleDisk(): void {
  execFileSync('sync')
}

/** Reads files of nothing until memory is full; they go with this process. Again when memory was freed meanwhile. */
export function fillPageCache(): void {
  const free = Number(/MemFree:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024
  const bytes = free - reserveBytes
  if (bytes <= reserveBytes) return
  if (folder === '') {
    folder = mkdtempSync(join(tmpdir(), 'lograft-bench-fill-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  }
  process.stderr.write(`filling the page cache: ${(bytes / 1e9).toFixed(1)} GB\n`)
  const file = openSync(join(folder, `${files++}`), 'w+')
  ftruncateSync(file, bytes)
  const into = Buffer.alloc(1 << 20)
  for (let at = 0; at < bytes; ) at += readSync(file, into, 0, into.length, at)
  closeSync(file)
}
