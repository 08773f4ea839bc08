/** Few descriptors for many files. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import type { Disk, File } from '../../src/io/world.ts'
import { FilePool } from '../../src/log/file-pool.ts'

t.test('10,000 segments of 50 logs under ulimit -n 256', async (t) => {
  // Only the number of files matters here: in memory where there is such a file system.
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lograft-many-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const child = fileURLToPath(new URL('many-segments.js', import.meta.url))
  const command = `ulimit -n 256 && exec "${process.execPath}" "${child}" "${root}" 50 200`
  const { NODE_OPTIONS: _, ...env } = process.env
  const run = spawnSync('sh', ['-c', command], { encoding: 'utf8', env })
  t.equal(run.status, 0, run.stderr)
  const result = JSON.parse(run.stdout)
  t.match(result, { segments: 10_000, isWhole: true, openAfterClose: 0 })
  t.ok(result.descriptorsMax < 256, `${result.descriptorsMax} descriptors at most`)
})

/** A disk that counts what is open. */
function counting(): {
  disk: Disk
  open: () => number
  peak: () => number
  paths: Set<string>
  hold: Set<() => void>
} {
  const hold = new Set<() => void>()
  const sim = new SimDisk({
    device: ({ kind }) =>
      kind === 'sync' ? new Promise((resolve) => hold.add(() => resolve())) : Promise.resolve(),
  })
  const mount = sim.mount()
  let open = 0
  let peak = 0
  const paths = new Set<string>()
  const disk = Object.create(mount, {
    open: {
      value: (path: string, mode: 'read' | 'write' | 'create'): File => {
        const file = mount.open(path, mode)
        peak = Math.max(peak, ++open)
        paths.add(path)
        const close = file.close.bind(file)
        file.close = () => {
          open--
          paths.delete(path)
          close()
        }
        return file
      },
    },
    stat: { value: (path: string) => mount.stat(path) },
  })
  return { disk, open: () => open, peak: () => peak, paths, hold }
}

t.test('a pool never has more open than it may, and nobody notices', async (t) => {
  const { disk, open, peak, hold } = counting()
  const pool = new FilePool({ disk, openMax: 8 })
  const files = Array.from({ length: 40 }, (_, i) => pool.open(`/file-${i}`, 'create'))
  for (const [i, file] of files.entries()) file.write([Buffer.from(`content ${i}`)], 0)
  const into = Buffer.alloc(20)
  for (const [i, file] of files.entries()) {
    t.equal(into.toString('utf8', 0, file.read(into, 0)), `content ${i}`)
    t.equal(file.size(), `content ${i}`.length)
  }
  t.equal(pool.openCount, 8)

  // All synced at once: the rest wait for their turn, and some descriptors are left for who writes meanwhile.
  const syncs = Promise.all(files.map((file) => file.sync()))
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(hold.size, 6, 'three quarters')
  for (const file of files) file.write([Buffer.from('!')], 20)
  let left = 100
  while (left-- > 0) {
    for (const release of hold) release()
    hold.clear()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await syncs
  t.ok(peak() <= 8, `${peak()} at most`)
  for (const file of files) file.close()
  t.equal(open(), 0)
})

t.test(
  'a file that was not used for a while gives way, those with unsynced writes after the others',
  async (t) => {
    const { disk, paths, hold } = counting()
    const pool = new FilePool({ disk, openMax: 3 })
    const open = (name: string): File => pool.open(name, 'create')
    const write = (file: File): void => file.write([Buffer.from('x')], 0)
    const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(open) as [File, File, File, File, File]
    const sync = async (...files: File[]): Promise<void> => {
      const syncs = files.map((file) => file.sync())
      for (const release of hold) release()
      hold.clear()
      await Promise.all(syncs)
    }
    for (const file of [a, b, c]) write(file)
    a.read(Buffer.alloc(1), 0)
    write(d)
    t.same([...paths].toSorted(), ['a', 'c', 'd'], 'all have unsynced writes: b was used before a was')
    await sync(d)
    write(e)
    t.same([...paths].toSorted(), ['a', 'c', 'e'], 'd was used last, but has nothing unsynced')
    await sync(a, c)
    d.read(Buffer.alloc(1), 0)
    t.same([...paths].toSorted(), ['c', 'd', 'e'], 'both without were used since: one of them all the same')
    c.read(Buffer.alloc(1), 0)
    a.read(Buffer.alloc(1), 0)
    t.same([...paths].toSorted(), ['a', 'c', 'e'], 'd was not used again since it was opened, c was')
  },
)

t.test(
  'a write off the event loop keeps its descriptor, and is unsynced from its start until after its end',
  async (t) => {
    const held: (() => void)[] = []
    const disk = new SimDisk({
      device: ({ kind }) =>
        kind === 'write' ? new Promise((resolve) => held.push(resolve)) : Promise.resolve(),
    }).mount()
    const pool = new FilePool({ disk, openMax: 2 })
    const [a, b, c] = ['a', 'b', 'c'].map((name) => pool.open(name, 'create')) as [File, File, File]
    const writing = a.writeAsync([Buffer.from('written')], 0)
    for (const file of [b, c, b, c]) file.write([Buffer.from('x')], 0)
    disk.remove('a')
    disk.open('a', 'create')
    held.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
    const syncing = a.sync() // waits: one may be busy
    held.shift()?.()
    await writing
    await syncing
    const into = Buffer.alloc(10)
    t.equal(into.toString('utf8', 0, a.read(into, 0)), 'written', 'to the file that it began with')
    for (const file of [b, c]) file.read(into, 0)
    a.close()
    await t.rejects(a.writeAsync([Buffer.from('late')], 0), Faulted)
  },
)

t.test('a file that failed a sync stays failed, even when it is opened again', async (t) => {
  let fails = true
  const disk = new SimDisk({
    onOperation: ({ kind, path }) =>
      kind === 'sync' && path === '/a' && fails ? { code: 'EIO' } : undefined,
  }).mount()
  const pool = new FilePool({ disk, openMax: 2 })
  const a = pool.open('/a', 'create')
  a.write([Buffer.from('x')], 0)
  await t.rejects(a.sync(), Faulted)
  fails = false
  for (const path of ['/b', '/c', '/d']) pool.open(path, 'create').write([Buffer.from('y')], 0)
  await t.rejects(a.sync(), Faulted)
  t.throws(() => a.write([Buffer.from('z')], 0), Faulted)
  t.equal(a.read(Buffer.alloc(1), 0), 1, 'it can still be read')
})

t.test('a file that somebody removed is not made anew', async (t) => {
  const disk = new SimDisk().mount()
  const pool = new FilePool({ disk, openMax: 2 })
  const a = pool.open('/a', 'create')
  a.write([Buffer.from('x')], 0)
  for (const path of ['/b', '/c']) pool.open(path, 'create').write([Buffer.from('y')], 0)
  disk.remove('/a')
  t.throws(() => a.write([Buffer.from('z')], 1), Faulted)
  t.equal(disk.stat('/a'), null)
})
